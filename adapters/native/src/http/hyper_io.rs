//! hyper over any stream and any runtime's timers, and hyper's upgraded connections as a stream.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Sleep, Timer, Write};
use hyper::upgrade::Upgraded;

use crossws_proto::sync::Mutex;

use crate::driver::raw::RawStream;
use crate::http::keep_alive::Activity;
use crate::runtime::Runtime;
use crate::runtime::io::Io;

/// A stream as hyper uses it.
pub(crate) struct HyperIo {
    pub(crate) stream: RawStream,
    /// Notified of incoming bytes.
    pub(crate) activity: Activity,
}

impl Read for HyperIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // hyper's buffer may be uninitialised, and reporting how much of it was written is unsafe.
        let mut chunk = [0; 4096];
        let most = chunk.len().min(buf.remaining());
        let chunk = chunk.get_mut(..most).unwrap_or_default();
        let count = std::task::ready!(self.stream.poll_read(cx, chunk))?;
        if count > 0 {
            self.activity.received();
        }
        buf.put_slice(chunk.get(..count).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl Write for HyperIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = std::task::ready!(self.stream.poll_write_vectored(cx, bufs))?;
        if count > 0 {
            self.activity.sent();
        }
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_shutdown(cx)
    }
}

/// An upgraded connection whose stream is not known: of another server's own kind, or a stream of
/// HTTP/2.
pub(crate) struct UpgradedIo(pub(crate) Upgraded);

/// The most bytes of one write to a stream that takes no several slices: hyper's streams of HTTP/2
/// copy whole writes, and let two wait whatever their size.
const MOST_JOINED: usize = 16 << 10;

impl Io for UpgradedIo {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        std::task::ready!(Pin::new(&mut self.0).poll_read(cx, buf.unfilled()))?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let upgraded = Pin::new(&mut self.0);
        if upgraded.is_write_vectored() {
            return upgraded.poll_write_vectored(cx, bufs);
        }
        let mut joined = Vec::new();
        let joined = match bufs {
            [one] => one.get(..MOST_JOINED).unwrap_or(one),
            _ => {
                for buf in bufs {
                    let room = MOST_JOINED - joined.len();
                    joined.extend_from_slice(buf.get(..room).unwrap_or(buf));
                }
                &joined[..]
            }
        };
        upgraded.poll_write(cx, joined)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A runtime's timers as hyper uses them.
pub(crate) struct HyperTimer<T>(pub(crate) T);

impl<T: Runtime> Timer for HyperTimer<T> {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(HyperSleep(Mutex::new(Box::pin(self.0.sleep(duration)))))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.0.now()))
    }

    fn now(&self) -> Instant {
        self.0.now()
    }
}

/// hyper requires a timer to be `Sync`. Only its owner polls it, so the lock is never contended.
struct HyperSleep<S>(Mutex<Pin<Box<S>>>);

impl<S: Future<Output = ()> + Send + 'static> Sleep for HyperSleep<S> {}

impl<S: Future<Output = ()>> Future for HyperSleep<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_mut();
        sleep.as_mut().poll(cx)
    }
}

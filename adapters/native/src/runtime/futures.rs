use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use crate::runtime::io::Io;

/// A stream of the futures-io traits, as the pump uses it.
#[derive(Debug)]
pub struct FuturesIo<S> {
    stream: S,
    /// Ends the writing side. Without it, `poll_close` does.
    shutdown: Option<fn(&S) -> io::Result<()>>,
    abort: fn(&S),
}

impl<S> FuturesIo<S> {
    /// Wraps any stream: `poll_close` ends its writing side, and an abort is an ordinary drop.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            shutdown: None,
            abort: |_| {},
        }
    }

    /// Wraps a socket: `shutdown` ends its writing side, and `abort` is its [`Io::abort`].
    ///
    /// `shutdown` is needed because `poll_close` is not enough: async-std's only flushes.
    pub fn socket(stream: S, shutdown: fn(&S) -> io::Result<()>, abort: fn(&S)) -> Self {
        Self {
            stream,
            shutdown: Some(shutdown),
            abort,
        }
    }

    /// Returns the stream itself, for a server that gets the stream back because its request is not
    /// for hooks.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for FuturesIo<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match bufs {
            // One slice is the common case, and a plain write the cheaper call.
            [buf] => Pin::new(&mut self.stream).poll_write(cx, buf),
            bufs => Pin::new(&mut self.stream).poll_write_vectored(cx, bufs),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(shutdown) = self.shutdown else {
            return Pin::new(&mut self.stream).poll_close(cx);
        };
        std::task::ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        Poll::Ready(shutdown(&self.stream))
    }

    fn abort(&mut self) {
        (self.abort)(&self.stream);
    }
}

//! The streams that connections use: what [`Acceptor::serve_stream`](crate::Acceptor::serve_stream)
//! takes.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use crossws_native::{Io, reset_on_drop, write_now};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::task::coop::unconstrained;

/// A stream on tokio.
pub struct Stream<S: 'static> {
    stream: S,
    system: Option<&'static System<S>>,
}

/// Direct system calls, if the stream is a socket.
struct System<S> {
    /// Writes as much as the socket has room for.
    write: fn(&S, &[IoSlice<'_>]) -> io::Result<usize>,
    /// Makes dropping the stream reset the connection.
    abort: fn(&S),
}

static TCP: System<TcpStream> = System {
    write: write_now,
    abort: reset_on_drop,
};

#[cfg(unix)]
static UNIX: System<UnixStream> = System {
    write: write_now,
    abort: |_| {},
};

/// Wraps any stream. An abort is an ordinary drop.
pub fn stream<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(stream: S) -> Stream<S> {
    let system = None;
    Stream { stream, system }
}

/// Wraps a TCP stream. An abort resets it.
pub fn tcp(stream: TcpStream) -> Stream<TcpStream> {
    let system = Some(&TCP);
    Stream { stream, system }
}

/// Wraps a Unix-domain stream. An abort is an ordinary drop.
#[cfg(unix)]
pub fn unix(stream: UnixStream) -> Stream<UnixStream> {
    let system = Some(&UNIX);
    Stream { stream, system }
}

impl<S> Stream<S> {
    /// Returns the stream itself, for a server that gets the stream back because its request is not
    /// for hooks.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

crossws_core::opaque_debug!([S: fmt::Debug] Stream<S>, self => (self.stream));

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for Stream<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        Pin::new(&mut self.stream)
            .poll_read(cx, &mut buf)
            .map_ok(|()| buf.filled().len())
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // Asks the system first, and never tokio's task budget. tokio reports the readiness that it
        // last observed, and stops a task that has used its sockets often. Neither means that the
        // client is slow, but a write that waits does.
        if let Some(system) = self.system {
            match (system.write)(&self.stream, bufs) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
        let mut stream = Pin::new(&mut self.stream);
        let write = poll_fn(|cx| match bufs {
            // One slice is the common case, and a plain write the cheaper call.
            [buf] => stream.as_mut().poll_write(cx, buf),
            bufs => stream.as_mut().poll_write_vectored(cx, bufs),
        });
        pin!(unconstrained(write)).poll(cx)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn abort(&mut self) {
        if let Some(system) = self.system {
            (system.abort)(&self.stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    #[tokio::test]
    async fn a_task_that_has_used_its_budget_still_writes() {
        let (ours, _theirs) = duplex(1 << 20);
        let mut stream = stream(ours);
        poll_fn(|cx| {
            for n in 0..1000 {
                let written = stream.poll_write_vectored(cx, &[IoSlice::new(b"x")]);
                assert!(written.is_ready(), "write {n} waits");
            }
            Poll::Ready(())
        })
        .await;
    }
}

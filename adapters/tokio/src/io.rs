//! Streams as the connections use them: what [`Acceptor::serve_stream`](crate::Acceptor::serve_stream)
//! takes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use crossws_native::{Io, reset_on_drop};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

/// A stream on tokio.
#[derive(Debug)]
pub struct Stream<S> {
    stream: S,
    abort: fn(&S),
}

/// Any stream; an abort is an ordinary drop.
pub fn stream<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(stream: S) -> Stream<S> {
    let abort = |_: &S| {};
    Stream { stream, abort }
}

/// A TCP stream, which an abort resets.
pub fn tcp(stream: TcpStream) -> Stream<TcpStream> {
    let abort = reset_on_drop;
    Stream { stream, abort }
}

/// A Unix-domain stream; an abort is an ordinary drop.
#[cfg(unix)]
pub fn unix(socket: UnixStream) -> Stream<UnixStream> {
    stream(socket)
}

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
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn abort(&mut self) {
        (self.abort)(&self.stream);
    }
}

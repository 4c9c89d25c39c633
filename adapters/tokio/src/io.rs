use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use crossws_native::{Io, reset_on_drop};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A tokio stream as the pump uses it.
#[derive(Debug)]
pub struct TokioIo<T> {
    stream: T,
    abort: fn(&T),
}

impl<T> TokioIo<T> {
    /// Any stream; an abort is an ordinary drop.
    #[cfg(unix)]
    pub(crate) fn new(stream: T) -> Self {
        Self {
            stream,
            abort: |_| {},
        }
    }
}

impl TokioIo<TcpStream> {
    /// A TCP stream, which an abort resets.
    pub(crate) fn tcp(stream: TcpStream) -> Self {
        Self {
            stream,
            abort: reset_on_drop,
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for TokioIo<T> {
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

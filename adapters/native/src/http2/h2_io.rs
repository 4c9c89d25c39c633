//! A connection's stream as h2 uses it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::driver::raw::RawStream;
use crate::runtime::io::Io;

/// Reads in a row after which other tasks run. Some runtimes have no budget of their own, and h2
/// reads for as long as there is something.
const TURN: u32 = 64;

/// A stream with tokio's traits, which need no runtime.
pub(super) struct H2Io {
    stream: RawStream,
    reads: u32,
}

impl H2Io {
    pub(super) fn new(stream: RawStream) -> Self {
        Self { stream, reads: 0 }
    }
}

impl AsyncRead for H2Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reads += 1;
        if self.reads > TURN {
            self.reads = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.stream.poll_read(cx, buf.initialize_unfilled()) {
            Poll::Ready(count) => {
                buf.advance(count?);
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                self.reads = 0;
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for H2Io {
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
        self.stream.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.stream.poll_flush(cx))?;
        self.stream.poll_shutdown(cx)
    }
}

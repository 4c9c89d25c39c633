//! A connection's stream as h2 uses it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::runtime::io::Io;

/// Reads in a row after which other tasks run. Some runtimes have no budget of their own, and h2
/// reads for as long as there is something.
const TURN: u32 = 64;

/// A stream with tokio's traits, which need no runtime. Bytes that were already read from it come
/// first.
pub(super) struct H2Io<I> {
    front: Bytes,
    io: I,
    reads: u32,
}

impl<I> H2Io<I> {
    pub(super) fn new(front: Bytes, io: I) -> Self {
        let reads = 0;
        Self { front, io, reads }
    }
}

impl<I: Io> AsyncRead for H2Io<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.front.is_empty() {
            let count = self.front.len().min(buf.remaining());
            buf.put_slice(&self.front.split_to(count));
            if self.front.is_empty() {
                self.front = Bytes::new();
            }
            return Poll::Ready(Ok(()));
        }
        self.reads += 1;
        if self.reads > TURN {
            self.reads = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.io.poll_read(cx, buf.initialize_unfilled()) {
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

impl<I: Io> AsyncWrite for H2Io<I> {
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
        self.io.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.io.poll_flush(cx))?;
        self.io.poll_shutdown(cx)
    }
}

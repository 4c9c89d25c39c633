//! Streams as the connections use them.

use std::io::{IoSlice, Read, Result, Write};
use std::net::Shutdown;
use std::task::{Context, Poll};

use crossws_native::{Io, reset_on_drop};
use mio::net::TcpStream;

use crate::reactor::Watched;

/// A TCP stream on this runtime.
pub struct Stream(pub(crate) Watched<TcpStream>);

/// A TCP stream, which an abort resets.
///
/// # Errors
/// When the system cannot watch it.
pub fn tcp(stream: TcpStream) -> Result<Stream> {
    Watched::new(stream).map(Stream)
}

impl Io for Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize>> {
        self.0.poll_read(cx, |mut socket| socket.read(buf))
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        self.0
            .poll_write(cx, |mut socket| socket.write_vectored(bufs))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        // A socket holds nothing back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(self.0.socket.shutdown(Shutdown::Write))
    }

    fn abort(&mut self) {
        reset_on_drop(&self.0.socket);
    }
}

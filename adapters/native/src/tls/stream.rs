use std::cell::Cell;
use std::io::{self, ErrorKind, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use rustls::server::UnbufferedServerConnection;

use super::scratch::Scratch;
use super::sealed::Sealed;
use super::session::{Session, Side};
use crate::runtime::io::{Io, poll_write_all, take_front};

/// The number of bytes that one read takes from the inner stream.
const READ: usize = 32 << 10;

thread_local! {
    static RECORDS: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// An encrypted stream over a plain one: the server's side of TLS, created by
/// [`Tls::stream`](crate::Tls::stream), or the client's, created by
/// [`ClientTls::stream`](crate::ClientTls::stream).
///
/// The handshake takes place in the first reads. Records are decrypted and encrypted in buffers of
/// the thread: an idle connection owns no buffer.
///
/// A write may leave encrypted bytes unsent, as every buffering stream's may. The next write, read
/// or flush sends them.
pub struct TlsStream<I, S = UnbufferedServerConnection> {
    io: I,
    pub(super) session: Session<S>,
    /// Whether the inner stream ended.
    cut: bool,
    /// Whether `close_notify` has been encrypted.
    closing: bool,
}

impl<I: Io, S: Side> TlsStream<I, S> {
    pub(super) fn new(io: I, connection: S) -> Self {
        Self {
            io,
            session: Session::new(connection),
            cut: false,
            closing: false,
        }
    }

    /// Reads from the inner stream once and decrypts, into `buf`. What does not fit goes into the
    /// session's `plain`. Returns how much is in `buf`, which may be 0.
    fn poll_fill(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let held = self.session.partial.len();
        let mut records = Scratch::lend(&RECORDS, held + READ);
        let room = records.bytes.get_mut(held..).unwrap_or_default();
        let count = ready!(self.io.poll_read(cx, room))?;
        if count == 0 {
            self.cut = true;
            return Poll::Ready(Ok(0));
        }
        let read = records.bytes.get_mut(..held + count).unwrap_or_default();
        if let Some(front) = read.get_mut(..held) {
            front.copy_from_slice(&self.session.partial);
        }
        let filled = self.session.take_in(read, buf);
        if let Some(error) = &self.session.failed {
            let established = self.session.established;
            tracing::debug!(%error, established, "a TLS connection failed");
            // Sends the alert as far as that is possible at once: a client that breaks the rules is
            // not waited for. The data before the violation is valid.
            let _ = self.poll_drain(cx);
        }
        Poll::Ready(Ok(filled))
    }

    /// Returns why a read yields nothing: the end, in order or not, or an error.
    fn end(&self) -> Option<io::Result<usize>> {
        if let Some(error) = &self.session.failed {
            return Some(Err(broken(error.clone())));
        }
        if self.session.ended {
            return Some(Ok(0));
        }
        if self.cut {
            // Without `close_notify`, an attacker may have cut the stream.
            return Some(Err(ErrorKind::UnexpectedEof.into()));
        }
        None
    }

    /// Writes encrypted bytes to the inner stream.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outgoing = &mut self.session.outgoing;
        ready!(poll_write_all(&mut self.io, cx, outgoing))?;
        if outgoing.capacity() > 0 {
            *outgoing = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Reads until the handshake is complete.
    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.session.established {
            let _ = self.poll_drain(cx)?;
            match self.end() {
                Some(Ok(_)) => return Poll::Ready(Err(ErrorKind::UnexpectedEof.into())),
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => {}
            }
            ready!(self.poll_fill(cx, &mut []))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Encrypts from the slices and writes as much of it as can be written at once.
    fn send(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut sealed = Sealed::new();
        let taken = self.session.seal(bufs, &mut sealed).map_err(broken)?;
        // rustls's own messages come first.
        let mut rest = sealed.bytes();
        if self.poll_drain(cx)?.is_ready() {
            let _ = poll_write_all(&mut self.io, cx, &mut rest)?;
        }
        self.session.outgoing.extend_from_slice(rest);
        Ok(taken)
    }
}

impl<I: Io, S: Side + Unpin> Io for TlsStream<I, S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        loop {
            if !self.session.plain.is_empty() {
                return Poll::Ready(Ok(take_front(&mut self.session.plain, buf)));
            }
            // The handshake, and replies to key updates. Pending or not, there may be something to
            // read; a read reports a failure too.
            let _ = self.poll_drain(cx);
            if let Some(end) = self.end() {
                return Poll::Ready(end);
            }
            let filled = ready!(self.poll_fill(cx, buf))?;
            if filled > 0 {
                return Poll::Ready(Ok(filled));
            }
        }
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_handshake(cx))?;
        if self.closing || self.session.failed.is_some() {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        // Nothing is encrypted while encrypted bytes wait. That bounds this side's memory, and the
        // caller notices that the client does not read.
        ready!(self.poll_drain(cx))?;
        Poll::Ready(self.send(cx, bufs))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        self.io.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closing {
            self.closing = true;
            if self.session.established && self.session.failed.is_none() {
                self.session.close().map_err(broken)?;
            }
        }
        ready!(self.poll_drain(cx))?;
        self.io.poll_shutdown(cx)
    }

    fn abort(&mut self) {
        self.io.abort();
    }

    fn buffered(&self) -> usize {
        self.session.buffered() + self.io.buffered()
    }
}

fn broken(error: rustls::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

crossws_core::opaque_debug!([I, S] TlsStream<I, S>, self => established: self.session.established);

#[cfg(test)]
mod tests;

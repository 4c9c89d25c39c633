use std::io::{self, ErrorKind, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::Buf;

/// A byte stream, as the pump uses it: what a runtime's adapter implements for its sockets.
///
/// The methods follow `AsyncRead` and `AsyncWrite`, which differ between runtimes only in form.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a stream of an adapter",
    note = "wrap it: `io::tcp(stream)` of the adapter takes a TCP stream, `io::stream(..)` any other"
)]
pub trait Io: Send + Unpin + 'static {
    /// Reads into `buf` and returns the number of bytes; 0 is the end. When it returns `Pending`,
    /// the stream wakes the waker of that call once another call is worthwhile.
    ///
    /// # Errors
    /// Whatever the stream reports. The connection is then lost.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes from the slices and returns the number of bytes. Other tasks than the reading one
    /// call it too, with a waker that does nothing: the connection's own task then calls again.
    ///
    /// # Errors
    /// Whatever the stream reports. The connection is then lost.
    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Flushes what an inner layer, such as TLS, has buffered.
    ///
    /// # Errors
    /// Whatever the stream reports. The connection is then lost.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the writing side: the client reads everything, then the end.
    ///
    /// # Errors
    /// Whatever the stream reports; the connection is over either way.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Makes the drop that follows reset the connection instead of waiting for unsent data, if the
    /// stream supports that.
    fn abort(&mut self) {}

    /// Returns how many bytes of memory this stream holds, besides the system's, for data that has
    /// arrived in part or could not be written yet. 0 by default, for streams without buffers of
    /// their own.
    fn buffered(&self) -> usize {
        0
    }
}

impl<I: Io + ?Sized> Io for Box<I> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        (**self).poll_read(cx, buf)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        (**self).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_shutdown(cx)
    }

    fn abort(&mut self) {
        (**self).abort();
    }

    fn buffered(&self) -> usize {
        (**self).buffered()
    }
}

/// Writes these bytes, and consumes what is written. A write of 0 bytes is an error.
pub(crate) fn poll_write_all(
    io: &mut impl Io,
    cx: &mut Context<'_>,
    bytes: &mut impl Buf,
) -> Poll<io::Result<()>> {
    while bytes.has_remaining() {
        match ready!(io.poll_write_vectored(cx, &[IoSlice::new(bytes.chunk())]))? {
            0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
            count => bytes.advance(count),
        }
    }
    Poll::Ready(Ok(()))
}

/// Moves bytes that wait for a read into its buffer, and frees their memory with the last of them. Returns
/// how many.
pub(crate) fn take_front<B: Buf + Default>(waiting: &mut B, buf: &mut [u8]) -> usize {
    let count = waiting.remaining().min(buf.len());
    let (front, _) = buf.split_at_mut(count);
    waiting.copy_to_slice(front);
    if !waiting.has_remaining() {
        *waiting = B::default();
    }
    count
}

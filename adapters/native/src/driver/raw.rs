use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use bytes::Bytes;
use crossws_core::adapter::FromConnection;

use crate::runtime::io::{Io, take_front};

/// A connection's stream after its 101, for an upgrade that [takes](crossws_core::Upgrade::take)
/// it. Reads first return the bytes that the client sent after its request. Dropping it ends the
/// connection.
///
/// Adapters wrap it with their runtime's traits: on smol and async-std it implements `AsyncRead`
/// and `AsyncWrite` of futures-io, on tokio a type around it implements tokio's.
///
/// ```
/// # #[cfg(feature = "futures-io")]
/// # fn example() {
/// # use crossws_core::{Upgrade, ok};
/// # use crossws_native::RawStream;
/// use futures_lite::io::{AsyncReadExt, AsyncWriteExt};
///
/// // On smol or async-std, in the `upgrade` hook: four bytes come back.
/// let upgrade = Upgrade::take(|mut stream: RawStream| async move {
///     let mut bytes = [0; 4];
///     stream.read_exact(&mut bytes).await?;
///     stream.write_all(&bytes).await?;
///     stream.close().await?;
///     ok()
/// });
/// # }
/// ```
pub struct RawStream {
    pub(crate) early: Bytes,
    pub(crate) io: Box<dyn Io>,
}

impl FromConnection for RawStream {
    type Connection = Self;

    fn from_connection(connection: Self) -> Self {
        connection
    }
}

impl Io for RawStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.early.is_empty() {
            true => self.io.poll_read(cx, buf),
            false => Poll::Ready(Ok(take_front(&mut self.early, buf))),
        }
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.io.poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_shutdown(cx)
    }

    fn abort(&mut self) {
        self.io.abort();
    }

    fn buffered(&self) -> usize {
        self.early.len() + self.io.buffered()
    }
}

crossws_core::opaque_debug!(RawStream);

#[cfg(feature = "futures-io")]
mod traits {
    use std::io;
    use std::io::IoSlice;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use futures_io::{AsyncRead, AsyncWrite};

    use super::RawStream;
    use crate::runtime::io::Io;

    impl AsyncRead for RawStream {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Io::poll_read(&mut *self, cx, buf)
        }
    }

    impl AsyncWrite for RawStream {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            Io::poll_write_vectored(&mut *self, cx, &[IoSlice::new(buf)])
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            Io::poll_write_vectored(&mut *self, cx, bufs)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Io::poll_flush(&mut *self, cx)
        }

        fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Io::poll_shutdown(&mut *self, cx)
        }
    }
}

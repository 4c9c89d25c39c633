use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crossws_core::adapter::FromConnection;
use crossws_native::Io;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection's stream after its 101, for an upgrade that [takes](crossws_core::Upgrade::take)
/// it. It first yields the bytes that the client has sent after its request. Dropping it ends the
/// connection.
///
/// ```
/// use crossws_core::{Hooks, Rejection, Upgrade, UpgradeRequest, ok};
/// use crossws_tokio::RawStream;
/// use tokio_tungstenite::WebSocketStream;
/// use tokio_tungstenite::tungstenite::protocol::Role;
/// # use futures_util::{SinkExt, TryStreamExt};
///
/// struct Legacy;
///
/// impl Hooks for Legacy {
///     async fn upgrade(&self, _: &UpgradeRequest) -> Result<Upgrade, Rejection> {
///         Ok(Upgrade::take(|stream: RawStream| async move {
///             let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
///             while let Some(message) = socket.try_next().await? {
///                 if message.is_text() {
///                     socket.send(message).await?;
///                 }
///             }
///             ok()
///         }))
///     }
/// }
/// ```
#[derive(Debug)]
pub struct RawStream(crossws_native::RawStream);

impl FromConnection for RawStream {
    type Connection = crossws_native::RawStream;

    fn from_connection(connection: Self::Connection) -> Self {
        Self(connection)
    }
}

impl AsyncRead for RawStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = ready!(self.0.poll_read(cx, buf.initialize_unfilled()))?;
        buf.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for RawStream {
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
        self.0.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }
}

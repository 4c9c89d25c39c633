use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use crate::peer::Peer;
use crate::peer::life::PeerState;
use crate::peer::weak::WeakPeer;

impl Peer {
    /// Returns a token that is cancelled when the connection ends, and does not keep the peer
    /// alive.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// let token = peer.cancel_token();
    /// assert!(!token.is_cancelled() || peer.state() != PeerState::Open);
    /// # Ok(()) }
    /// ```
    pub fn cancel_token(&self) -> CancelToken {
        CancelToken(self.downgrade())
    }
}

/// A token that is cancelled when a connection ends: the client is gone, this side closes, or the
/// server stops. See [`Peer::cancel_token`].
///
/// A cheap handle that does not keep the peer alive, for work that runs elsewhere, such as in a
/// task of the runtime. Its futures depend on no runtime, and can be used in any `select!`.
///
/// ```
/// # use std::time::Duration;
/// # use crossws_core::Peer;
/// # async fn query(_: &str) -> u32 { 7 }
/// # fn spawn(_: impl Future<Output = ()> + Send + 'static) {}
/// fn start(peer: &Peer) {
///     let token = peer.cancel_token();
///     // Such as `tokio::spawn`.
///     spawn(async move {
///         let Some(rows) = token.run_until_cancelled(query("a slow one")).await else {
///             return; // the client has gone, and the query was dropped
///         };
///         println!("{rows} rows");
///     });
/// }
/// ```
#[derive(Clone)]
pub struct CancelToken(WeakPeer);

impl CancelToken {
    /// Returns whether the connection is ending or has ended.
    pub fn is_cancelled(&self) -> bool {
        let peer = self.0.upgrade();
        peer.is_none_or(|peer| peer.state() != PeerState::Open)
    }

    /// Waits until the connection is ending, as [`Peer::closed`] does.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # async fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// let token = peer.cancel_token();
    /// token.cancelled().await;
    /// println!("the connection has ended");
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the connection.
    pub async fn cancelled(&self) {
        // Not `Peer::closed`, which would keep the peer alive.
        while let Some(listener) = self.0.upgrade().map(|peer| peer.life().ended()) {
            if self.is_cancelled() {
                return;
            }
            listener.await;
        }
    }

    /// Runs a future until the connection is ending. Returns its output, or `None` if the
    /// connection ended first: then the future is dropped.
    ///
    /// # Cancel safety
    /// Dropping it drops the future.
    pub async fn run_until_cancelled<F: Future>(&self, future: F) -> Option<F::Output> {
        let (mut cancelled, mut future) = (pin!(self.cancelled()), pin!(future));
        poll_fn(|cx| match cancelled.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => future.as_mut().poll(cx).map(Some),
        })
        .await
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken")
            .field("cancelled", &self.is_cancelled())
            .finish()
    }
}

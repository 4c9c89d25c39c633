//! What a connection leaves to be done at its end.

use crate::bounds::MaybeSend;
use crate::hub::capabilities::Capabilities;
use crate::peer::Peer;
use crate::peer::tasks::HookOutput;

/// Why something was not left to be done at a connection's end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnCloseError {
    /// The connection is over, and its hooks have run.
    #[error("the connection is over: nothing more runs at its end")]
    Closed,
    /// The connection outlives the memory that holds the future
    /// ([`Capabilities::HIBERNATION`](crate::Capabilities::HIBERNATION)): what must run there at the end
    /// belongs into the `close` hook.
    #[error(
        "the connection outlives this memory: what runs at its end belongs into the `close` hook"
    )]
    Unsupported,
}

impl Peer {
    /// Runs a future once, at the connection's end: after the `close` hook, whose peer it still has, the
    /// one that was left last first. However the connection ends, and whichever hook or task has left it.
    /// What fails in it, or panics, reaches the `error` hook.
    ///
    /// A shutdown waits for it as for the `close` hook. It is dropped without being run when the
    /// shutdown's deadline passes, or the server is dropped: what must happen even then belongs into the
    /// destructor of a value, which the future may own, or [`hold`](Self::hold) alone.
    ///
    /// ```
    /// # use crossws_core::{HookResult, Peer};
    /// # async fn leave_queue(_: String) -> Result<(), std::io::Error> { Ok(()) }
    /// async fn open(peer: &Peer) -> HookResult {
    ///     peer.on_close(leave_queue(peer.id().to_string()))?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// The future is dropped when the connection is over, or outlives this memory, as in a Durable Object.
    pub fn on_close<F>(&self, future: F) -> Result<(), OnCloseError>
    where
        F: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        if self.capabilities().contains(Capabilities::HIBERNATION) {
            return Err(OnCloseError::Unsupported);
        }
        let future = Box::pin(async { future.await.into_hook_result() });
        match self.inbox().push_cleanup(future) {
            true => Ok(()),
            false => Err(OnCloseError::Closed),
        }
    }

    /// Keeps a value until the connection's end, and drops it then: after the `close` hook, or with the
    /// connection if that never runs. In order with what [`on_close`](Self::on_close) runs.
    ///
    /// ```
    /// # use crossws_core::{HookResult, Peer};
    /// # struct Permit;
    /// # async fn permit() -> Permit { Permit }
    /// async fn open(peer: &Peer) -> HookResult {
    ///     peer.hold(permit().await)?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`on_close`](Self::on_close): the value is dropped at once.
    pub fn hold<G: MaybeSend + 'static>(&self, guard: G) -> Result<(), OnCloseError> {
        self.on_close(async move { drop(guard) })
    }
}

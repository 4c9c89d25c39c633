//! Work that a connection's hooks and tasks leave for its end.

use crate::bounds::MaybeSend;
use crate::hooks::output::HookOutput;
use crate::peer::Peer;
use crate::transport::capabilities::Capabilities;

/// Why work was not accepted for a connection's end.
///
/// ```
/// # use crossws_core::*;
/// fn count(peer: &Peer) -> Result<(), OnCloseError> {
///     peer.on_close(async { println!("one less") })
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnCloseError {
    /// The connection is over, and its hooks have run.
    #[error("the connection is over: nothing more runs at its end")]
    Closed,
    /// The connection outlives the memory that holds the future
    /// ([`Capabilities::HIBERNATION`](crate::Capabilities::HIBERNATION)): work at its end belongs
    /// into the `close` hook.
    #[error(
        "the connection outlives this memory: what runs at its end belongs into the `close` hook"
    )]
    Unsupported,
}

impl Peer {
    /// Runs a future once, at the connection's end, after the `close` hook. Several run in reverse
    /// order of their registration. A future runs however the connection ends, whichever hook or
    /// task has registered it, and may use the peer. Its failure or panic reaches the `error` hook.
    ///
    /// A shutdown waits for it as for the `close` hook. The future is dropped without running when
    /// the shutdown's deadline passes, or the server is dropped. Cleanup that must happen even then
    /// belongs into a destructor: of a value that the future owns, or of one passed to
    /// [`hold`](Self::hold).
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
    /// If the connection is over, or outlives this memory, as in a Durable Object. The future is
    /// dropped.
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

    /// Keeps a value until the connection's end, and then drops it: after the `close` hook, or with
    /// the connection if that hook never runs. It has its place in the order of
    /// [`on_close`](Self::on_close).
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

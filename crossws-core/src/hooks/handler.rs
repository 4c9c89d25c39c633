//! The second handler style: a loop that owns the connection.

mod end;
mod incoming;
pub(crate) mod running;

use crate::bounds::{BoxError, MaybeSend, MaybeSync};
use crate::hooks::Hooks;
use crate::hooks::handler::running::Loop;
use crate::loop_hooks;
use crate::message::Message;
use crate::peer::Peer;

pub use crate::hooks::handler::end::{Cleanup, HandlerEnd, keep_open, keep_open_then};
pub use crate::hooks::handler::incoming::Incoming;

/// Creates hooks from a loop that owns the connection: the second handler style.
///
/// The function runs concurrently with the connection. [`Incoming`] yields its messages and ends
/// when the connection does, whichever side ended it. The function may then finish its work, and
/// the connection counts as alive until it has. If the function returns earlier, the connection is
/// closed with 1000, unless the function returned another [`HandlerEnd`]: a code, or [`keep_open`].
/// Its error reaches the `error` hook like any other.
///
/// Values that the function owns are dropped once, however the connection ends: a guard's
/// destructor is the cleanup.
///
/// The adapter does not read ahead of the loop: a slow loop slows its client down. A loop cannot
/// survive hibernation, so it needs [`Capabilities::HANDLER`](crate::Capabilities::HANDLER). On a hub without it the
/// [`start`](Hooks::start) hook fails with [`Unsupported`](crate::Unsupported), and every client is refused.
///
/// ```
/// let echo = crossws_core::handler(|peer, mut incoming| async move {
///     while let Some(message) = incoming.next().await {
///         peer.send(message)?;
///     }
///     Ok(())
/// });
/// # let _: &dyn crossws_core::DynHooks = &echo;
/// ```
pub fn handler<F, Fut, T>(run: F) -> Handler
where
    F: Fn(Peer, Incoming) -> Fut + MaybeSend + MaybeSync + 'static,
    Fut: Future<Output = Result<T, BoxError>> + MaybeSend + 'static,
    T: Into<HandlerEnd> + 'static,
{
    Handler::new(Loop::new(run))
}

loop_hooks! {
    /// See [`handler`].
    ///
    /// A `timer` hook runs while the loop waits. In the loop itself [`Peer::sleep`] and
    /// [`Peer::interval`] keep time.
    #[must_use = "hooks do nothing until a server runs them"]
    pub struct Handler[] where [];
    impl Hooks with Peer, Message, std::convert::identity, {}
}

//! The second handler style: a loop that owns the connection.

mod end;
mod incoming;
pub(crate) mod running;

use std::fmt;

use crate::bounds::{BoxError, Callback, MaybeSend, MaybeSync};
use crate::error::Error;
use crate::hook_setters;
use crate::hooks::handler::running::Loop;
use crate::hooks::{HookResult, Hooks, OnError};
use crate::hub::Hub;
use crate::message::Message;
use crate::message::close::Closed;
use crate::peer::Peer;
use crate::upgrade::Upgrade;
use crate::upgrade::rejection::Rejection;
use crate::upgrade::request::UpgradeRequest;

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
    Handler {
        upgrade: None,
        timer: None,
        error: None,
        run: Loop::new(run),
    }
}

/// See [`handler`].
///
/// A `timer` hook runs while the loop waits. In the loop itself [`Peer::sleep`] and
/// [`Peer::interval`] keep time.
#[must_use = "hooks do nothing until a server runs them"]
pub struct Handler {
    upgrade: Option<Callback<(UpgradeRequest,), Result<Upgrade, Rejection>>>,
    timer: Option<Callback<(Peer, String), HookResult>>,
    error: Option<Callback<(Peer, Error), OnError>>,
    run: Loop<Peer, Message>,
}

impl Handler {
    hook_setters!(Hooks, Peer, Message: upgrade timer error);
}

impl Hooks for Handler {
    async fn start(&self, hub: &Hub) -> HookResult {
        self.run.start(hub)
    }

    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        match &self.upgrade {
            Some(hook) => hook((request.clone(),)).await,
            None => Ok(Upgrade::new()),
        }
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        self.run.open(peer, peer.clone())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        self.run.message(peer, message).await
    }

    async fn timer(&self, peer: &Peer, name: &str) -> HookResult {
        match &self.timer {
            Some(hook) => hook((peer.clone(), name.to_owned())).await,
            None => Ok(()),
        }
    }

    async fn close(&self, peer: &Peer, closed: Closed) -> HookResult {
        self.run.close(peer, closed).await
    }

    async fn error(&self, peer: &Peer, error: Error) -> OnError {
        match &self.error {
            Some(hook) => hook((peer.clone(), error)).await,
            None => {
                error.log(peer);
                OnError::default()
            }
        }
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handler(..)")
    }
}

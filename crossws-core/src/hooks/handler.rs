//! The second handler style: a loop that owns the connection.

mod end;
mod incoming;

use std::fmt;
use std::sync::Arc;

use crate::bounds::{BoxError, Callback, MaybeSend, MaybeSync};
use crate::error::{Error, Unsupported};
use crate::hooks::closures::{Defaults, boxed};
use crate::hooks::handler::incoming::{Channel, Over};
use crate::hooks::{HookResult, Hooks, OnError};
use crate::hub::Hub;
use crate::hub::capabilities::Capabilities;
use crate::message::Message;
use crate::message::close::Closed;
use crate::peer::Peer;
use crate::peer::tasks::HookOutput;
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
/// survive hibernation, so it needs [`Capabilities::HANDLER`]. On a hub without it the
/// [`start`](Hooks::start) hook fails with [`Unsupported`], and every client is refused.
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
        run: Box::new(move |(peer, incoming)| {
            let future = run(peer, incoming);
            Box::pin(async { future.await.map(Into::into) })
        }),
    }
}

/// See [`handler`].
#[must_use = "hooks do nothing until a server runs them"]
pub struct Handler {
    upgrade: Option<Callback<UpgradeRequest, Result<Upgrade, Rejection>>>,
    timer: Option<Callback<(Peer, String), HookResult>>,
    error: Option<Callback<(Peer, Error), OnError>>,
    run: Callback<(Peer, Incoming), Result<HandlerEnd, BoxError>>,
}

const UNSUPPORTED: Unsupported = Unsupported("a handler that owns the connection");

impl Handler {
    /// Sets [`Hooks::upgrade`].
    pub fn on_upgrade<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(UpgradeRequest) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = Result<Upgrade, Rejection>> + MaybeSend + 'static,
    {
        self.upgrade = Some(Box::new(move |request| Box::pin(hook(request))));
        self
    }

    /// Sets [`Hooks::timer`], which runs while the loop waits. In the loop itself
    /// [`Peer::sleep`] and [`Peer::interval`] keep time.
    pub fn on_timer<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Peer, String) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.timer = Some(Box::new(move |(peer, name)| boxed(hook(peer, name))));
        self
    }

    /// Sets [`Hooks::error`].
    pub fn on_error<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Peer, Error) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = OnError> + MaybeSend + 'static,
    {
        self.error = Some(Box::new(move |(peer, error)| Box::pin(hook(peer, error))));
        self
    }
}

impl Hooks for Handler {
    async fn start(&self, hub: &Hub) -> HookResult {
        match hub.supports(Capabilities::HANDLER) {
            true => Ok(()),
            false => Err(UNSUPPORTED.into()),
        }
    }

    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        match &self.upgrade {
            Some(hook) => hook(request.clone()).await,
            None => Ok(Upgrade::new()),
        }
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        // A hub may hold peers of several transports.
        if !peer.capabilities().contains(Capabilities::HANDLER) {
            return Err(UNSUPPORTED.into());
        }
        let channel = Arc::new(Channel::default());
        peer.extensions().insert(Shared(Arc::clone(&channel)));
        let over = Over(Arc::clone(&channel));
        let run = (self.run)((peer.clone(), Incoming::new(channel, peer.clone())));
        let owner = peer.clone();
        peer.spawn(async move {
            let end = run.await?;
            end.apply(&owner, &over).await
        });
        Ok(())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        if let Some(channel) = channel(peer) {
            channel.give(message).await;
        }
        Ok(())
    }

    async fn timer(&self, peer: &Peer, name: &str) -> HookResult {
        match &self.timer {
            Some(hook) => hook((peer.clone(), name.to_owned())).await,
            None => Ok(()),
        }
    }

    async fn close(&self, peer: &Peer, closed: Closed) -> HookResult {
        if let Some(channel) = channel(peer) {
            channel.end(closed);
            channel.over().await;
        }
        Ok(())
    }

    async fn error(&self, peer: &Peer, error: Error) -> OnError {
        match &self.error {
            Some(hook) => hook((peer.clone(), error)).await,
            None => Defaults.error(peer, error).await,
        }
    }
}

/// Returns the connection's channel, which `open` created.
fn channel(peer: &Peer) -> Option<Arc<Channel>> {
    let shared = peer.extensions().get::<Shared>()?;
    Some(Arc::clone(&shared.0))
}

/// The value that `open` stores in the peer's extensions. A private type, so that it never collides
/// with a user's value.
struct Shared(Arc<Channel>);

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handler(..)")
    }
}

use std::fmt;

use bytes::Bytes;

use crate::bounds::{Callback, MaybeSend, MaybeSync};
use crate::error::Error;
use crate::hooks::notice::{Dropped, Subscription};
use crate::hooks::{HookResult, Hooks, OnError};
use crate::hub::Hub;
use crate::message::Message;
use crate::message::close::Closed;
use crate::peer::Peer;
use crate::peer::tasks::HookOutput;
use crate::upgrade::Upgrade;
use crate::upgrade::rejection::Rejection;
use crate::upgrade::request::UpgradeRequest;

/// Creates hooks from closures, for small apps and tests.
///
/// Closures take an owned [`Peer`] and return nothing or a `Result`. Each call boxes its future; if
/// that matters, implement [`Hooks`] for a type instead.
///
/// ```
/// let echo = crossws_core::hooks()
///     .on_open(|peer| async move { peer.send("welcome").map(drop) })
///     .on_message(|peer, message| async move { peer.send(message) });
/// # let _: &dyn crossws_core::DynHooks = &echo;
/// ```
pub fn hooks() -> HooksBuilder {
    HooksBuilder::default()
}

/// See [`hooks`].
#[derive(Default)]
#[must_use = "hooks do nothing until a server runs them"]
pub struct HooksBuilder {
    start: Option<Callback<Hub, HookResult>>,
    upgrade: Option<Callback<UpgradeRequest, Result<Upgrade, Rejection>>>,
    open: Option<Callback<Peer, HookResult>>,
    message: Option<Callback<(Peer, Message), HookResult>>,
    drain: Option<Callback<Peer, HookResult>>,
    ping: Option<Callback<(Peer, Bytes), HookResult>>,
    pong: Option<Callback<(Peer, Bytes), HookResult>>,
    subscription: Option<Callback<(Peer, Subscription), HookResult>>,
    dropped: Option<Callback<(Peer, Dropped), HookResult>>,
    timer: Option<Callback<(Peer, String), HookResult>>,
    close: Option<Callback<(Peer, Closed), HookResult>>,
    error: Option<Callback<(Peer, Error), OnError>>,
}

impl HooksBuilder {
    /// Sets [`Hooks::start`].
    pub fn on_start<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Hub) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.start = Some(Box::new(move |hub| boxed(hook(hub))));
        self
    }

    /// Sets [`Hooks::upgrade`].
    pub fn on_upgrade<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(UpgradeRequest) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = Result<Upgrade, Rejection>> + MaybeSend + 'static,
    {
        self.upgrade = Some(Box::new(move |request| Box::pin(hook(request))));
        self
    }

    /// Sets [`Hooks::open`].
    pub fn on_open<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Peer) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.open = Some(Box::new(move |peer| boxed(hook(peer))));
        self
    }

    /// Sets [`Hooks::message`].
    pub fn on_message<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Peer, Message) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.message = Some(Box::new(move |(peer, message)| boxed(hook(peer, message))));
        self
    }

    /// Sets [`Hooks::drain`].
    pub fn on_drain<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Peer) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.drain = Some(Box::new(move |peer| boxed(hook(peer))));
        self
    }

    /// Sets [`Hooks::ping`].
    pub fn on_ping<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Peer, Bytes) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.ping = Some(Box::new(move |(peer, data)| boxed(hook(peer, data))));
        self
    }

    /// Sets [`Hooks::pong`].
    pub fn on_pong<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Peer, Bytes) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.pong = Some(Box::new(move |(peer, data)| boxed(hook(peer, data))));
        self
    }

    /// Sets [`Hooks::subscription`].
    pub fn on_subscription<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Peer, Subscription) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.subscription = Some(Box::new(move |(peer, event)| boxed(hook(peer, event))));
        self
    }

    /// Sets [`Hooks::dropped`].
    pub fn on_dropped<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Peer, Dropped) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.dropped = Some(Box::new(move |(peer, dropped)| boxed(hook(peer, dropped))));
        self
    }

    /// Sets [`Hooks::timer`].
    pub fn on_timer<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Peer, String) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.timer = Some(Box::new(move |(peer, name)| boxed(hook(peer, name))));
        self
    }

    /// Sets [`Hooks::close`].
    pub fn on_close<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Peer, Closed) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.close = Some(Box::new(move |(peer, closed)| boxed(hook(peer, closed))));
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

pub(crate) fn boxed<Fut>(future: Fut) -> crate::BoxFuture<'static, HookResult>
where
    Fut: Future<Output: HookOutput> + MaybeSend + 'static,
{
    Box::pin(async { future.await.into_hook_result() })
}

/// The default of a hook that was not set is the trait's own.
pub(crate) struct Defaults;
impl Hooks for Defaults {}

impl Hooks for HooksBuilder {
    async fn start(&self, hub: &Hub) -> HookResult {
        match &self.start {
            Some(hook) => hook(hub.clone()).await,
            None => Ok(()),
        }
    }

    async fn subscription(&self, peer: &Peer, subscription: Subscription) -> HookResult {
        match &self.subscription {
            Some(hook) => hook((peer.clone(), subscription)).await,
            None => Ok(()),
        }
    }

    async fn dropped(&self, peer: &Peer, dropped: Dropped) -> HookResult {
        match &self.dropped {
            Some(hook) => hook((peer.clone(), dropped)).await,
            None => Ok(()),
        }
    }

    async fn timer(&self, peer: &Peer, name: &str) -> HookResult {
        match &self.timer {
            Some(hook) => hook((peer.clone(), name.to_owned())).await,
            None => Ok(()),
        }
    }

    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        match &self.upgrade {
            Some(hook) => hook(request.clone()).await,
            None => Defaults.upgrade(request).await,
        }
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        match &self.open {
            Some(hook) => hook(peer.clone()).await,
            None => Ok(()),
        }
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        match &self.message {
            Some(hook) => hook((peer.clone(), message)).await,
            None => Ok(()),
        }
    }

    async fn drain(&self, peer: &Peer) -> HookResult {
        match &self.drain {
            Some(hook) => hook(peer.clone()).await,
            None => Ok(()),
        }
    }

    async fn ping(&self, peer: &Peer, data: Bytes) -> HookResult {
        match &self.ping {
            Some(hook) => hook((peer.clone(), data)).await,
            None => Ok(()),
        }
    }

    async fn pong(&self, peer: &Peer, data: Bytes) -> HookResult {
        match &self.pong {
            Some(hook) => hook((peer.clone(), data)).await,
            None => Ok(()),
        }
    }

    async fn close(&self, peer: &Peer, closed: Closed) -> HookResult {
        match &self.close {
            Some(hook) => hook((peer.clone(), closed)).await,
            None => Ok(()),
        }
    }

    async fn error(&self, peer: &Peer, error: Error) -> OnError {
        match &self.error {
            Some(hook) => hook((peer.clone(), error)).await,
            None => Defaults.error(peer, error).await,
        }
    }
}

impl fmt::Debug for HooksBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HooksBuilder(..)")
    }
}

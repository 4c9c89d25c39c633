use std::any::Any;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::bounds::{BoxFuture, MaybeSend, MaybeSync};
use crate::error::Error;
use crate::hooks::forward_hooks;
use crate::hooks::notice::{Dropped, Subscription};
use crate::hooks::{HookResult, Hooks, OnError};
use crate::hub::Hub;
use crate::message::Message;
use crate::message::close::Closed;
use crate::peer::Peer;
use crate::upgrade::Upgrade;
use crate::upgrade::rejection::Rejection;
use crate::upgrade::request::UpgradeRequest;

/// Hooks with an erased type: `Arc<dyn DynHooks>` is itself [`Hooks`].
///
/// For routers and plugin tables that hold several kinds. Every call boxes its future, a cost that
/// only users of this trait pay. The trait is implemented for all hooks, and cannot be implemented
/// by hand.
pub trait DynHooks: MaybeSend + MaybeSync + 'static {
    /// [`Hooks::start`], boxed.
    fn start_dyn<'a>(&'a self, hub: &'a Hub) -> BoxFuture<'a, HookResult>;
    /// [`Hooks::upgrade`], boxed.
    fn upgrade_dyn<'a>(
        &'a self,
        request: &'a UpgradeRequest,
    ) -> BoxFuture<'a, Result<Upgrade, Rejection>>;
    /// [`Hooks::open`], boxed.
    fn open_dyn<'a>(&'a self, peer: &'a Peer) -> BoxFuture<'a, HookResult>;
    /// [`Hooks::message`], boxed.
    fn message_dyn<'a>(&'a self, peer: &'a Peer, message: Message) -> BoxFuture<'a, HookResult>;
    /// [`Hooks::drain`], boxed.
    fn drain_dyn<'a>(&'a self, peer: &'a Peer) -> BoxFuture<'a, HookResult>;
    /// [`Hooks::ping`], boxed.
    fn ping_dyn<'a>(&'a self, peer: &'a Peer, data: Bytes) -> BoxFuture<'a, HookResult>;
    /// [`Hooks::pong`], boxed.
    fn pong_dyn<'a>(&'a self, peer: &'a Peer, data: Bytes) -> BoxFuture<'a, HookResult>;
    /// [`Hooks::subscription`], boxed.
    fn subscription_dyn<'a>(
        &'a self,
        peer: &'a Peer,
        subscription: Subscription,
    ) -> BoxFuture<'a, HookResult>;
    /// [`Hooks::dropped`], boxed.
    fn dropped_dyn<'a>(&'a self, peer: &'a Peer, dropped: Dropped) -> BoxFuture<'a, HookResult>;
    /// [`Hooks::timer`], boxed.
    fn timer_dyn<'a>(&'a self, peer: &'a Peer, name: &'a str) -> BoxFuture<'a, HookResult>;
    /// [`Hooks::close`], boxed.
    fn close_dyn<'a>(&'a self, peer: &'a Peer, closed: Closed) -> BoxFuture<'a, HookResult>;
    /// [`Hooks::error`], boxed.
    fn error_dyn<'a>(&'a self, peer: &'a Peer, error: Error) -> BoxFuture<'a, OnError>;
}

/// Shared hooks with an erased type, as a named type. A router holds them, and wrappers around
/// hooks are best built on them: inside generic futures the compiler can prove less about `dyn
/// DynHooks` than about this type.
///
/// ```
/// # use crossws_core::*;
/// let chosen = match std::env::var_os("QUIET") {
///     Some(_) => SharedHooks::new(hooks()),
///     None => SharedHooks::new(hooks().on_open(|peer| async move { peer.send("welcome") })),
/// };
/// ```
#[derive(Clone)]
pub struct SharedHooks(Arc<dyn DynHooks>);

impl SharedHooks {
    /// Erases the type of these hooks.
    pub fn new(hooks: impl Hooks) -> Self {
        Self(Arc::new(hooks))
    }

    /// Erases the type of hooks. Erased hooks stay as they are: each further layer would box every
    /// call's future again.
    pub(crate) fn erase<H: Hooks + ?Sized>(hooks: Arc<H>) -> Arc<dyn DynHooks> {
        let any = &hooks as &dyn Any;
        if let Some(shared) = any.downcast_ref::<Arc<Self>>() {
            return Arc::clone(&shared.0);
        }
        if let Some(erased) = any.downcast_ref::<Arc<dyn DynHooks>>() {
            return Arc::clone(erased);
        }
        Arc::new(hooks)
    }
}

impl From<Arc<dyn DynHooks>> for SharedHooks {
    fn from(hooks: Arc<dyn DynHooks>) -> Self {
        Self(hooks)
    }
}

impl fmt::Debug for SharedHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedHooks(..)")
    }
}

impl Hooks for SharedHooks {
    forward_hooks!(self => Erased(&*self.0));
}

impl<H: Hooks> DynHooks for H {
    fn start_dyn<'a>(&'a self, hub: &'a Hub) -> BoxFuture<'a, HookResult> {
        Box::pin(self.start(hub))
    }
    fn subscription_dyn<'a>(
        &'a self,
        peer: &'a Peer,
        subscription: Subscription,
    ) -> BoxFuture<'a, HookResult> {
        Box::pin(self.subscription(peer, subscription))
    }
    fn dropped_dyn<'a>(&'a self, peer: &'a Peer, dropped: Dropped) -> BoxFuture<'a, HookResult> {
        Box::pin(self.dropped(peer, dropped))
    }
    fn timer_dyn<'a>(&'a self, peer: &'a Peer, name: &'a str) -> BoxFuture<'a, HookResult> {
        Box::pin(self.timer(peer, name))
    }
    fn upgrade_dyn<'a>(
        &'a self,
        request: &'a UpgradeRequest,
    ) -> BoxFuture<'a, Result<Upgrade, Rejection>> {
        Box::pin(self.upgrade(request))
    }
    fn open_dyn<'a>(&'a self, peer: &'a Peer) -> BoxFuture<'a, HookResult> {
        Box::pin(self.open(peer))
    }
    fn message_dyn<'a>(&'a self, peer: &'a Peer, message: Message) -> BoxFuture<'a, HookResult> {
        Box::pin(self.message(peer, message))
    }
    fn drain_dyn<'a>(&'a self, peer: &'a Peer) -> BoxFuture<'a, HookResult> {
        Box::pin(self.drain(peer))
    }
    fn ping_dyn<'a>(&'a self, peer: &'a Peer, data: Bytes) -> BoxFuture<'a, HookResult> {
        Box::pin(self.ping(peer, data))
    }
    fn pong_dyn<'a>(&'a self, peer: &'a Peer, data: Bytes) -> BoxFuture<'a, HookResult> {
        Box::pin(self.pong(peer, data))
    }
    fn close_dyn<'a>(&'a self, peer: &'a Peer, closed: Closed) -> BoxFuture<'a, HookResult> {
        Box::pin(self.close(peer, closed))
    }
    fn error_dyn<'a>(&'a self, peer: &'a Peer, error: Error) -> BoxFuture<'a, OnError> {
        Box::pin(self.error(peer, error))
    }
}

/// The boxed methods under the names that `forward_hooks` calls.
struct Erased<'a>(&'a dyn DynHooks);

impl<'a> Erased<'a> {
    fn start(&self, hub: &'a Hub) -> BoxFuture<'a, HookResult> {
        self.0.start_dyn(hub)
    }
    fn subscription(&self, peer: &'a Peer, event: Subscription) -> BoxFuture<'a, HookResult> {
        self.0.subscription_dyn(peer, event)
    }
    fn dropped(&self, peer: &'a Peer, dropped: Dropped) -> BoxFuture<'a, HookResult> {
        self.0.dropped_dyn(peer, dropped)
    }
    fn timer(&self, peer: &'a Peer, name: &'a str) -> BoxFuture<'a, HookResult> {
        self.0.timer_dyn(peer, name)
    }
    fn upgrade(&self, request: &'a UpgradeRequest) -> BoxFuture<'a, Result<Upgrade, Rejection>> {
        self.0.upgrade_dyn(request)
    }
    fn open(&self, peer: &'a Peer) -> BoxFuture<'a, HookResult> {
        self.0.open_dyn(peer)
    }
    fn message(&self, peer: &'a Peer, message: Message) -> BoxFuture<'a, HookResult> {
        self.0.message_dyn(peer, message)
    }
    fn drain(&self, peer: &'a Peer) -> BoxFuture<'a, HookResult> {
        self.0.drain_dyn(peer)
    }
    fn ping(&self, peer: &'a Peer, data: Bytes) -> BoxFuture<'a, HookResult> {
        self.0.ping_dyn(peer, data)
    }
    fn pong(&self, peer: &'a Peer, data: Bytes) -> BoxFuture<'a, HookResult> {
        self.0.pong_dyn(peer, data)
    }
    fn close(&self, peer: &'a Peer, closed: Closed) -> BoxFuture<'a, HookResult> {
        self.0.close_dyn(peer, closed)
    }
    fn error(&self, peer: &'a Peer, error: Error) -> BoxFuture<'a, OnError> {
        self.0.error_dyn(peer, error)
    }
}

impl Hooks for dyn DynHooks {
    forward_hooks!(self => Erased(self));
}

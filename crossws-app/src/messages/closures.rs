use std::fmt;

use crossws_core::{
    BoxFuture, Bytes, Closed, Dropped, Error, HookOutput, HookResult, Hub, MaybeSend, MaybeSync,
    OnError, Rejection, Subscription, Upgrade, UpgradeRequest,
};

use crate::messages::peer::TypedPeer;
use crate::messages::typed::Typed;

/// Builds a [`Typed`] application from closures, for small apps and tests. The closures' arguments
/// name the message types.
///
/// ```
/// use crossws_app::{TypedPeer, messages, typed};
///
/// let sums = typed(
///     messages()
///         .on_message(|peer: TypedPeer<i64>, (a, b): (i64, i64)| async move { peer.send(a + b) }),
/// );
/// # fn takes(_: impl crossws_core::Hooks) {} takes(sums);
/// ```
pub fn messages<In, Out>() -> Messages<In, Out> {
    Messages {
        start: None,
        upgrade: None,
        open: None,
        message: None,
        drain: None,
        ping: None,
        pong: None,
        subscription: None,
        dropped: None,
        timer: None,
        close: None,
        error: None,
    }
}

/// See [`messages`].
#[must_use = "a typed application does nothing until `typed` makes hooks of it"]
pub struct Messages<In, Out> {
    start: Option<Hook<Hub, HookResult>>,
    upgrade: Option<Hook<UpgradeRequest, Result<Upgrade, Rejection>>>,
    open: Option<Hook<TypedPeer<Out>, HookResult>>,
    message: Option<Hook<(TypedPeer<Out>, In), HookResult>>,
    drain: Option<Hook<TypedPeer<Out>, HookResult>>,
    ping: Option<Hook<(TypedPeer<Out>, Bytes), HookResult>>,
    pong: Option<Hook<(TypedPeer<Out>, Bytes), HookResult>>,
    subscription: Option<Hook<(TypedPeer<Out>, Subscription), HookResult>>,
    dropped: Option<Hook<(TypedPeer<Out>, Dropped), HookResult>>,
    timer: Option<Hook<(TypedPeer<Out>, String), HookResult>>,
    close: Option<Hook<(TypedPeer<Out>, Closed), HookResult>>,
    error: Option<Hook<(TypedPeer<Out>, Error), OnError>>,
}

type Hook<A, R> = Box<dyn Callback<A, R>>;

/// A boxed closure of a hook.
trait Callback<A, R>: MaybeSend + MaybeSync + 'static {
    fn call(&self, argument: A) -> BoxFuture<'static, R>;
}

impl<F, A, R> Callback<A, R> for F
where
    F: Fn(A) -> BoxFuture<'static, R> + MaybeSend + MaybeSync + 'static,
{
    fn call(&self, argument: A) -> BoxFuture<'static, R> {
        self(argument)
    }
}

impl<In: MaybeSend + 'static, Out: 'static> Messages<In, Out> {
    /// Sets [`Typed::start`].
    pub fn on_start<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Hub) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.start = Some(Box::new(move |hub| boxed(hook(hub))));
        self
    }

    /// Sets [`Typed::upgrade`].
    pub fn on_upgrade<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(UpgradeRequest) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = Result<Upgrade, Rejection>> + MaybeSend + 'static,
    {
        let call = move |request| -> BoxFuture<'static, _> { Box::pin(hook(request)) };
        self.upgrade = Some(Box::new(call));
        self
    }

    /// Sets [`Typed::open`].
    pub fn on_open<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(TypedPeer<Out>) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.open = Some(Box::new(move |peer| boxed(hook(peer))));
        self
    }

    /// Sets [`Typed::message`].
    pub fn on_message<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(TypedPeer<Out>, In) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.message = Some(Box::new(move |(peer, message)| boxed(hook(peer, message))));
        self
    }

    /// Sets [`Typed::drain`].
    pub fn on_drain<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(TypedPeer<Out>) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.drain = Some(Box::new(move |peer| boxed(hook(peer))));
        self
    }

    /// Sets [`Typed::ping`].
    pub fn on_ping<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(TypedPeer<Out>, Bytes) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.ping = Some(Box::new(move |(peer, data)| boxed(hook(peer, data))));
        self
    }

    /// Sets [`Typed::pong`].
    pub fn on_pong<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(TypedPeer<Out>, Bytes) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.pong = Some(Box::new(move |(peer, data)| boxed(hook(peer, data))));
        self
    }

    /// Sets [`Typed::subscription`].
    pub fn on_subscription<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(TypedPeer<Out>, Subscription) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.subscription = Some(Box::new(move |(peer, event)| boxed(hook(peer, event))));
        self
    }

    /// Sets [`Typed::dropped`].
    pub fn on_dropped<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(TypedPeer<Out>, Dropped) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.dropped = Some(Box::new(move |(peer, dropped)| boxed(hook(peer, dropped))));
        self
    }

    /// Sets [`Typed::timer`].
    pub fn on_timer<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(TypedPeer<Out>, String) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.timer = Some(Box::new(move |(peer, name)| boxed(hook(peer, name))));
        self
    }

    /// Sets [`Typed::close`].
    pub fn on_close<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(TypedPeer<Out>, Closed) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.close = Some(Box::new(move |(peer, closed)| boxed(hook(peer, closed))));
        self
    }

    /// Sets [`Typed::error`].
    pub fn on_error<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(TypedPeer<Out>, Error) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = OnError> + MaybeSend + 'static,
    {
        let call = move |(peer, error)| -> BoxFuture<'static, _> { Box::pin(hook(peer, error)) };
        self.error = Some(Box::new(call));
        self
    }
}

fn boxed<Fut>(future: Fut) -> BoxFuture<'static, HookResult>
where
    Fut: Future<Output: HookOutput> + MaybeSend + 'static,
{
    Box::pin(async { future.await.into_hook_result() })
}

impl<In: MaybeSend + 'static, Out: 'static> Typed for Messages<In, Out> {
    type In = In;
    type Out = Out;

    async fn start(&self, hub: &Hub) -> HookResult {
        match &self.start {
            Some(hook) => hook.call(hub.clone()).await,
            None => Ok(()),
        }
    }

    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        match &self.upgrade {
            Some(hook) => hook.call(request.clone()).await,
            None => Ok(Upgrade::new()),
        }
    }

    async fn open(&self, peer: &TypedPeer<Out>) -> HookResult {
        match &self.open {
            Some(hook) => hook.call(peer.clone()).await,
            None => Ok(()),
        }
    }

    async fn message(&self, peer: &TypedPeer<Out>, message: In) -> HookResult {
        match &self.message {
            Some(hook) => hook.call((peer.clone(), message)).await,
            None => Ok(()),
        }
    }

    async fn drain(&self, peer: &TypedPeer<Out>) -> HookResult {
        match &self.drain {
            Some(hook) => hook.call(peer.clone()).await,
            None => Ok(()),
        }
    }

    async fn ping(&self, peer: &TypedPeer<Out>, data: Bytes) -> HookResult {
        match &self.ping {
            Some(hook) => hook.call((peer.clone(), data)).await,
            None => Ok(()),
        }
    }

    async fn pong(&self, peer: &TypedPeer<Out>, data: Bytes) -> HookResult {
        match &self.pong {
            Some(hook) => hook.call((peer.clone(), data)).await,
            None => Ok(()),
        }
    }

    async fn subscription(&self, peer: &TypedPeer<Out>, event: Subscription) -> HookResult {
        match &self.subscription {
            Some(hook) => hook.call((peer.clone(), event)).await,
            None => Ok(()),
        }
    }

    async fn dropped(&self, peer: &TypedPeer<Out>, dropped: Dropped) -> HookResult {
        match &self.dropped {
            Some(hook) => hook.call((peer.clone(), dropped)).await,
            None => Ok(()),
        }
    }

    async fn timer(&self, peer: &TypedPeer<Out>, name: &str) -> HookResult {
        match &self.timer {
            Some(hook) => hook.call((peer.clone(), name.to_owned())).await,
            None => Ok(()),
        }
    }

    async fn close(&self, peer: &TypedPeer<Out>, closed: Closed) -> HookResult {
        match &self.close {
            Some(hook) => hook.call((peer.clone(), closed)).await,
            None => Ok(()),
        }
    }

    async fn error(&self, peer: &TypedPeer<Out>, error: Error) -> OnError {
        match &self.error {
            Some(hook) => hook.call((peer.clone(), error)).await,
            None => {
                error.log(peer.untyped());
                OnError::default()
            }
        }
    }
}

impl<In, Out> fmt::Debug for Messages<In, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Messages(..)")
    }
}

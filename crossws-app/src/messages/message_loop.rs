use std::fmt;

use crossws_core::adapter::{Callback, Loop};
use crossws_core::{
    BoxError, Closed, Error, HandlerEnd, HookResult, Hub, Incoming, MaybeSend, MaybeSync, OnError,
    Rejection, Upgrade, UpgradeRequest, hook_setters,
};

use crate::messages::peer::TypedPeer;
use crate::messages::typed::Typed;

/// Builds a [`Typed`] application from a loop that owns its connection: the typed form of
/// [`handler`](crossws_core::handler), whose rules hold for it too. The function's arguments name the
/// message types. It gets decoded messages, and its peer sends and publishes only `Out`, in the
/// format of each client.
///
/// The hooks that [`typed`](crate::typed) makes of it decode each message, and decide what happens to
/// a client whose message is malformed.
///
/// ```
/// use crossws_app::{OnMalformed, TypedPeer, message_loop, typed};
/// use crossws_core::Incoming;
///
/// let sums = message_loop(|peer: TypedPeer<i64>, mut numbers: Incoming<i64>| async move {
///     let mut sum = 0;
///     while let Some(number) = numbers.next().await {
///         sum += number;
///         peer.send(sum)?;
///     }
///     Ok(())
/// });
/// let hooks = typed(sums).on_malformed(OnMalformed::Reply);
/// # fn takes(_: impl crossws_core::Hooks) {} takes(hooks);
/// ```
pub fn message_loop<In, Out, F, Fut, T>(run: F) -> MessageLoop<In, Out>
where
    In: MaybeSend + 'static,
    Out: 'static,
    F: Fn(TypedPeer<Out>, Incoming<In>) -> Fut + MaybeSend + MaybeSync + 'static,
    Fut: Future<Output = Result<T, BoxError>> + MaybeSend + 'static,
    T: Into<HandlerEnd> + 'static,
{
    MessageLoop {
        upgrade: None,
        timer: None,
        error: None,
        run: Loop::new(run),
    }
}

/// See [`message_loop`].
#[must_use = "a typed application does nothing until `typed` makes hooks of it"]
pub struct MessageLoop<In, Out> {
    upgrade: Option<Callback<(UpgradeRequest,), Result<Upgrade, Rejection>>>,
    timer: Option<Callback<(TypedPeer<Out>, String), HookResult>>,
    error: Option<Callback<(TypedPeer<Out>, Error), OnError>>,
    run: Loop<TypedPeer<Out>, In>,
}

impl<In: MaybeSend + 'static, Out: 'static> MessageLoop<In, Out> {
    hook_setters!(Typed, TypedPeer<Out>, In: upgrade timer error);
}

impl<In: MaybeSend + 'static, Out: 'static> Typed for MessageLoop<In, Out> {
    type In = In;
    type Out = Out;

    async fn start(&self, hub: &Hub) -> HookResult {
        self.run.start(hub)
    }

    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        match &self.upgrade {
            Some(hook) => hook((request.clone(),)).await,
            None => Ok(Upgrade::new()),
        }
    }

    async fn open(&self, peer: &TypedPeer<Out>) -> HookResult {
        self.run.open(peer.untyped(), peer.clone())
    }

    async fn message(&self, peer: &TypedPeer<Out>, message: In) -> HookResult {
        self.run.message(peer.untyped(), message).await
    }

    async fn timer(&self, peer: &TypedPeer<Out>, name: &str) -> HookResult {
        match &self.timer {
            Some(hook) => hook((peer.clone(), name.to_owned())).await,
            None => Ok(()),
        }
    }

    async fn close(&self, peer: &TypedPeer<Out>, closed: Closed) -> HookResult {
        self.run.close(peer.untyped(), closed).await
    }

    async fn error(&self, peer: &TypedPeer<Out>, error: Error) -> OnError {
        match &self.error {
            Some(hook) => hook((peer.clone(), error)).await,
            None => {
                error.log(peer.untyped());
                OnError::default()
            }
        }
    }
}

impl<In, Out> fmt::Debug for MessageLoop<In, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageLoop(..)")
    }
}

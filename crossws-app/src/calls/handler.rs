use std::marker::PhantomData;

use crossws_core::{
    BoxError, BoxFuture, DecodeError, HookOutput, HookResult, MaybeSend, MaybeSync, Peer,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An event without a handler, as the catch-all gets it: see
/// [`Calls::any_event`](crate::calls::Calls::any_event).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// The event's name.
    pub name: String,
    /// The event's payload; null if it has none.
    pub payload: Value,
}

/// A function that answers calls: `async |peer: Peer, args: Args| -> Result<T, E>`. `serde` reads
/// the arguments: a struct from an object, a tuple from a list. See [`calls`](crate::calls::calls).
///
/// Implemented for all such functions, and not by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot answer calls",
    label = "expected `|peer: Peer, args: Args| async move {{ .. }}`, which returns `Result<T, E>`",
    note = "`Args` must implement `serde::Deserialize` and `T` `serde::Serialize`; `E` must convert into `BoxError`"
)]
pub trait MethodHandler<Args>: MaybeSend + MaybeSync + 'static {
    /// Runs the method.
    fn call(&self, peer: Peer, args: Args) -> BoxFuture<'static, Result<Value, BoxError>>;
}

impl<F, Fut, Args, T, E> MethodHandler<Args> for F
where
    F: Fn(Peer, Args) -> Fut + MaybeSend + MaybeSync + 'static,
    Fut: Future<Output = Result<T, E>> + MaybeSend + 'static,
    T: Serialize,
    E: Into<BoxError>,
{
    fn call(&self, peer: Peer, args: Args) -> BoxFuture<'static, Result<Value, BoxError>> {
        let future = self(peer, args);
        Box::pin(async { Ok(serde_json::to_value(future.await.map_err(Into::into)?)?) })
    }
}

/// A [`MethodHandler`] whose result has a schema: see
/// [`Calls::described`](crate::calls::Calls::described).
///
/// Implemented for all such functions, and not by hand.
#[cfg(feature = "schema")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot answer described calls",
    label = "expected `|peer: Peer, args: Args| async move {{ .. }}`, which returns `Result<T, E>`",
    note = "derive `schemars::JsonSchema` for `Args` and `T`, or register it with `method`"
)]
pub trait DescribedMethod<Args>: MethodHandler<Args> {
    /// The type of the result.
    type Output: schemars::JsonSchema;
}

#[cfg(feature = "schema")]
impl<F, Fut, Args, T, E> DescribedMethod<Args> for F
where
    F: Fn(Peer, Args) -> Fut + MaybeSend + MaybeSync + 'static,
    Fut: Future<Output = Result<T, E>> + MaybeSend + 'static,
    T: Serialize + schemars::JsonSchema,
    E: Into<BoxError>,
{
    type Output = T;
}

/// A function that handles an event: `async |peer: Peer, payload: Payload|`, which returns nothing
/// or a `Result`. See [`calls`](crate::calls::calls).
///
/// Implemented for all such functions, and not by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot hear events",
    label = "expected `|peer: Peer, payload: Payload| async move {{ .. }}`"
)]
pub trait EventHandler<Payload>: MaybeSend + MaybeSync + 'static {
    /// Handles an event.
    fn hear(&self, peer: Peer, payload: Payload) -> BoxFuture<'static, HookResult>;
}

impl<F, Fut, Payload> EventHandler<Payload> for F
where
    F: Fn(Peer, Payload) -> Fut + MaybeSend + MaybeSync + 'static,
    Fut: Future<Output: HookOutput> + MaybeSend + 'static,
{
    fn hear(&self, peer: Peer, payload: Payload) -> BoxFuture<'static, HookResult> {
        let future = self(peer, payload);
        Box::pin(async { future.await.into_hook_result() })
    }
}

/// A handler with erased types. Returns `Err` for arguments that do not fit.
pub(super) trait AnyHandler<T>: MaybeSend + MaybeSync + 'static {
    fn handle(&self, peer: &Peer, value: Value) -> Result<BoxFuture<'static, T>, DecodeError>;
}

pub(super) struct Handler<H, A>(H, PhantomData<fn() -> A>);

impl<H, A> Handler<H, A> {
    pub(super) fn new(handler: H) -> Self {
        Self(handler, PhantomData)
    }
}

impl<H, A> AnyHandler<Result<Value, BoxError>> for Handler<H, A>
where
    H: MethodHandler<A>,
    A: DeserializeOwned + 'static,
{
    fn handle(
        &self,
        peer: &Peer,
        args: Value,
    ) -> Result<BoxFuture<'static, Result<Value, BoxError>>, DecodeError> {
        let args = A::deserialize(args).map_err(DecodeError::new)?;
        Ok(self.0.call(peer.clone(), args))
    }
}

/// See [`Handler`].
pub(super) struct Hearer<H, A>(H, PhantomData<fn() -> A>);

impl<H, A> Hearer<H, A> {
    pub(super) fn new(handler: H) -> Self {
        Self(handler, PhantomData)
    }
}

impl<H, A> AnyHandler<HookResult> for Hearer<H, A>
where
    H: EventHandler<A>,
    A: DeserializeOwned + 'static,
{
    fn handle(
        &self,
        peer: &Peer,
        payload: Value,
    ) -> Result<BoxFuture<'static, HookResult>, DecodeError> {
        let payload = A::deserialize(payload).map_err(DecodeError::new)?;
        Ok(self.0.hear(peer.clone(), payload))
    }
}

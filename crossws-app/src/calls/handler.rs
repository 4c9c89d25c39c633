use crossws_core::adapter::Function;
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

/// A handler with erased types. It returns `Err` for arguments that do not fit.
pub(super) type AnyHandler<T> =
    dyn for<'a> Function<(&'a Peer, Value), Result<BoxFuture<'static, T>, DecodeError>>;

/// Erases the type of what a handler takes.
pub(super) fn any_handler<A, T>(
    handle: impl Fn(Peer, A) -> BoxFuture<'static, T> + MaybeSend + MaybeSync + 'static,
) -> Box<AnyHandler<T>>
where
    A: DeserializeOwned + 'static,
    T: 'static,
{
    Box::new(move |(peer, value): (&Peer, Value)| {
        let value = A::deserialize(value).map_err(DecodeError::new);
        value.map(|value| handle(peer.clone(), value))
    })
}

use crossws_core::adapter::Loop;
use crossws_core::{BoxError, HandlerEnd, Incoming, MaybeSend, MaybeSync, loop_hooks};

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
    MessageLoop::new(Loop::new(run))
}

loop_hooks! {
    /// See [`message_loop`].
    #[must_use = "a typed application does nothing until `typed` makes hooks of it"]
    pub struct MessageLoop[In, Out] where [In: MaybeSend + 'static, Out: 'static];
    impl Typed with TypedPeer<Out>, In, TypedPeer::untyped, {
        type In = In;
        type Out = Out;
    }
}

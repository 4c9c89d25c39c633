use crossws_core::{MaybeSend, closure_hooks};

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
    Messages::default()
}

closure_hooks! {
    /// See [`messages`].
    #[must_use = "a typed application does nothing until `typed` makes hooks of it"]
    pub struct Messages[In, Out] where [In: MaybeSend + 'static, Out: 'static];
    impl Typed with TypedPeer<Out>, In, TypedPeer::untyped, {
        type In = In;
        type Out = Out;
    }
}

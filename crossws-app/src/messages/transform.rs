use std::sync::Arc;

use crossws_core::adapter::Function;
use crossws_core::{
    BoxError, HookResult, Hooks, MaybeSend, MaybeSync, Message, Peer, Wrap, Wrapped, opaque_debug,
    wrap,
};

use crate::messages::malformed::{Malformed, OnMalformed};

/// A function from messages to messages.
pub(crate) type Transform = dyn Function<Message, Result<Message, BoxError>>;

/// Erases the type of a transform and of its error.
pub(super) fn any_transform<F, E>(transform: F) -> Arc<Transform>
where
    F: Fn(Message) -> Result<Message, E> + MaybeSend + MaybeSync + 'static,
    E: Into<BoxError> + 'static,
{
    Arc::new(move |message| -> Result<_, BoxError> { transform(message).map_err(Into::into) })
}

/// Wraps hooks so that their `message` hook gets what a function returns for each message. A
/// message that the function refuses closes the connection with 1007.
///
/// ```
/// use crossws_app::transform;
/// use crossws_core::{BoxError, Message, hooks};
///
/// let app = transform(
///     hooks().on_message(|peer, message| async move { peer.send(message) }),
///     |message| Ok::<Message, BoxError>(message.text()?.to_uppercase().into()),
/// );
/// # fn takes(_: impl crossws_core::Hooks) {} takes(app);
/// ```
///
/// To transform messages to the client, use [typed](crate::typed) hooks: see
/// [`TypedHooks::outgoing`](crate::TypedHooks::outgoing).
pub fn transform<H, F, E>(hooks: H, incoming: F) -> Wrapped<Transformed<H>>
where
    H: Hooks,
    F: Fn(Message) -> Result<Message, E> + MaybeSend + MaybeSync + 'static,
    E: Into<BoxError> + 'static,
{
    let incoming = any_transform(incoming);
    wrap(Transformed { hooks, incoming })
}

/// See [`transform`].
pub struct Transformed<H> {
    hooks: H,
    incoming: Arc<Transform>,
}

impl<H: Hooks> Wrap for Transformed<H> {
    type Inner = H;

    fn inner(&self) -> &H {
        &self.hooks
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        match self.incoming.apply(message) {
            Ok(message) => self.hooks.message(peer, message).await,
            // Under the default policy the client gets only the close frame.
            Err(error) => {
                OnMalformed::default().apply(peer, Malformed::Transform(error), |_| Ok(()))
            }
        }
    }
}

opaque_debug!(Transformed<H>);

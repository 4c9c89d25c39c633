use crossws_core::{DecodeError, EncodeError, Message};

use crate::codec::limits::DecodeLimits;
use crate::codec::{Decode, Encode};

/// Leaves messages as they are, for hooks without types that transform all messages: see
/// [`incoming`](crate::TypedHooks::incoming) and [`outgoing`](crate::TypedHooks::outgoing).
///
/// ```
/// use crossws_app::{RawCodec, TypedPeer, messages, typed_as};
/// use crossws_core::{BoxError, Message};
///
/// # fn unseal(message: Message) -> Result<Message, BoxError> { Ok(message) }
/// # fn seal(message: Message) -> Result<Message, BoxError> { Ok(message) }
/// let app = typed_as(
///     RawCodec,
///     messages().on_message(|peer: TypedPeer<Message>, message: Message| async move {
///         peer.publish("talk", message)
///     }),
/// )
/// .incoming(unseal)
/// .outgoing(seal);
/// # fn takes(_: impl crossws_core::Hooks) {} takes(app);
/// ```
#[allow(clippy::exhaustive_structs)]
#[derive(Debug, Clone, Copy, Default)]
pub struct RawCodec;

impl Decode<Message> for RawCodec {
    fn decode(&self, message: &Message, _: &DecodeLimits) -> Result<Message, DecodeError> {
        Ok(message.clone())
    }
}

impl Encode<Message> for RawCodec {
    fn encode(&self, message: &Message) -> Result<Message, EncodeError> {
        Ok(message.clone())
    }
}

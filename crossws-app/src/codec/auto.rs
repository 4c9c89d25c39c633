use crossws_core::{Bytes, DecodeError, EncodeError, Message, Utf8Bytes};
use serde::Serialize;
use serde_json::Value;

use crate::codec::json::JsonCodec;
use crate::codec::limits::{DecodeLimits, LimitExceeded};
use crate::codec::parsed::is_no_json;
use crate::codec::{Decode, Encode};

/// A message in the most specific form that fits: see [`AutoCodec`].
// Exhaustive on purpose: a message is one of these three.
#[allow(clippy::exhaustive_enums)]
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// A text that is JSON.
    Json(Value),
    /// Any other text.
    Text(Utf8Bytes),
    /// A binary message.
    Binary(Bytes),
}

/// Reads a text as JSON if it is JSON, and as text otherwise, and leaves binary messages as they
/// are. Messages to the client are JSON.
///
/// A text that exceeds [`DecodeLimits`] counts as malformed, and not as text: it may be JSON. JSON that is
/// nested deeper than 127 levels is read as text where the limits allow that depth.
///
/// ```
/// use crossws_app::{AutoCodec, Payload, messages, typed_as};
///
/// let app = typed_as(
///     AutoCodec,
///     messages().on_message(|peer, payload: Payload| async move {
///         peer.send(match payload {
///             Payload::Json(_) => "json",
///             Payload::Text(_) => "text",
///             Payload::Binary(_) => "binary",
///         })
///     }),
/// );
/// # fn takes(_: impl crossws_core::Hooks) {} takes(app);
/// ```
#[allow(clippy::exhaustive_structs)]
#[derive(Debug, Clone, Copy, Default)]
pub struct AutoCodec;

impl Decode<Payload> for AutoCodec {
    fn decode(&self, message: &Message, limits: &DecodeLimits) -> Result<Payload, DecodeError> {
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(bytes) => return Ok(Payload::Binary(bytes.clone())),
        };
        if is_no_json(message) {
            return Ok(Payload::Text(text.clone()));
        }
        match JsonCodec.decode(message, limits) {
            Ok(value) => Ok(Payload::Json(value)),
            Err(error) if LimitExceeded::of(&error).is_some() => Err(error),
            Err(_) => Ok(Payload::Text(text.clone())),
        }
    }
}

impl<T: Serialize> Encode<T> for AutoCodec {
    fn encode(&self, value: &T) -> Result<Message, EncodeError> {
        JsonCodec.encode(value)
    }
}

use crossws_core::{DecodeError, EncodeError, Message};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::limits::DecodeLimits;
use crate::codec::{Decode, Encode};

/// JSON (RFC 8259) in text messages; it reads binary ones too. The codec of
/// [`typed`](crate::typed).
///
/// The parser's own depth limit is 128, so that a
/// [`DecodeLimits::max_depth`](field@super::DecodeLimits::max_depth) above 127 has no effect.
#[allow(clippy::exhaustive_structs)]
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonCodec;

impl<T: DeserializeOwned> Decode<T> for JsonCodec {
    fn decode(&self, message: &Message, limits: &DecodeLimits) -> Result<T, DecodeError> {
        match message {
            // The text is known to be UTF-8: strings need no second check.
            Message::Text(text) => read(serde_json::Deserializer::from_str(text), limits),
            Message::Binary(bytes) => read(serde_json::Deserializer::from_slice(bytes), limits),
        }
    }
}

fn read<'de, T, R>(
    mut json: serde_json::Deserializer<R>,
    limits: &DecodeLimits,
) -> Result<T, DecodeError>
where
    T: DeserializeOwned,
    R: serde_json::de::Read<'de>,
{
    let value = limits.deserialize(&mut json)?;
    json.end().map_err(DecodeError::new)?;
    Ok(value)
}

impl<T: Serialize> Encode<T> for JsonCodec {
    fn encode(&self, value: &T) -> Result<Message, EncodeError> {
        Message::from_json(value)
    }
}

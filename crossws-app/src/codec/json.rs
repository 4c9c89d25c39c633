use std::sync::Arc;

use crossws_core::{DecodeError, EncodeError, Message};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::codec::limits::{DecodeLimits, LimitExceeded};
use crate::codec::{Decode, Encode, parsed};

/// JSON (RFC 8259) in text messages; it reads binary ones too. The codec of
/// [`typed`](crate::typed).
///
/// Inside of [`rules`](crate::rules::rules()), [`calls`](crate::calls::calls()) and
/// [`rooms`](crate::rooms::rooms()), which read the same messages, a text of at most 16 KiB is parsed once. A type then
/// reads what they have parsed: of a name that an object has twice, the last value.
///
/// The parser's own depth limit is 128, so that a
/// [`DecodeLimits::max_depth`](field@super::DecodeLimits::max_depth) above 127 has no effect.
///
/// ```
/// # use crossws_core::*;
/// # use crossws_app::*;
/// let numbers: Vec<u8> = JsonCodec.decode(&"[1, 2]".into(), &DecodeLimits::new())?;
/// assert_eq!(numbers, [1, 2]);
/// assert_eq!(JsonCodec.encode(&numbers)?.text()?, "[1,2]");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[allow(clippy::exhaustive_structs)]
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonCodec;

impl<T: DeserializeOwned> Decode<T> for JsonCodec {
    fn decode(&self, message: &Message, limits: &DecodeLimits) -> Result<T, DecodeError> {
        if let Some(known) = parsed::known(message)
            && let Some(value) = known.json()
        {
            match limits.deserialize(value) {
                Err(error) if LimitExceeded::of(&error).is_none() => {
                    // From the text the error has the place. Few types read it and no value.
                }
                outcome => return outcome,
            }
        }
        #[cfg(test)]
        parsed::tests::PARSED.set(parsed::tests::PARSED.get() + 1);
        match message {
            // The text is known to be UTF-8: strings need no second check.
            Message::Text(text) => read(serde_json::Deserializer::from_str(text), limits),
            Message::Binary(bytes) => read(serde_json::Deserializer::from_slice(bytes), limits),
        }
    }
}

/// Parses a message as JSON, unless a layer outside has done so. Keeps the outcome for the hooks inside.
pub(crate) fn parse(message: &Message, limits: &DecodeLimits) -> Result<Arc<Value>, DecodeError> {
    match parsed::outcome(message, limits) {
        Some(outcome) => outcome,
        None => {
            let json = JsonCodec.decode(message, limits);
            parsed::keep(message, limits, json)
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

//! How messages are encoded: JSON and other formats, within limits.

pub(crate) mod auto;
mod bounded;
#[cfg(feature = "cbor")]
pub(crate) mod cbor;
pub(crate) mod json;
pub(crate) mod limits;
#[cfg(feature = "message-pack")]
pub(crate) mod message_pack;
pub(crate) mod parsed;
pub(crate) mod raw;

use crossws_core::{DecodeError, EncodeError, MaybeSend, MaybeSync, Message};

use crate::codec::limits::DecodeLimits;

/// The half of a codec that reads messages: see [`typed`](crate::typed).
///
/// [`JsonCodec`](crate::JsonCodec) reads every type that implements `serde::Deserialize`. For another format,
/// implement this and [`Encode`].
///
/// ```
/// use crossws_app::{Decode, DecodeLimits, Encode};
/// use crossws_core::{DecodeError, EncodeError, Message};
///
/// /// Numbers of eight bytes.
/// struct Numbers;
///
/// impl Decode<u64> for Numbers {
///     fn decode(&self, message: &Message, _: &DecodeLimits) -> Result<u64, DecodeError> {
///         let bytes = message.as_bytes()[..].try_into().map_err(DecodeError::new)?;
///         Ok(u64::from_be_bytes(bytes))
///     }
/// }
///
/// impl Encode<u64> for Numbers {
///     fn encode(&self, number: &u64) -> Result<Message, EncodeError> {
///         Ok(number.to_be_bytes().into())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot read a message as `{T}`",
    note = "the codecs of this crate read what implements `serde::Deserialize` and borrows nothing",
    note = "`AutoCodec` reads a `Payload`"
)]
pub trait Decode<T>: MaybeSend + MaybeSync + 'static {
    /// Reads a message.
    ///
    /// # Errors
    /// If the payload is not in this format, does not fit `T`, or exceeds the limits.
    fn decode(&self, message: &Message, limits: &DecodeLimits) -> Result<T, DecodeError>;

    /// Encodes the error for a client whose message was malformed, if
    /// [`OnMalformed::Reply`](crate::OnMalformed::Reply) is set: `{"type":"error","message":…}`, by
    /// default as JSON.
    ///
    /// # Errors
    /// If the message cannot be represented in this format.
    fn encode_error(&self, message: &str) -> Result<Message, EncodeError> {
        Message::from_json(&ErrorMessage { message })
    }
}

/// The half of a codec that writes messages: see [`Decode`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot write `{T}` as a message",
    note = "the codecs of this crate write what implements `serde::Serialize`"
)]
pub trait Encode<T>: MaybeSend + MaybeSync + 'static {
    /// Writes a message.
    ///
    /// # Errors
    /// If the value cannot be represented in this format.
    fn encode(&self, value: &T) -> Result<Message, EncodeError>;
}

/// The error message for a client whose message was malformed.
#[derive(serde::Serialize)]
#[serde(tag = "type", rename = "error")]
pub(crate) struct ErrorMessage<'a> {
    pub(crate) message: &'a str,
}

/// Codecs that write a value as one binary message.
#[cfg(any(feature = "cbor", feature = "message-pack"))]
macro_rules! binary_codec {
    ($codec:ident, $wrapper:ident, $write:path, $read:path) => {
        impl<T: serde::de::DeserializeOwned> crate::Decode<T> for $codec {
            fn decode(
                &self,
                message: &crossws_core::Message,
                limits: &crate::DecodeLimits,
            ) -> Result<T, crossws_core::DecodeError> {
                match message {
                    crossws_core::Message::Binary(bytes) => $read(bytes, limits),
                    crossws_core::Message::Text(_) => Err(crossws_core::DecodeError::new(
                        "a binary message is expected, and this one is text",
                    )),
                }
            }

            fn encode_error(
                &self,
                message: &str,
            ) -> Result<crossws_core::Message, crossws_core::EncodeError> {
                $write(&crate::codec::ErrorMessage { message }).map(Into::into)
            }
        }

        impl<T: serde::Serialize> crate::Encode<T> for $codec {
            fn encode(
                &self,
                value: &T,
            ) -> Result<crossws_core::Message, crossws_core::EncodeError> {
                $write(value).map(Into::into)
            }
        }

        impl<T: serde::Serialize> crossws_core::IntoMessage for $wrapper<T> {
            fn into_message(self) -> Result<crossws_core::Message, crossws_core::EncodeError> {
                $write(&self.0).map(Into::into)
            }
        }
    };
}
#[cfg(any(feature = "cbor", feature = "message-pack"))]
pub(crate) use binary_codec;

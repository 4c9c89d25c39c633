pub(crate) mod close;
pub(crate) mod codec;
pub(crate) mod formats;
pub(crate) mod send;
pub(crate) mod text;

use std::borrow::Cow;
use std::fmt;
use std::str::Utf8Error;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::message::codec::{DecodeError, EncodeError};
use crate::message::text::Utf8Bytes;

/// A whole message: fragments are joined, and control frames are kept apart, before a hook gets it.
///
/// Both kinds share their storage, so a clone copies a pointer.
// Exhaustive on purpose: RFC 6455 section 5.6 defines these two data frames and no more.
#[allow(clippy::exhaustive_enums)]
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// A text message; always valid UTF-8.
    Text(Utf8Bytes),
    /// A binary message.
    Binary(Bytes),
}

impl Message {
    /// Creates a text message that holds `value` as JSON.
    ///
    /// ```
    /// # use crossws_core::*;
    /// assert_eq!(Message::from_json(&[1, 2])?.text()?, "[1,2]");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The error of the value's `Serialize`, such as for a map whose keys are not strings.
    pub fn from_json<T: Serialize + ?Sized>(value: &T) -> Result<Self, EncodeError> {
        let json = serde_json::to_string(value).map_err(EncodeError::new)?;
        Ok(Self::from(json))
    }

    /// Returns the message as text. Binary is decoded as UTF-8, without a copy.
    ///
    /// # Errors
    /// If a binary message is not UTF-8.
    pub fn text(&self) -> Result<&str, Utf8Error> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Binary(bytes) => std::str::from_utf8(bytes),
        }
    }

    /// Returns the message as text, with U+FFFD in place of invalid UTF-8.
    ///
    /// ```
    /// # use crossws_core::*;
    /// assert_eq!(Message::from(vec![0x68, 0x69, 0xff]).text_lossy(), "hi\u{fffd}");
    /// ```
    pub fn text_lossy(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Binary(bytes) => String::from_utf8_lossy(bytes),
        }
    }

    /// Parses the message as JSON; borrowed fields point into the message.
    ///
    /// ```
    /// # use crossws_core::*;
    /// let point: [i32; 2] = Message::from("[3, 4]").json()?;
    /// assert_eq!(point, [3, 4]);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the payload is not JSON or does not fit `T`.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, DecodeError> {
        serde_json::from_slice(self.as_bytes()).map_err(DecodeError::new)
    }

    /// Returns the payload, shared with the message: no copy.
    pub fn bytes(&self) -> Bytes {
        self.as_bytes().clone()
    }

    /// Returns the payload.
    pub fn as_bytes(&self) -> &Bytes {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Returns the payload, without a copy.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Returns the payload's length in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Returns whether the payload is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether this is a text message.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// Returns whether this is a binary message.
    pub fn is_binary(&self) -> bool {
        matches!(self, Self::Binary(_))
    }
}

/// Writes the message as text, lossily for binary.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text_lossy())
    }
}

/// Writes the kind and a short preview: payloads may be large, and may be secret.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PREVIEW: usize = 64;
        let kind = if self.is_text() { "Text" } else { "Binary" };
        let text = self.text_lossy();
        let shown: String = text.chars().take(PREVIEW).collect();
        let more = if shown.len() < text.len() { "…" } else { "" };
        write!(f, "{kind}({shown:?}{more}, {} bytes)", self.len())
    }
}

/// A value to be sent as a JSON text message: `peer.send(Json(&state))`.
///
/// ```
/// # use crossws_core::*;
/// #[derive(serde::Serialize)]
/// struct Position {
///     x: i32,
///     y: i32,
/// }
///
/// fn moved(peer: &Peer, position: &Position) -> HookResult {
///     peer.send(Json(position))?; // {"x":1,"y":2}
///     peer.publish("board", Json(position))?;
///     Ok(())
/// }
/// ```
#[allow(clippy::exhaustive_structs)]
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(
    /// The value.
    pub T,
);

/// The argument of `send`, `publish` and `broadcast`: text, bytes, a [`Message`], or a value in a
/// codec, such as [`Json`].
///
/// ```
/// # use crossws_core::*;
/// /// A price in cents, as text.
/// struct Price(u32);
///
/// impl IntoMessage for Price {
///     fn into_message(self) -> Result<Message, EncodeError> {
///         Ok(format!("{}.{:02}", self.0 / 100, self.0 % 100).into())
///     }
/// }
///
/// fn tell(peer: &Peer) -> Result<Sent, SendError> {
///     peer.send(Price(1_999))
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "text, bytes, or a value in a codec is expected",
    note = "a value that implements `serde::Serialize` is sent as `Json(value)`"
)]
pub trait IntoMessage {
    /// Encodes the message to send.
    ///
    /// # Errors
    /// If the codec cannot encode the value; text and bytes never fail.
    fn into_message(self) -> Result<Message, EncodeError>;
}

impl IntoMessage for Message {
    fn into_message(self) -> Result<Message, EncodeError> {
        Ok(self)
    }
}

/// What can be sent without a codec, and how a message is made of it. [`IntoMessage`] is implemented for
/// each, and not for all `T: Into<Message>`, so that the compiler can name what is missing.
macro_rules! messages {
    ($($(#[$generics:ident $kind:ty])? $type:ty => |$value:ident| $message:expr;)+) => {$(
        impl$(<const $generics: $kind>)? From<$type> for Message {
            fn from($value: $type) -> Self {
                $message
            }
        }

        impl$(<const $generics: $kind>)? IntoMessage for $type {
            fn into_message(self) -> Result<Message, EncodeError> {
                Ok(self.into())
            }
        }
    )+};
}

messages! {
    &str => |text| Self::Text(text.into());
    &String => |text| Self::Text(text.as_str().into());
    String => |text| Self::Text(text.into());
    Cow<'_, str> => |text| Self::Text(text.into_owned().into());
    Utf8Bytes => |text| Self::Text(text);
    Bytes => |bytes| Self::Binary(bytes);
    Vec<u8> => |bytes| Self::Binary(bytes.into());
    &[u8] => |bytes| Self::Binary(Bytes::copy_from_slice(bytes));
    #[N usize] [u8; N] => |bytes| Self::Binary(Bytes::copy_from_slice(&bytes));
    #[N usize] &[u8; N] => |bytes| Self::Binary(Bytes::copy_from_slice(bytes));
}

impl<T: Serialize> IntoMessage for Json<T> {
    fn into_message(self) -> Result<Message, EncodeError> {
        Message::from_json(&self.0)
    }
}

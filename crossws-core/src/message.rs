use std::borrow::Cow;
use std::fmt;
use std::str::Utf8Error;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::Utf8Bytes;

/// A whole message: fragments are joined and control frames kept apart before a hook sees it.
///
/// Both kinds share their storage, so a clone copies a pointer.
// Exhaustive on purpose: RFC 6455 section 5.6 knows these two data frames and no more.
#[allow(clippy::exhaustive_enums)]
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// A text message; always valid UTF-8.
    Text(Utf8Bytes),
    /// A binary message.
    Binary(Bytes),
}

impl Message {
    /// A text message.
    pub fn text_from(text: impl Into<Utf8Bytes>) -> Self {
        Self::Text(text.into())
    }

    /// A text message that holds `value` as JSON.
    ///
    /// # Errors
    /// Whatever the value's `Serialize` reports, such as a map whose keys are not strings.
    pub fn json_from<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(|json| Self::Text(json.into()))
    }

    /// The message as text. Binary is decoded as UTF-8, without a copy.
    ///
    /// # Errors
    /// When a binary message is not UTF-8.
    pub fn text(&self) -> Result<&str, Utf8Error> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Binary(bytes) => std::str::from_utf8(bytes),
        }
    }

    /// The message as text, with U+FFFD in place of what is not UTF-8.
    pub fn text_lossy(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Binary(bytes) => String::from_utf8_lossy(bytes),
        }
    }

    /// The message read as JSON; borrowed fields point into the message.
    ///
    /// # Errors
    /// When the payload is not JSON or does not fit `T`.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.as_bytes())
    }

    /// The payload, shared with the message: no copy.
    pub fn bytes(&self) -> Bytes {
        self.as_bytes().clone()
    }

    /// The payload.
    pub fn as_bytes(&self) -> &Bytes {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The payload, without a copy.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The payload's length in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether this is a text message.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// Whether this is a binary message.
    pub fn is_binary(&self) -> bool {
        matches!(self, Self::Binary(_))
    }
}

/// The message as text, lossily for binary.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text_lossy())
    }
}

/// The kind and a short preview: payloads may be large, and may be secret.
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

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Utf8Bytes> for Message {
    fn from(text: Utf8Bytes) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

/// A value to be sent as a JSON text message: `peer.send(Json(&state))`.
#[allow(clippy::exhaustive_structs)]
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(
    /// The value.
    pub T,
);

/// A message that is not compressed, whatever was negotiated: one that holds a secret beside
/// something that others may choose, or that is compressed already.
///
/// ```
/// # use crossws_core::{HookResult, Json, Peer, Uncompressed};
/// fn greet(peer: &Peer, token: &str, said: &str) -> HookResult {
///     peer.send(Uncompressed(Json([token, said])))?;
///     Ok(())
/// }
/// ```
#[allow(clippy::exhaustive_structs)]
#[derive(Debug, Clone, Copy)]
pub struct Uncompressed<T>(
    /// The message.
    pub T,
);

/// What `send`, `publish` and `broadcast` take: text, bytes, a [`Message`], or [`Json`]; or any of
/// them [`Uncompressed`].
pub trait IntoMessage {
    /// The message to send.
    ///
    /// # Errors
    /// Only [`Json`] can fail: its value may not be representable as JSON.
    fn into_message(self) -> Result<Message, serde_json::Error>;

    /// Whether the message may be compressed on its way; only [`Uncompressed`] says no.
    fn may_compress(&self) -> bool {
        true
    }
}

impl<T: Into<Message>> IntoMessage for T {
    fn into_message(self) -> Result<Message, serde_json::Error> {
        Ok(self.into())
    }
}

impl<T: Serialize> IntoMessage for Json<T> {
    fn into_message(self) -> Result<Message, serde_json::Error> {
        Message::json_from(&self.0)
    }
}

impl<T: IntoMessage> IntoMessage for Uncompressed<T> {
    fn into_message(self) -> Result<Message, serde_json::Error> {
        self.0.into_message()
    }

    fn may_compress(&self) -> bool {
        false
    }
}

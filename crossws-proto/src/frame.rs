//! Frames in both directions (RFC 6455 section 5), without IO, clock or runtime.
//!
//! [`Decoder`] decodes for both roles: a server's requires masked frames, a client's requires unmasked
//! ones. The tests compare it with tungstenite. Every message is encoded as one final frame: a server's
//! with [`put_frame`], a client's with [`put_masked_frame`], and compressed with
//! [`Deflater`](crate::deflate::Deflater).

mod begun;
mod buffer;
mod close;
mod decoder;
mod encode;
mod header;
pub(crate) mod mask;
mod partial;
#[cfg(test)]
mod tests;
mod utf8;

use std::borrow::Cow;

use bytes::Bytes;
use crossws_core::{CloseCode, CloseFrame, Message};

pub use self::decoder::Decoder;
pub use self::encode::{
    ClientFrame, ServerFrame, put_close, put_compressed_frame, put_frame, put_masked_close,
    put_masked_frame,
};
pub(crate) use self::header::unmasked_len;
pub use self::header::{MAX_HEADER, MAX_MASKED_HEADER, frame_len, put_header};
pub(crate) use self::partial::{Kind, Partial};

/// The kind of a frame.
// Exhaustive on purpose: every other number is reserved.
#[allow(clippy::exhaustive_enums)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// A further part of the message that has begun.
    Continuation = 0x0,
    /// A text message, or its first part.
    Text = 0x1,
    /// A binary message, or its first part.
    Binary = 0x2,
    /// The closing handshake.
    Close = 0x8,
    /// Requires a pong in reply.
    Ping = 0x9,
    /// The reply to a ping, or unsolicited.
    Pong = 0xA,
}

impl Opcode {
    /// Returns whether this is a control frame's opcode (RFC 6455 section 5.5).
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

impl From<&Message> for Opcode {
    fn from(message: &Message) -> Self {
        match message {
            Message::Text(_) => Self::Text,
            Message::Binary(_) => Self::Binary,
        }
    }
}

/// The side of a connection that a [`Decoder`] decodes for.
// Exhaustive on purpose: RFC 6455 knows these two.
#[allow(clippy::exhaustive_enums)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The server's side. Incoming frames are a client's, and masked.
    Server,
    /// The client's side. Incoming frames are a server's, and unmasked.
    Client,
}

/// Something that the other side sent.
// Exhaustive on purpose: a driver must handle every kind of frame that RFC 6455 defines.
#[allow(clippy::exhaustive_enums)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A whole message, its fragments joined.
    Message(Message),
    /// A ping; at most 125 bytes.
    Ping(Bytes),
    /// A pong; at most 125 bytes.
    Pong(Bytes),
    /// A close frame; `None` if it has no code. What follows it must not be decoded.
    Close(Option<CloseFrame>),
}

/// A broken rule or limit, with its close code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Violation {
    code: CloseCode,
    text: Cow<'static, str>,
}

impl Violation {
    /// Creates a violation from the close code and the text for the log.
    pub fn new(code: CloseCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }

    /// Returns 1009 if a message of this length, or a part of one, is larger than `max_message_size`.
    ///
    /// # Errors
    /// [`message_too_big`](Self::message_too_big).
    #[inline]
    pub fn check_size(len: u64, most: usize) -> Result<(), Self> {
        match len > most as u64 {
            true => Err(Self::message_too_big()),
            false => Ok(()),
        }
    }

    /// Returns 1009: a message is larger than `max_message_size`.
    pub fn message_too_big() -> Self {
        Self::new(CloseCode::TOO_BIG, "a message is larger than the limit")
    }

    /// Returns 1013: all connections together hold too many bytes of unfinished messages.
    pub fn overloaded() -> Self {
        Self::new(CloseCode::TRY_AGAIN, "server overloaded")
    }

    /// Returns 1002: a rule of the framing was broken.
    pub fn protocol(text: &'static str) -> Self {
        Self::new(CloseCode::PROTOCOL, text)
    }

    /// Returns the code to close the connection with.
    pub fn code(&self) -> CloseCode {
        self.code
    }

    /// Returns the close frame's reason. It is short and repeats nothing that was received.
    pub fn reason(&self) -> &'static str {
        match (self.code, &self.text) {
            (CloseCode::TOO_BIG, _) => "message too big",
            (
                CloseCode::INVALID | CloseCode::POLICY | CloseCode::TRY_AGAIN,
                Cow::Borrowed(text),
            ) => text,
            (CloseCode::INVALID, _) => "invalid payload",
            (CloseCode::POLICY, _) => "policy violation",
            _ => "protocol error",
        }
    }
}

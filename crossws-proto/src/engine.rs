//! The incoming direction: bytes to events, without IO, clock or runtime (RFC 6455, RFC 7692).
//!
//! [`Decoder`] decodes for both roles: a server's requires masked frames, a client's requires unmasked
//! ones. The tests compare it with tungstenite.
//!
//! A client encodes with [`put_masked_frame`], [`put_masked_close`] and
//! [`Deflater::put_masked_frame`](crate::deflate::Deflater::put_masked_frame); its handshake is
//! [`ClientHandshake`](crate::handshake::ClientHandshake). The crate `crossws-client` combines them.

mod buffer;
mod close;
mod decoder;
mod header;
mod message;
mod utf8;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;
use crossws_core::{CloseCode, CloseFrame, Message};

pub use self::decoder::Decoder;
pub(crate) use self::message::{Kind, Partial};
pub use crate::frame::{Opcode, put_masked_close, put_masked_frame};

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

//! The incoming direction: bytes to events, without IO, clock or runtime (RFC 6455, RFC 7692).
//!
//! [`Engine`] is the interface. [`Decoder`] is this crate's own engine and the default. With the
//! feature `tungstenite`, the crate tungstenite implements the same interface. Both roles are
//! supported: a server's engine requires masked frames, a client's requires unmasked ones.
//!
//! A client encodes with [`put_masked_frame`], [`put_masked_close`] and
//! [`Deflater::put_masked_frame`](crate::deflate::Deflater::put_masked_frame); its handshake is
//! [`ClientHandshake`](crate::handshake::ClientHandshake). The example `echo_client` combines them.

mod buffer;
mod close;
mod decoder;
mod header;
mod message;
mod utf8;

#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "tungstenite"))]
mod tungstenite;

use std::borrow::Cow;

use bytes::Bytes;
use crossws_core::{CloseCode, CloseFrame, Limits, Message};

pub use self::decoder::Decoder;
pub(crate) use self::message::{Kind, Partial};
#[cfg(any(test, feature = "tungstenite"))]
pub use self::tungstenite::Tungstenite;
use crate::deflate::Inflater;
pub use crate::frame::{Opcode, put_masked_close, put_masked_frame};

/// The side of a connection that an engine decodes for.
// Exhaustive on purpose: RFC 6455 knows these two.
#[allow(clippy::exhaustive_enums)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The server's side. Incoming frames are a client's, and masked.
    Server,
    /// The client's side. Incoming frames are a server's, and unmasked.
    Client,
}

/// A decoder for one connection's incoming bytes.
pub trait Engine: Send + 'static {
    /// Creates an engine for a connection whose handshake has just ended.
    fn new(role: Role, limits: &Limits) -> Self;

    /// Consumes bytes from the front of `input` up to the end of the next event.
    ///
    /// Returns `None` when all of `input` is consumed and more bytes are needed. An engine may
    /// consume more than the event: call `decode` again, even with an empty input, until it returns
    /// `None`.
    ///
    /// The engine may change the consumed bytes, as unmasking does.
    ///
    /// # Errors
    /// The rule that was broken. The caller must fail the connection (RFC 6455 section 7.1.7) and
    /// must not call the engine again.
    fn decode(&mut self, input: &mut &mut [u8]) -> Result<Option<Event>, Violation>;

    /// Returns the next event if it is a short message that has arrived whole. It is a shorter path
    /// to what [`decode`](Self::decode) would return. `None` means that nothing was consumed and
    /// that the caller must use `decode`.
    #[inline(always)]
    fn decode_short(&mut self, input: &mut &mut [u8]) -> Option<Message> {
        let _ = input;
        None
    }
}

/// The engine that decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum EngineKind {
    /// This crate's own engine.
    #[default]
    Own,
    /// The crate `tungstenite`, without permessage-deflate.
    #[cfg(any(test, feature = "tungstenite"))]
    Tungstenite,
}

impl EngineKind {
    /// Returns whether this engine supports permessage-deflate.
    pub fn compresses(self) -> bool {
        match self {
            Self::Own => true,
            #[cfg(any(test, feature = "tungstenite"))]
            Self::Tungstenite => false,
        }
    }
}

/// A connection's engine.
#[derive(Debug)]
pub enum AnyEngine {
    /// This crate's own engine.
    Own(Decoder),
    #[cfg(any(test, feature = "tungstenite"))]
    /// The crate `tungstenite`.
    Tungstenite(Box<Tungstenite>),
}

impl AnyEngine {
    /// Creates an engine for a server's connection.
    pub fn new(kind: EngineKind, limits: &Limits, inflater: Option<Inflater>) -> Self {
        match kind {
            EngineKind::Own => {
                Self::Own(Decoder::new(Role::Server, limits).with_inflater(inflater))
            }
            #[cfg(any(test, feature = "tungstenite"))]
            EngineKind::Tungstenite => {
                Self::Tungstenite(Box::new(Tungstenite::new(Role::Server, limits)))
            }
        }
    }

    /// As [`Engine::decode_short`].
    #[inline(always)]
    pub fn decode_short(&mut self, input: &mut &mut [u8]) -> Option<Message> {
        match self {
            Self::Own(engine) => engine.decode_short(input),
            #[cfg(any(test, feature = "tungstenite"))]
            Self::Tungstenite(engine) => engine.decode_short(input),
        }
    }

    /// Returns how many bytes of unfinished frames and messages the engine holds, as far as the
    /// engine reports it.
    #[inline]
    pub fn unfinished(&self) -> usize {
        match self {
            Self::Own(engine) => engine.unfinished(),
            #[cfg(any(test, feature = "tungstenite"))]
            Self::Tungstenite(_) => 0,
        }
    }

    /// Drops unfinished frames and messages. Nothing more will be decoded.
    pub fn forget_unfinished(&mut self) {
        match self {
            Self::Own(engine) => engine.forget_unfinished(),
            #[cfg(any(test, feature = "tungstenite"))]
            Self::Tungstenite(_) => {}
        }
    }

    /// As [`Engine::decode`].
    pub fn decode(&mut self, input: &mut &mut [u8]) -> Result<Option<Event>, Violation> {
        match self {
            Self::Own(engine) => engine.decode(input),
            #[cfg(any(test, feature = "tungstenite"))]
            Self::Tungstenite(engine) => engine.decode(input),
        }
    }
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

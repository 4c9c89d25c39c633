//! The way in: bytes to events, without IO, clock or runtime (RFC 6455, RFC 7692).
//!
//! [`Engine`] is the seam. [`Decoder`] is this crate's own engine and the default; with the feature
//! `tungstenite`, tungstenite stands behind the same seam. Both roles are here: a server's engine
//! wants masked frames, a client's unmasked ones.
//!
//! The way out of a client is [`put_masked_frame`], [`put_masked_close`] and
//! [`Deflater::put_masked_frame`](crate::deflate::Deflater::put_masked_frame); its handshake is
//! [`ClientHandshake`](crate::handshake::ClientHandshake). The example `echo_client` puts them together.

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

/// Which side of a connection an engine decodes for.
// Exhaustive on purpose: RFC 6455 knows these two.
#[allow(clippy::exhaustive_enums)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The server's: what arrives is a client's, and masked.
    Server,
    /// The client's: what arrives is a server's, and unmasked.
    Client,
}

/// A decoder for one connection's incoming bytes.
pub trait Engine: Send + 'static {
    /// An engine at the beginning of a connection, behind the handshake.
    fn new(role: Role, limits: &Limits) -> Self;

    /// Consumes bytes from the front of `input` up to the end of the next event. `None` when
    /// all of `input` is consumed and more bytes are needed. An engine may consume ahead: call
    /// again, with an empty input too, until it says `None`.
    ///
    /// Consumed bytes are scratch: the engine may have changed them, as unmasking does.
    ///
    /// # Errors
    /// The rule that was broken. The connection is to be failed (RFC 6455 section 7.1.7), and the
    /// engine must not be called again.
    fn decode(&mut self, input: &mut &mut [u8]) -> Result<Option<Event>, Violation>;

    /// The next event, if it is a short message that is here as a whole and an engine has a shorter
    /// way to it than [`decode`](Self::decode), which would say the same. `None`, and nothing is
    /// consumed, if not: decode is to be asked.
    #[inline(always)]
    fn decode_short(&mut self, input: &mut &mut [u8]) -> Option<Message> {
        let _ = input;
        None
    }
}

/// Which engine decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum EngineKind {
    /// This crate's own.
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
    /// This crate's own.
    Own(Decoder),
    #[cfg(any(test, feature = "tungstenite"))]
    /// The crate `tungstenite`.
    Tungstenite(Box<Tungstenite>),
}

impl AnyEngine {
    /// A server's.
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

    /// How many bytes it holds of what has arrived in part, as far as that can be known.
    #[inline]
    pub fn unfinished(&self) -> usize {
        match self {
            Self::Own(engine) => engine.unfinished(),
            #[cfg(any(test, feature = "tungstenite"))]
            Self::Tungstenite(_) => 0,
        }
    }

    /// Drops what has arrived in part: nothing more will be decoded.
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

/// What the other side sent.
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
    /// A close frame; `None` for one without a code. What follows it is not to be decoded.
    Close(Option<CloseFrame>),
}

/// A broken rule or limit, with the close code that says which.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Violation {
    code: CloseCode,
    text: Cow<'static, str>,
}

impl Violation {
    /// Returns what a connection is closed with, and the message for the log.
    pub fn new(code: CloseCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }

    /// 1013: all connections together hold too much of what has arrived in part.
    pub fn overloaded() -> Self {
        Self::new(CloseCode::TRY_AGAIN, "server overloaded")
    }

    /// 1002: a rule of the framing.
    pub fn protocol(text: &'static str) -> Self {
        Self::new(CloseCode::PROTOCOL, text)
    }

    /// With what the connection is to be closed.
    pub fn code(&self) -> CloseCode {
        self.code
    }

    /// What the close frame says besides the code: short, and nothing of what was received.
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

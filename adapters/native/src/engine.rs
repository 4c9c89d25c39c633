//! The seam to the codec: bytes in, events out. Nothing above it knows which engine it is, and
//! no engine type leaves this module.

mod tungstenite;

use bytes::Bytes;
use crossws_core::{CloseCode, CloseFrame, Limits, Message};

pub(crate) use self::tungstenite::Tungstenite;

/// A decoder for one connection's incoming bytes.
pub(crate) trait Engine: Send + 'static {
    fn new(limits: &Limits) -> Self;

    /// Consumes bytes from the front of `input` up to the end of the next event. `None` when
    /// all of `input` is consumed and more bytes are needed. An engine may consume ahead: call
    /// again, with an empty input too, until it says `None`.
    fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Violation>;
}

/// What a client sent.
#[derive(Debug)]
pub(crate) enum Event {
    Message(Message),
    Ping(Bytes),
    Pong(Bytes),
    /// A close frame; `None` for one without a code.
    Close(Option<CloseFrame>),
}

/// A broken rule, with the close code that says which.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Violation {
    pub(crate) code: CloseCode,
    pub(crate) text: String,
}

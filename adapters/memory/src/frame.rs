use bytes::Bytes;
use crossws_core::{CloseFrame, Message};

/// What a client sees on the wire: messages, and the control frames around them.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Frame {
    /// A message.
    Message(Message),
    /// A ping, from a hook or the heartbeat. Answered already, unless
    /// [`auto_pong`](crate::Client::auto_pong) is off.
    Ping(Bytes),
    /// A pong: the answer to [`ping`](crate::Client::ping), or unasked.
    Pong(Bytes),
    /// A close frame, `None` without a code. Answered already, unless
    /// [`auto_close`](crate::Client::auto_close) is off. No frame follows it.
    Close(Option<CloseFrame>),
}

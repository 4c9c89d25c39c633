use bytes::Bytes;
use crossws_core::{Error, Message};

/// The next step for the hooks of a connection.
// Exhaustive on purpose: a driver must run the hook of each.
#[allow(clippy::exhaustive_enums)]
#[derive(Debug)]
pub enum Step {
    /// A message of the client.
    Message(Message),
    /// A ping of the client. It has been answered, unless
    /// [`auto_pong`](field@crossws_core::Limits::auto_pong) is off.
    Ping(Bytes),
    /// A pong of the client.
    Pong(Bytes),
    /// The client broke a rule. The close frame is queued.
    Failed(Error),
    /// The queue is written to its end after much had piled up.
    Drain,
    /// The connection is ending, and nothing more will arrive.
    Closed,
}

/// A message counts once more in a turn for each this many bytes: a message of a few bytes on the
/// wire may inflate to the largest that is allowed.
const TURN_BYTES: usize = 64 << 10;

impl Step {
    /// Returns how many bytes of the client's data the step holds.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Message(message) => message.len(),
            Self::Ping(data) | Self::Pong(data) => data.len(),
            Self::Failed(_) | Self::Drain | Self::Closed => 0,
        }
    }

    /// Returns how often the step counts in a turn besides once.
    pub fn weight(&self) -> u32 {
        u32::try_from(self.len() / TURN_BYTES).unwrap_or(u32::MAX - 1)
    }
}

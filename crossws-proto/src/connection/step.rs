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
    /// Returns whether the step counts towards
    /// [`max_inbound`](field@crossws_core::Limits::max_inbound).
    pub(super) fn is_message(&self) -> bool {
        matches!(self, Self::Message(_))
    }

    pub(super) fn is_control(&self) -> bool {
        matches!(self, Self::Ping(_) | Self::Pong(_))
    }

    /// Returns the length of a message, in bytes.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Message(message) => message.len(),
            _ => 0,
        }
    }

    /// Returns how often the step counts in a turn besides once.
    pub fn weight(&self) -> u32 {
        u32::try_from(self.len() / TURN_BYTES).unwrap_or(u32::MAX - 1)
    }
}

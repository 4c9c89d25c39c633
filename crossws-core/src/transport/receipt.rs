//! What a transport says of what it was passed.

use crate::error::SendError;
use crate::message::Message;
use crate::message::send::{SendOptions, Sent};
#[cfg(doc)]
use crate::transport::Transport;

/// What [`Transport::settle`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Settled {
    /// Whether anything was written.
    pub wrote: bool,
    /// Whether the connection was closed as a slow consumer's.
    pub closed: bool,
    /// See [`OutboundQueue::is_behind`](crate::adapter::OutboundQueue::is_behind).
    pub behind: bool,
    /// How many messages were discarded.
    pub lost: u64,
}

/// What happened to a published message at one subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// Whether the message was queued.
    pub queued: bool,
    /// Whether [`Transport::wake`] must be called.
    pub wake: bool,
    /// Whether [`Transport::settle`] must be called.
    pub settle: bool,
    /// How many messages, this one or older ones, were discarded for it.
    pub dropped: u64,
    /// How many bytes wait, this message's included, if that is known.
    pub waiting: usize,
}

impl Receipt {
    /// Creates the receipt of a queued message; `wake` if the writer sleeps.
    pub const fn queued(wake: bool) -> Self {
        Self {
            queued: true,
            wake,
            ..Self::closed()
        }
    }

    /// Creates the receipt of a message that is not queued, because the connection is closing.
    pub const fn closed() -> Self {
        Self {
            queued: false,
            wake: false,
            settle: false,
            dropped: 0,
            waiting: 0,
        }
    }

    /// Creates the receipt of a message that is not queued, because the queue is full: `dropped`
    /// messages are lost. Wakes the writer, which may have a connection to close.
    pub const fn full(dropped: u64) -> Self {
        Self {
            wake: true,
            dropped,
            ..Self::closed()
        }
    }

    /// Creates the receipt of a volatile message that is not queued, because it would have had to
    /// wait. `wake` if the peer must be told.
    pub const fn discarded(wake: bool) -> Self {
        Self {
            wake,
            dropped: 1,
            ..Self::closed()
        }
    }

    /// Creates the receipt of a message that is queued in place of `dropped` older ones.
    pub const fn replaced(dropped: u64, wake: bool) -> Self {
        Self {
            dropped,
            ..Self::queued(wake)
        }
    }

    /// Returns what [`Transport::send`] returns for a message with this receipt.
    ///
    /// # Errors
    /// As [`Transport::send`].
    pub fn into_sent(self, message: Message, options: &SendOptions) -> Result<Sent, SendError> {
        match self {
            Self { queued: true, .. } => Ok(Sent::Queued {
                bytes: self.waiting,
            }),
            Self { dropped: 0, .. } => Err(SendError::Closed(message)),
            _ if options.is_volatile() => Ok(Sent::Dropped),
            _ => Err(SendError::Full(message)),
        }
    }

    /// Sets how many bytes wait.
    #[must_use]
    pub const fn with_waiting(mut self, bytes: usize) -> Self {
        self.waiting = bytes;
        self
    }

    /// Sets whether so much waits that the transport must be settled.
    #[must_use]
    pub const fn with_settle(mut self, settle: bool) -> Self {
        self.settle = settle;
        self
    }
}

//! Where a platform keeps retained messages that must outlive the hub's memory.

use crate::bounds::{MaybeSend, MaybeSync};
use crate::message::Message;
use crate::message::formats::Formats;

/// The side that has retained a message, which decides how long it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetainedBy {
    /// A peer: the message stays until the last peer of the namespace has left.
    Peer,
    /// The application, through the [hub](crate::Hub): the message stays until it is cleared.
    Hub,
}

/// A retained message as a [`RetainedStore`] keeps it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RetainedMessage {
    /// The namespace of the topic.
    pub namespace: String,
    /// The topic.
    pub topic: String,
    /// The message.
    pub message: Message,
    /// The message for the clients of these subprotocols, if they read other formats. Empty by default.
    pub others: Formats,
    /// The side that has retained it.
    pub by: RetainedBy,
}

impl RetainedMessage {
    /// Creates a stored message, in one format.
    pub fn new(
        namespace: impl Into<String>,
        topic: impl Into<String>,
        message: Message,
        by: RetainedBy,
    ) -> Self {
        Self {
            namespace: namespace.into(),
            topic: topic.into(),
            message,
            others: Formats::default(),
            by,
        }
    }
}

/// Keeps a hub's retained messages where they outlive its memory: for the adapter of a platform that
/// sleeps. [`Hub::restore_retained`](crate::Hub::restore_retained) returns them to the hub.
///
/// The calls come one after another, in the order in which what they tell of changes, and before a message
/// is sent. They may read from the hub, but must neither retain or clear messages nor end connections.
pub trait RetainedStore: MaybeSend + MaybeSync + 'static {
    /// Returns the length of the longest message that can be stored, in bytes, with its other formats.
    /// Longer ones are refused with [`RetainError::TooLong`](crate::RetainError::TooLong).
    fn max_len(&self) -> usize {
        usize::MAX
    }

    /// Returns how many bytes the names of a namespace and a topic may have together. Messages of longer
    /// ones are refused with [`RetainError::NamesTooLong`](crate::RetainError::NamesTooLong).
    fn max_names_len(&self) -> usize {
        usize::MAX
    }

    /// Stores a message in place of the topic's earlier one. A failure later on must be logged.
    fn put(&self, message: RetainedMessage);

    /// Removes a topic's message.
    fn remove(&self, namespace: &str, topic: &str);
}

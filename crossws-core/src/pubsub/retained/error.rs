/// Why a message cannot be [retained](crate::To::retained). It is not sent either, so that new
/// subscribers and earlier ones have the same last message.
///
/// ```
/// # use crossws_core::*;
/// fn score(peer: &Peer, score: &str) -> Result<(), PublishError> {
///     match peer.to("score").retained().send(score) {
///         Err(PublishError::Retain(RetainError::Full { .. })) => peer.publish("score", score).map(drop),
///         published => published.map(drop),
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RetainError {
    /// The hub retains no messages: [`Capabilities::RETAINED`](crate::Capabilities::RETAINED) is
    /// absent, as in a Durable Object whose options do not ask for it.
    #[error("this hub retains no messages")]
    Unsupported,
    /// The hub's retained messages have [`Limits::max_retained`](field@crate::Limits::max_retained)
    /// bytes, and this one has no room among them.
    #[error("the hub retains at most {most} bytes")]
    Full {
        /// The limit, in bytes.
        most: usize,
    },
    /// The hub has as many namespaces as [`Limits::max_namespaces`](field@crate::Limits::max_namespaces)
    /// allows, and this would be a new one.
    #[error("the hub has {0} namespaces, as many as it may")]
    Namespaces(usize),
    /// The message is longer than the platform's storage allows, in which it must outlive a sleep.
    #[error("the message has {len} bytes, at most {most} can be stored")]
    TooLong {
        /// The message's length, in bytes.
        len: usize,
        /// The platform's limit, in bytes.
        most: usize,
    },
    /// The topic's name is longer than [`Limits::max_name_len`](field@crate::Limits::max_name_len): of
    /// the publishing peer's route, or of the hub for a message of the application.
    #[error("the topic's name has {len} bytes, at most {most} are allowed")]
    NameTooLong {
        /// The name's length, in bytes.
        len: usize,
        /// The limit, in bytes.
        most: usize,
    },
    /// The names of the namespace and the topic are together longer than a key of the platform's storage
    /// may be.
    #[error(
        "the names of the namespace ({namespace} bytes) and the topic ({topic} bytes) are too long \
         for the storage, which allows {most} bytes together"
    )]
    NamesTooLong {
        /// The length of the namespace's name, in bytes.
        namespace: usize,
        /// The length of the topic's name, in bytes.
        topic: usize,
        /// The platform's limit, in bytes.
        most: usize,
    },
    /// The message is not addressed to topics of one namespace: it goes to every peer or to all
    /// namespaces, excludes recipients, or differs for each of them. A new subscriber would get what
    /// may not be meant for it.
    #[error("only a message to all subscribers of topics of one namespace can be retained")]
    Audience,
}

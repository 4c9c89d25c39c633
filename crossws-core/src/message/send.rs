use std::sync::Arc;

/// What became of a message that was sent to one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sent {
    /// The platform took it.
    Written,
    /// It waits in the peer's queue.
    Queued {
        /// The bytes that wait now, this message's among them.
        bytes: usize,
    },
    /// It was [volatile](SendOptions::volatile) and would have had to wait: it was discarded, and is
    /// counted in [`Peer::dropped`](crate::Peer::dropped).
    Dropped,
}

/// How a message is sent. The same for one peer
/// ([`Peer::send_with`](crate::Peer::send_with)) and for many ([`Peer::to`](crate::Peer::to),
/// [`Scope::topic`](crate::Scope::topic)).
///
/// ```
/// # use crossws_core::{Peer, SendError, SendOptions};
/// fn secret(peer: &Peer, token: &str) -> Result<(), SendError> {
///     peer.send_with(token, SendOptions::new().uncompressed())?;
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "options do nothing until a message is sent with them"]
pub struct SendOptions {
    uncompressed: bool,
    volatile: bool,
    key: Option<Arc<str>>,
}

impl SendOptions {
    /// As a message is sent without any: compressed if that was negotiated, and never discarded
    /// but by the peer's policy.
    pub const fn new() -> Self {
        Self {
            uncompressed: false,
            volatile: false,
            key: None,
        }
    }

    /// Does not compress the message, whatever was negotiated: for one that holds a secret beside
    /// something that others may choose, or that is compressed already.
    pub fn uncompressed(mut self) -> Self {
        self.uncompressed = true;
        self
    }

    /// Discards the message where it would have to wait for a slow client, whatever the peer's
    /// policy: for what is worthless later, such as a cursor's position. It is counted like a message
    /// that a policy discards, and the `dropped` hook is told with
    /// [`DropCause::Volatile`](crate::DropCause::Volatile).
    ///
    /// A message has to wait from when a write has had to wait for the client until the next one
    /// succeeds. A platform that does not tell what waits ([`Capabilities::DRAIN`] is absent, as on
    /// Workers) sends the message like any other. Publishing a volatile message takes as long as
    /// sending it to each subscriber, however busy the topic is.
    ///
    /// [`Capabilities::DRAIN`]: crate::Capabilities::DRAIN
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Replaces an older message with the same key that still waits for a slow client: for what only
    /// the latest of matters, such as a price. The older one is not sent, and counts as no loss; the
    /// newer one is queued as the last. So each client gets the messages, or some of them, in the order
    /// in which they were sent.
    ///
    /// A key belongs to one peer's queue, whatever topics its messages go to. Only messages that were
    /// sent while a write had to wait for the client are replaced, by those that are sent until it has
    /// caught up. A platform that does not tell what waits ([`Capabilities::DRAIN`] is absent, as on
    /// Workers) sends each message. Publishing with a key takes as long as sending the message to each
    /// subscriber, however busy the topic is.
    ///
    /// [`Capabilities::DRAIN`]: crate::Capabilities::DRAIN
    pub fn key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Whether the message may be compressed on its way.
    pub fn may_compress(&self) -> bool {
        !self.uncompressed
    }

    /// Whether the message may be discarded where it would have to wait.
    pub fn is_volatile(&self) -> bool {
        self.volatile
    }

    /// Whether what becomes of a publication does not depend on what waits for a subscriber.
    pub(crate) fn treats_all_alike(&self) -> bool {
        !self.volatile && self.key.is_none()
    }

    /// The key by which a newer message may replace this one.
    pub fn replaces(&self) -> Option<&Arc<str>> {
        self.key.as_ref()
    }
}

/// The setters of [`SendOptions`] for a type that keeps them in this field: one list for everything that
/// sends.
#[doc(hidden)]
#[macro_export]
macro_rules! send_setters {
    ($field:ident) => {
        /// As `SendOptions::uncompressed`.
        pub fn uncompressed(mut self) -> Self {
            self.$field = self.$field.uncompressed();
            self
        }

        /// As `SendOptions::volatile`.
        pub fn volatile(mut self) -> Self {
            self.$field = self.$field.volatile();
            self
        }

        /// As `SendOptions::key`.
        pub fn key(mut self, key: impl Into<std::sync::Arc<str>>) -> Self {
            self.$field = self.$field.key(key);
            self
        }
    };
}

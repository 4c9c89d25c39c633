use std::sync::Arc;

/// What happened to a message that was sent to one peer.
///
/// ```
/// # use crossws_core::*;
/// fn greet(peer: &Peer) -> Result<(), SendError> {
///     if let Sent::Queued { bytes } = peer.send("welcome")? {
///         println!("{bytes} bytes wait for {peer}");
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sent {
    /// The platform took the message.
    Written,
    /// The message waits in the peer's queue.
    Queued {
        /// How many bytes wait now, this message's included.
        bytes: usize,
    },
    /// The message was [volatile](SendOptions::volatile) and would have had to wait. It was
    /// discarded, and is counted in [`Peer::dropped`](crate::Peer::dropped).
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
    /// Creates the default options: the message is compressed if that was negotiated, and discarded
    /// only by the peer's policy.
    pub const fn new() -> Self {
        Self {
            uncompressed: false,
            volatile: false,
            key: None,
        }
    }

    /// Does not compress the message, whatever was negotiated: for a message that holds a secret
    /// together with text that others may choose, or that is already compressed.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.send_with("a secret", SendOptions::new().uncompressed())?;
    /// # Ok(()) }
    /// ```
    pub fn uncompressed(mut self) -> Self {
        self.uncompressed = true;
        self
    }

    /// Discards the message if it would have to wait for a slow client, whatever the peer's policy:
    /// for messages that are worthless later, such as a cursor's position. It is counted like a
    /// message that a policy discards, and the `dropped` hook gets
    /// [`DropCause::Volatile`](crate::DropCause::Volatile).
    ///
    /// Messages have to wait from when a write has had to wait for the client until the next write
    /// succeeds. A platform that does not report its queue ([`Capabilities::DRAIN`] is absent, as
    /// on Workers) sends the message like any other. Publishing a volatile message takes as long as
    /// sending it to each subscriber, however busy the topic is.
    ///
    /// [`Capabilities::DRAIN`]: crate::Capabilities::DRAIN
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.send_with("x=3,y=4", SendOptions::new().volatile())?;
    /// # Ok(()) }
    /// ```
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Replaces an older message with the same key that still waits for a slow client: for values
    /// of which only the latest matters, such as a price. The older one is not sent, and does not
    /// count as lost; the newer one is queued as the last. Each client therefore gets the messages,
    /// or some of them, in the order in which they were sent.
    ///
    /// A key belongs to one peer's queue, whatever topics its messages go to. Only messages that
    /// were sent while a write had to wait for the client are replaced, by those that are sent
    /// until it has caught up. A platform that does not report its queue ([`Capabilities::DRAIN`]
    /// is absent, as on Workers) sends each message. Publishing with a key takes as long as sending
    /// the message to each subscriber, however busy the topic is.
    ///
    /// [`Capabilities::DRAIN`]: crate::Capabilities::DRAIN
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.to("prices").key("EUR/USD").send("1.0843")?;
    /// # Ok(()) }
    /// ```
    pub fn key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Returns whether the message may be compressed.
    pub fn may_compress(&self) -> bool {
        !self.uncompressed
    }

    /// Returns whether the message may be discarded if it would have to wait.
    pub fn is_volatile(&self) -> bool {
        self.volatile
    }

    /// Removes [`volatile`](Self::volatile).
    pub(crate) fn not_volatile(mut self) -> Self {
        self.volatile = false;
        self
    }

    /// Returns whether a publication is treated the same at every subscriber, however long its
    /// queue is.
    pub(crate) fn treats_all_alike(&self) -> bool {
        !self.volatile && self.key.is_none()
    }

    /// Returns the key by which a newer message may replace this one.
    pub fn replaces(&self) -> Option<&Arc<str>> {
        self.key.as_ref()
    }
}

/// The setters of [`SendOptions`] for a type that stores them in this field: one list for every
/// type that sends.
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

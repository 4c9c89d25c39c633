use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::publication::Publication;
use crate::{Hub, IntoMessage, Peer, PublishError, Published};

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
}

/// How a message is sent. The same for one peer ([`Peer::send_with`]) and for many
/// ([`Peer::to`], [`Scope::topic`](crate::Scope::topic)).
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

    /// Allows discarding the message where it would have to wait: for what is worthless later, such
    /// as a cursor's position. A transport that does not discard queues it like any other.
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Allows replacing an older message with the same key that still waits: for what only the
    /// latest of matters. A transport that does not replace queues it like any other.
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

    /// The key by which a newer message may replace this one.
    pub fn replaces(&self) -> Option<&Arc<str>> {
        self.key.as_ref()
    }
}

/// The topics that a message goes to: see [`Peer::to`]. A name for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics<'a>(Cow<'a, str>);

impl<'a> From<&'a str> for Topics<'a> {
    fn from(topic: &'a str) -> Self {
        Self(Cow::Borrowed(topic))
    }
}

impl<'a> From<&'a String> for Topics<'a> {
    fn from(topic: &'a String) -> Self {
        Self(Cow::Borrowed(topic))
    }
}

impl<'a> From<&'a Arc<str>> for Topics<'a> {
    fn from(topic: &'a Arc<str>) -> Self {
        Self(Cow::Borrowed(topic))
    }
}

impl From<String> for Topics<'_> {
    fn from(topic: String) -> Self {
        Self(Cow::Owned(topic))
    }
}

/// A message to many peers, before it is sent: made by [`Peer::to`], [`Peer::to_all`],
/// [`Scope::topic`](crate::Scope::topic) and [`Scope::all`](crate::Scope::all).
///
/// ```
/// # use crossws_core::{Json, Peer, PublishError};
/// fn moved(peer: &Peer, at: (u32, u32)) -> Result<(), PublishError> {
///     peer.to("board").including_self().volatile().key("cursor").send(Json(at))?;
///     Ok(())
/// }
/// ```
#[derive(Clone)]
#[must_use = "nothing is sent until `send`"]
pub struct To<'a> {
    hub: &'a Hub,
    namespace: Option<&'a str>,
    topics: Option<Topics<'a>>,
    from: Option<&'a Peer>,
    including_self: bool,
    options: SendOptions,
}

impl<'a> To<'a> {
    pub(crate) fn new(
        hub: &'a Hub,
        namespace: Option<&'a str>,
        topics: Option<Topics<'a>>,
        from: Option<&'a Peer>,
    ) -> Self {
        Self {
            hub,
            namespace,
            topics,
            from,
            including_self: false,
            options: SendOptions::new(),
        }
    }

    /// Sends to the peer that publishes too, if it is subscribed. Without a publishing peer this
    /// changes nothing.
    pub fn including_self(mut self) -> Self {
        self.including_self = true;
        self
    }

    /// As [`SendOptions::uncompressed`].
    pub fn uncompressed(mut self) -> Self {
        self.options = self.options.uncompressed();
        self
    }

    /// As [`SendOptions::volatile`].
    pub fn volatile(mut self) -> Self {
        self.options = self.options.volatile();
        self
    }

    /// As [`SendOptions::key`].
    pub fn key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.options = self.options.key(key);
        self
    }

    /// Sends with these options, in place of those that were set before.
    pub fn options(mut self, options: SendOptions) -> Self {
        self.options = options;
        self
    }

    /// Sends the message, to each recipient once.
    ///
    /// # Errors
    /// When the value cannot be encoded, or the publishing peer's transport has no topics. A
    /// subscriber's full queue is no error: it is counted in what is returned.
    pub fn send(self, message: impl IntoMessage) -> Result<Published, PublishError> {
        if let Some(from) = self.from {
            from.check_publishes()?;
        }
        let publication = Publication::of(message, self.options)?;
        let except = self.from.filter(|_| !self.including_self);
        let topic = self.topics.as_ref().map(|topics| &*topics.0);
        Ok(self
            .hub
            .deliver(self.namespace, topic, except, &publication))
    }
}

impl fmt::Debug for To<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("To")
            .field("namespace", &self.namespace)
            .field("topics", &self.topics)
            .field("including_self", &self.including_self)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

//! A peer's subscriptions to topics, by name and by pattern.

pub(crate) mod subscriptions;

use std::sync::Arc;

use crate::error::SubscribeError;
use crate::hooks::notice::{Kind, Notice};
use crate::peer::Peer;
use crate::pubsub::topic::Topic;
use crate::pubsub::topic_kind::TopicKind;
use crate::transport::capabilities::Capabilities;

impl Peer {
    /// Subscribes to a topic of the peer's namespace. `Ok(false)` if it already was.
    ///
    /// # Errors
    /// When the connection is ending, the peer has too many topics, the name is too long, the
    /// transport has no topics, or it hibernates and has no room to store one more.
    #[doc(alias = "join")]
    pub fn subscribe(&self, topic: impl AsRef<str>) -> Result<bool, SubscribeError> {
        self.subscribe_to(TopicKind::Topic, topic.as_ref())
    }

    /// Ends a subscription. Returns whether there was one.
    #[doc(alias = "leave")]
    pub fn unsubscribe(&self, topic: impl AsRef<str>) -> bool {
        self.unsubscribe_from(TopicKind::Topic, topic.as_ref())
    }

    /// Subscribes to every topic of the peer's namespace whose name matches, also to topics that do
    /// not exist yet. Returns `Ok(false)` if the peer already was subscribed.
    ///
    /// Names are compared segment by segment, between slashes: `*` is any one segment, `**` at the end
    /// is one or more. `room/*` matches `room/7`, `room/**` also `room/7/log`. A pattern has at most
    /// eight segments.
    ///
    /// The peer gets each publication once, however many of its patterns match and whether or not
    /// it is subscribed to the topic as well. It sees the messages of a topic in the order in which
    /// the topic's own subscribers see them. A message that [excludes](crate::To::except) a topic's
    /// subscribers does not exclude those of a pattern.
    ///
    /// A publication takes as long as sending the message to each peer whose pattern matches.
    /// Patterns that do not match cost next to nothing, however many there are.
    ///
    /// ```
    /// # use crossws_core::{Peer, SubscribeError};
    /// # fn watch(peer: &Peer) -> Result<(), SubscribeError> {
    /// peer.subscribe_pattern("orders/*/status")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`SubscribeError::Pattern`] for an invalid pattern, [`SubscribeError::TooManyPatterns`]
    /// beyond [`Limits::max_patterns`](field@crate::Limits::max_patterns), and otherwise as
    /// [`subscribe`](Self::subscribe).
    pub fn subscribe_pattern(&self, pattern: impl AsRef<str>) -> Result<bool, SubscribeError> {
        self.subscribe_to(TopicKind::Pattern, pattern.as_ref())
    }

    /// Ends a subscription by pattern. Returns whether there was one.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.subscribe_pattern("room/*")?;
    /// assert!(peer.unsubscribe_pattern("room/*"));
    /// # Ok(()) }
    /// ```
    pub fn unsubscribe_pattern(&self, pattern: impl AsRef<str>) -> bool {
        self.unsubscribe_from(TopicKind::Pattern, pattern.as_ref())
    }

    /// Returns the peer's patterns, sorted by name.
    pub fn patterns(&self) -> Vec<Arc<str>> {
        self.0.subscriptions.names(TopicKind::Pattern)
    }

    fn subscribe_to(&self, kind: TopicKind, name: &str) -> Result<bool, SubscribeError> {
        if !self.capabilities().contains(Capabilities::PUBSUB) {
            return Err(SubscribeError::Unsupported);
        }
        let (registry, limits) = (self.0.hub.registry(), &self.settings().limits);
        if !registry.subscribe(self, kind, name, limits, true)? {
            return Ok(false);
        }
        if let Err(error) = self.persist() {
            registry.unsubscribe(self, kind, name);
            return Err(error.into());
        }
        if let Some((topic, _)) = self.0.subscriptions.get(kind, name) {
            self.notify(subscription(&topic, true));
        }
        Ok(true)
    }

    fn unsubscribe_from(&self, kind: TopicKind, name: &str) -> bool {
        let Some(topic) = self.0.hub.registry().unsubscribe(self, kind, name) else {
            return false;
        };
        if let Some(reader) = self.0.transport.log_reader() {
            self.settled(reader.left());
        }
        self.notify(subscription(&topic, false));
        if let Err(error) = self.persist() {
            // There is room for less than before, so only the platform itself can have refused.
            tracing::error!(peer = %self, %error, "an unsubscription was not stored");
        }
        true
    }

    /// Whether the peer is subscribed to a topic, by its name.
    pub fn is_subscribed(&self, topic: impl AsRef<str>) -> bool {
        self.0.subscriptions.contains(topic.as_ref())
    }

    /// The peer's topics, sorted by name.
    #[doc(alias = "rooms")]
    #[doc(alias = "subscriptions")]
    pub fn topics(&self) -> Vec<Arc<str>> {
        self.0.subscriptions.names(TopicKind::Topic)
    }
}

/// The `subscription` hook, to be run.
pub(super) fn subscription(topic: &Topic, joined: bool) -> Notice {
    Notice(Kind::Subscription {
        topic: topic.shared_name(),
        kind: topic.kind,
        joined,
    })
}

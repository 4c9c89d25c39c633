//! A peer's subscriptions to topics, and what those by pattern have in common with them.

mod patterns;
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

    pub(crate) fn subscribe_to(&self, kind: TopicKind, name: &str) -> Result<bool, SubscribeError> {
        if !self.capabilities().contains(Capabilities::PUBSUB) {
            return Err(SubscribeError::Unsupported);
        }
        let hub = &self.0.hub;
        let settings = self.settings();
        let new = hub
            .registry()
            .subscribe(self, kind, name, &settings.limits)?;
        if new && let Err(error) = self.persist() {
            hub.registry().unsubscribe(self, kind, name);
            return Err(error.into());
        }
        if new && let Some((topic, _)) = self.0.subscriptions.get(kind, name) {
            self.notify(subscription(&topic, true));
        }
        Ok(new)
    }

    pub(crate) fn unsubscribe_from(&self, kind: TopicKind, name: &str) -> bool {
        let left = self.0.subscriptions.get(kind, name);
        let was = self.0.hub.registry().unsubscribe(self, kind, name);
        if was && let Some(reader) = self.0.transport.log_reader() {
            self.settled(reader.left());
        }
        if was && let Some((topic, _)) = left {
            self.notify(subscription(&topic, false));
        }
        if was && let Err(error) = self.persist() {
            // There is room for less than before, so only the platform itself can have refused.
            tracing::error!(peer = %self, %error, "an unsubscription was not stored");
        }
        was
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
        kind: topic.kind(),
        joined,
    })
}

//! A peer's subscriptions by pattern.

use std::sync::Arc;

use crate::error::SubscribeError;
use crate::peer::Peer;
use crate::pubsub::topic_kind::TopicKind;

impl Peer {
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
        self.subscriptions().names(TopicKind::Pattern)
    }
}

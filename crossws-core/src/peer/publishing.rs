//! What a peer publishes.

use crate::error::PublishError;
use crate::message::IntoMessage;
use crate::message::send::SendOptions;
use crate::peer::Peer;
use crate::pubsub::publication::Publication;
use crate::pubsub::published::Published;
use crate::pubsub::recipients::Target;
use crate::pubsub::to::To;
use crate::pubsub::topics::Topics;
use crate::transport::capabilities::Capabilities;

impl Peer {
    /// Sends a message to every subscriber of a topic in this namespace except this peer, which
    /// need not be subscribed itself. Works until the `close` hook has ended.
    ///
    /// The same as [`to(topic)`](Self::to)`.send(message)`.
    ///
    /// A closure may end in it; a method of [`Hooks`](crate::Hooks) ends in `Ok(())`:
    ///
    /// ```
    /// # use crossws_core::{HookResult, Hooks, Message, Peer, hooks};
    /// let echo = hooks().on_message(|peer, message| async move { peer.publish("talk", message) });
    ///
    /// struct Talk;
    ///
    /// impl Hooks for Talk {
    ///     async fn message(&self, peer: &Peer, message: Message) -> HookResult {
    ///         peer.publish("talk", message)?;
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// When the value cannot be encoded, or the transport has no topics. A subscriber's full queue
    /// is no error: it is counted in what is returned.
    #[doc(alias = "broadcast_from")]
    pub fn publish(
        &self,
        topic: impl AsRef<str>,
        message: impl IntoMessage,
    ) -> Result<Published, PublishError> {
        self.publish_to(Some(topic.as_ref()), message)
    }

    /// Sends a message to every peer of this namespace except this one.
    ///
    /// The same as [`to_all()`](Self::to_all)`.send(message)`.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn broadcast(&self, message: impl IntoMessage) -> Result<Published, PublishError> {
        self.publish_to(None, message)
    }

    /// The short way, without a [`To`] in between.
    fn publish_to(
        &self,
        topic: Option<&str>,
        message: impl IntoMessage,
    ) -> Result<Published, PublishError> {
        let hub = &self.0.hub;
        if let Some(topic) = topic
            && !hub.topic_overflows().is_empty()
        {
            return self.publish_by_policy(topic, message);
        }
        self.check_publishes()?;
        let publication = Publication::of(message, SendOptions::new())?;
        Ok(hub.deliver(Some(self.namespace()), topic, Some(self), &publication))
    }

    #[cold]
    #[inline(never)]
    fn publish_by_policy(
        &self,
        topic: &str,
        message: impl IntoMessage,
    ) -> Result<Published, PublishError> {
        self.to(topic).send(message)
    }

    /// A message to every subscriber of a topic in this namespace, or of any of several, once each,
    /// except this peer unless [`including_self`](To::including_self) says so: how it is sent, and
    /// whom it leaves out, is said before [`send`](To::send).
    ///
    /// ```
    /// # use crossws_core::{Peer, PublishError};
    /// # fn say(peer: &Peer) -> Result<(), PublishError> {
    /// peer.to("red").send("to one room")?;
    /// peer.to(["red", "blue"]).except("muted").send("to two")?;
    /// # Ok(()) }
    /// ```
    pub fn to<'a>(&'a self, topics: impl Into<Topics<'a>>) -> To<'a> {
        self.publishing(Target::Topics(topics.into()))
    }

    /// A message to every subscriber of any topic that this peer is subscribed to when it is sent,
    /// as [`to`](Self::to). In the `close` hook the peer is subscribed to none.
    pub fn to_own_topics(&self) -> To<'_> {
        self.publishing(Target::Own(self))
    }

    /// A message to every peer of this namespace, as [`to`](Self::to).
    pub fn to_all(&self) -> To<'_> {
        self.publishing(Target::Everyone)
    }

    fn publishing<'a>(&'a self, target: Target<'a>) -> To<'a> {
        To::new(&self.0.hub, Some(self.namespace()), target, Some(self))
    }

    /// Whether the transport has topics.
    pub(crate) fn check_publishes(&self) -> Result<(), PublishError> {
        self.0.life.set_publishes();
        match self.capabilities().contains(Capabilities::PUBSUB) {
            true => Ok(()),
            false => Err(PublishError::Unsupported),
        }
    }
}

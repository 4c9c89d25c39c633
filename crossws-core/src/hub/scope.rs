use std::sync::Arc;

use crate::error::PublishError;
use crate::hub::Hub;
use crate::message::close::CloseFrame;
use crate::message::{IntoMessage, Message};
use crate::peer::Peer;
use crate::peer::life::End;
use crate::pubsub::published::Published;
use crate::pubsub::recipients::Target;
use crate::pubsub::registry::Registry;
use crate::pubsub::to::To;
use crate::pubsub::topic_kind::TopicKind;
use crate::pubsub::topics::Topics;

impl Hub {
    /// Returns the topics and peers of one namespace.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// let lobby = hub.in_namespace("/rooms/lobby");
    /// lobby.publish("news", "hello")?;
    /// assert_eq!(lobby.peer_count(), 0);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn in_namespace<'a>(&'a self, namespace: &'a str) -> Scope<'a> {
        Scope {
            hub: self,
            namespace: Some(namespace),
        }
    }

    /// Returns the topics and peers of all namespaces. Namespaces isolate, so crossing them is
    /// explicit.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// hub.in_all_namespaces().broadcast("maintenance at 18:00")?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn in_all_namespaces(&self) -> Scope<'_> {
        Scope {
            hub: self,
            namespace: None,
        }
    }
}

/// One namespace of a hub, or all of them: see [`Hub::in_namespace`] and
/// [`Hub::in_all_namespaces`].
///
/// ```
/// # use crossws_core::*;
/// # let hub = Hub::default();
/// let room = hub.in_namespace("/rooms/lobby");
/// room.publish("news", "for the subscribers of a topic")?;
/// room.broadcast("for every peer of the room")?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    hub: &'a Hub,
    namespace: Option<&'a str>,
}

impl<'a> Scope<'a> {
    fn registry(self) -> &'a Registry {
        self.hub.registry()
    }

    /// Sends a message to every subscriber of a topic, once each. The same as
    /// [`topic(name)`](Self::topic)`.send(message)`.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// let published = hub.in_namespace("/chat").publish("news", "hello")?;
    /// assert_eq!(published.queued, 0);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the value cannot be encoded. A subscriber's full queue is no error: the result counts it.
    pub fn publish(
        self,
        topic: impl AsRef<str>,
        message: impl IntoMessage,
    ) -> Result<Published, PublishError> {
        self.topic(topic.as_ref()).send(message)
    }

    /// Sends a message to every peer, once each. The same as [`all()`](Self::all)`.send(message)`.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn broadcast(self, message: impl IntoMessage) -> Result<Published, PublishError> {
        self.all().send(message)
    }

    /// Addresses every subscriber of a topic, or of any of several, once each. Options and
    /// exclusions are set before [`send`](To::send).
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// hub.in_namespace("/chat").topic(["red", "blue"]).except("muted").send("hello")?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn topic<'t>(self, topics: impl Into<Topics<'t>>) -> To<'t>
    where
        'a: 't,
    {
        To::new(
            self.hub,
            self.namespace,
            Target::Topics(topics.into()),
            None,
        )
    }

    /// Addresses every peer, as [`topic`](Self::topic).
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// hub.in_namespace("/chat").all().tagged("beta").send("hello")?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn all(self) -> To<'a> {
        To::new(self.hub, self.namespace, Target::Everyone, None)
    }

    /// Returns how many peers there are. Takes constant time.
    pub fn peer_count(self) -> usize {
        self.registry().peer_count(self.namespace)
    }

    /// Returns the peers. Two calls without a join or leave in between return the same list.
    /// Creates a handle to each: [`peer_count`](Self::peer_count) counts them without.
    pub fn peers(self) -> Vec<Peer> {
        self.registry().peers(self.namespace)
    }

    /// Returns the topics with subscribers, sorted by name.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// assert!(hub.in_all_namespaces().topics().is_empty());
    /// ```
    pub fn topics(self) -> Vec<Arc<str>> {
        self.registry().topics(self.namespace, TopicKind::Topic)
    }

    /// Returns the patterns with subscribers, sorted by name: see [`Peer::subscribe_pattern`].
    pub fn patterns(self) -> Vec<Arc<str>> {
        self.registry().topics(self.namespace, TopicKind::Pattern)
    }

    /// Returns how many peers are subscribed to a pattern.
    pub fn pattern_count(self, pattern: impl AsRef<str>) -> usize {
        let kind = TopicKind::Pattern;
        self.registry()
            .count(self.namespace, kind, pattern.as_ref())
    }

    /// Returns how many subscribers of a topic are [behind](Peer::is_behind). A loop that publishes
    /// should wait while there are any, or they are closed as slow consumers. See
    /// [`yield_now`](crate::yield_now).
    pub fn behind(self, topic: impl AsRef<str>) -> usize {
        self.registry().behind(self.namespace, topic.as_ref())
    }

    /// Returns how many peers are subscribed to a topic, without those of patterns that match it.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// assert_eq!(hub.in_namespace("/chat").count("news"), 0);
    /// ```
    #[doc(alias = "subscriberCount")]
    pub fn count(self, topic: impl AsRef<str>) -> usize {
        self.registry()
            .count(self.namespace, TopicKind::Topic, topic.as_ref())
    }

    /// Returns the subscribers of a topic, in no particular order, without those of patterns that
    /// match it: for a list of who is in a room. Creates a handle to each: [`count`](Self::count)
    /// counts them without.
    ///
    /// ```
    /// # use crossws_core::*;
    /// fn names(hub: &Hub) -> Vec<String> {
    ///     let subscribers = hub.in_namespace("/chat").subscribers("news");
    ///     let names = subscribers.iter().filter_map(Peer::identity);
    ///     names.map(|name| name.to_string()).collect()
    /// }
    /// # assert!(names(&Hub::default()).is_empty());
    /// ```
    #[doc(alias = "fetchSockets")]
    #[doc(alias = "members")]
    #[doc(alias = "presence")]
    pub fn subscribers(self, topic: impl AsRef<str>) -> Vec<Peer> {
        self.registry().subscribers(self.namespace, topic.as_ref())
    }

    /// Returns the message that a topic [retains](To::retained), in all namespaces that of the first one that
    /// has one. Of a message in several formats it returns the first: that for clients whose subprotocol has
    /// none of its own.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// let prices = hub.in_namespace("/prices");
    /// prices.topic("EUR/USD").retained().send("1.0843")?;
    /// assert_eq!(prices.retained("EUR/USD").unwrap().text()?, "1.0843");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn retained(self, topic: impl AsRef<str>) -> Option<Message> {
        let topic = topic.as_ref();
        self.registry().retained(self.namespace, topic)
    }

    /// Returns the topics that retain a message, sorted by name. They need not have subscribers.
    pub fn retained_topics(self) -> Vec<Arc<str>> {
        self.registry().retained_topics(self.namespace)
    }

    /// Forgets the message that a topic retains. Returns in how many namespaces there was one.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// let prices = hub.in_namespace("/prices");
    /// prices.topic("EUR/USD").retained().send("1.0843")?;
    /// assert_eq!(prices.clear_retained("EUR/USD"), 1);
    /// assert!(prices.retained("EUR/USD").is_none());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn clear_retained(self, topic: impl AsRef<str>) -> usize {
        let topic = topic.as_ref();
        self.registry().clear_retained(self.namespace, topic)
    }

    /// Closes every peer with this frame. New peers may join meanwhile.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// hub.in_namespace("/rooms/7").close_all(CloseCode::NORMAL);
    /// ```
    pub fn close_all(self, frame: impl Into<CloseFrame>) {
        Peer::close_all(self.peers(), &frame.into(), End::Server);
    }
}

// Without the hub, whose own takes locks.
crate::opaque_debug!([] Scope<'_>, self => namespace: self.namespace);

//! How peers subscribe to topics and patterns.

use std::sync::Arc;

use crate::error::SubscribeError;
use crate::hub::settings::limits::Limits;
use crate::peer::Peer;
use crate::peer::told::Told;
use crate::pubsub::pattern::check_pattern;
use crate::pubsub::registry::Registry;
use crate::pubsub::topic::Topic;
use crate::pubsub::topic_kind::TopicKind;
use crate::sort::sort_by;

impl Registry {
    /// Subscribes a peer to a topic or a pattern. A new subscriber is sent what is retained there; one
    /// that was subscribed before a sleep is not.
    pub(crate) fn subscribe(
        &self,
        peer: &Peer,
        kind: TopicKind,
        name: &str,
        limits: &Limits,
        is_new: bool,
    ) -> Result<bool, SubscribeError> {
        limits.check_name(name)?;
        if kind == TopicKind::Pattern {
            check_pattern(name)?;
        }
        let Some(namespace) = self.namespace(peer.namespace()) else {
            return Err(SubscribeError::Closed);
        };
        // Held until the peer has joined: no message is published and retained meanwhile.
        let retained = namespace.retained.lock();
        if !peer.subscriptions().admits(kind, name, limits)? {
            return Ok(false);
        }
        let first = match is_new {
            true => retained.publications(kind, name, peer.protocol()),
            false => Vec::new(),
        };
        // Before the index is locked, for which every publisher waits.
        if let Some(wire) = peer.wire() {
            let slow = first.iter().filter(|it| wire.takes_long(it));
            slow.for_each(|it| _ = it.encoded(wire));
        }
        let mut index = namespace.index.lock();
        let topic = match index.get(kind, name) {
            Some(topic) => Arc::clone(topic),
            None => {
                if !self.topics.take(1, limits.max_hub_topics) {
                    return Err(SubscribeError::HubFull(limits.max_hub_topics.get()));
                }
                let topic = Topic::new(kind, Some(Arc::from(name)), namespace.clock.clone());
                index.insert(Arc::clone(&topic));
                topic
            }
        };
        let mut told = Told::default();
        // Under the topic's lock: whatever is published from here on follows what was retained.
        let remember = |key| {
            let joins = peer.subscriptions().insert(Arc::clone(&topic), key);
            if joins {
                for publication in &first {
                    told.publish(peer, publication);
                }
            }
            joins
        };
        // Under the index's lock, so that no thread removes an empty topic meanwhile.
        if topic.insert(peer, remember) {
            drop(index);
            drop(retained);
            self.tell(told);
            return Ok(true);
        }
        // The peer began to leave since the check.
        let unused = index.take_if_empty(&topic, &self.topics);
        drop(index);
        drop(unused);
        Err(SubscribeError::Closed)
    }

    /// Checks that all of these topics of a namespace exist or could be created now.
    pub(crate) fn has_room_for(
        &self,
        namespace: &str,
        topics: &[Arc<str>],
        limits: &Limits,
    ) -> bool {
        if topics.is_empty() {
            return true;
        }
        let room = limits.max_hub_topics.get();
        let room = room.saturating_sub(self.topics.used());
        if topics.len() <= room {
            return true;
        }
        let mut new: Vec<_> = topics.iter().collect();
        sort_by(&mut new, Ord::cmp);
        new.dedup();
        self.visit(Some(namespace), |_, namespace| {
            let index = namespace.index.lock();
            new.retain(|topic| !index.topics.contains_key(*topic));
        });
        new.len() <= room
    }

    /// Ends a subscription. Returns its topic, if there was one.
    pub(crate) fn unsubscribe(
        &self,
        peer: &Peer,
        kind: TopicKind,
        name: &str,
    ) -> Option<Arc<Topic>> {
        let namespace = self.namespace(peer.namespace())?;
        let (topic, key) = peer.subscriptions().get(kind, name)?;
        // Not the last handle: the caller holds one.
        namespace.remove_member(&topic, key, peer, &self.topics)?;
        peer.subscriptions().remove(&topic, key);
        Some(topic)
    }
}

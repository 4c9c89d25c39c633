//! A namespace: its peers, its topics by name, and what they retain.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::hub::budget::Budget;
use crate::peer::Peer;
use crate::pubsub::cursor::Sequence;
use crate::pubsub::members::Key;
use crate::pubsub::publication::Publication;
use crate::pubsub::recipients::{Recipients, Target};
use crate::pubsub::registry::patterns::Patterns;
use crate::pubsub::registry::retaining::Holds;
use crate::pubsub::retained::Retained;
use crate::pubsub::topic;
use crate::pubsub::topic::{Several, SubscribersOf, Told, Topic};
use crate::pubsub::topic_kind::TopicKind;
use crate::pubsub::topics::Topics;
use crate::sync::Mutex;

pub(super) struct Namespace {
    /// The order of all publications in this namespace.
    pub(super) clock: Sequence,
    /// The peers of the namespace, as the topic that `broadcast` publishes to.
    pub(super) everyone: Arc<Topic>,
    pub(super) retained: Retained,
    pub(super) holds: Holds,
    pub(super) index: Mutex<Index>,
}

impl Default for Namespace {
    fn default() -> Self {
        let clock = Sequence::default();
        Self {
            everyone: Topic::everyone(clock.clone()),
            clock,
            retained: Retained::default(),
            holds: Holds::default(),
            index: Mutex::default(),
        }
    }
}

#[derive(Default)]
pub(super) struct Index {
    /// Each peer's own `Subscriptions` are the other direction, changed under this lock too.
    pub(super) topics: BTreeMap<Arc<str>, Arc<Topic>>,
    // A pointer, because most namespaces have none.
    pub(super) patterns: Option<Box<Patterns>>,
}

impl Namespace {
    /// Returns the topics of the addressed peers.
    pub(super) fn audience<'a, 'f>(&self, recipients: &'a Recipients<'f>) -> SubscribersOf<'a, 'f> {
        let any = match &recipients.to {
            Target::Everyone => std::iter::once(Arc::clone(&self.everyone)).collect(),
            Target::Topics(topics) => self.several(topics),
            Target::Own(peer) => {
                let mut any = peer.subscriptions().topics();
                self.index.lock().add_matching(&mut any);
                any
            }
        };
        SubscribersOf::new(
            any,
            self.without_patterns(&recipients.except),
            &recipients.only,
        )
    }

    /// Queues a publication at every subscriber of `topic`, or at every peer when there is none given.
    #[inline(never)]
    pub(super) fn publish(
        &self,
        topic: Option<&str>,
        except: Option<&Peer>,
        publication: &Publication,
        told: &mut Told,
    ) {
        let Some(name) = topic else {
            return self.everyone.publish(except, publication, told);
        };
        let index = self.index.lock();
        let topic = index.topics.get(name).cloned();
        if let Some(patterns) = &index.patterns
            && let Some(patterns) = patterns.found(name)
        {
            drop(index);
            return topic::publish_matched(topic, *patterns, except, publication, told);
        }
        drop(index);
        if let Some(topic) = topic {
            topic.publish(except, publication, told);
        }
    }

    /// Returns those of these topics with members, and the patterns that match one of their names.
    pub(super) fn several(&self, topics: &Topics<'_>) -> Several {
        let mut several = self.without_patterns(topics);
        if let Some(patterns) = &self.index.lock().patterns {
            for name in topics.names() {
                patterns.matching(name, &mut several);
            }
        }
        several
    }

    /// Returns those of these topics with members.
    pub(super) fn without_patterns(&self, topics: &Topics<'_>) -> Several {
        if topics.is_empty() {
            return Several::new();
        }
        let index = self.index.lock();
        let found = topics.names().filter_map(|name| index.topics.get(name));
        found.cloned().collect()
    }

    /// Removes one peer from a topic, and the topic from the index with its last peer.
    pub(super) fn remove_member(
        &self,
        topic: &Arc<Topic>,
        key: Key,
        peer: &Peer,
        count: &Budget,
    ) -> Option<Peer> {
        let removed = topic.remove(key, peer);
        if topic.is_empty() {
            let unused = self.index.lock().take_if_empty(topic, count);
            drop(unused);
        }
        removed
    }
}

impl Index {
    pub(super) fn get(&self, kind: TopicKind, name: &str) -> Option<&Arc<Topic>> {
        match kind {
            TopicKind::Topic => self.topics.get(name),
            TopicKind::Pattern => self.patterns.as_ref()?.get(name),
        }
    }

    pub(super) fn insert(&mut self, topic: Arc<Topic>) {
        match topic.kind() {
            TopicKind::Topic => {
                self.topics.insert(topic.shared_name(), topic);
            }
            TopicKind::Pattern => self.patterns.get_or_insert_default().insert(topic),
        }
    }

    /// Adds the patterns that match one of these topics.
    pub(super) fn add_matching(&self, topics: &mut Several) {
        if let Some(patterns) = &self.patterns {
            for topic in topics.clone() {
                patterns.matching(topic.name(), topics);
            }
        }
    }

    /// Removes a topic without members, also from the count of all topics. The caller must drop it
    /// without the lock.
    pub(super) fn take_if_empty(
        &mut self,
        topic: &Arc<Topic>,
        count: &Budget,
    ) -> Option<Arc<Topic>> {
        let found = self.get(topic.kind(), topic.name())?;
        if !Arc::ptr_eq(found, topic) || !topic.is_empty() {
            return None;
        }
        count.give_back(1);
        match topic.kind() {
            TopicKind::Topic => self.topics.remove(topic.name()),
            TopicKind::Pattern => {
                let patterns = self.patterns.as_mut()?;
                let unused = patterns.remove(topic.name());
                if patterns.is_empty() {
                    self.patterns = None;
                }
                unused
            }
        }
    }
}

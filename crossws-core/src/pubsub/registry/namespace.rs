//! A namespace: its peers, its topics by name, and what they retain.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::hub::budget::Budget;
use crate::peer::Peer;
use crate::peer::members::Key;
use crate::pubsub::log::Sequence;
use crate::pubsub::registry::patterns::Patterns;
use crate::pubsub::retained::{Retained, RetainedBy};
use crate::pubsub::topic::{Several, Topic};
use crate::pubsub::topic_kind::TopicKind;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};

pub(super) struct Namespace {
    /// The order of all publications in this namespace.
    pub(super) clock: Sequence,
    /// The peers of the namespace, as the topic that `broadcast` publishes to.
    pub(super) everyone: Arc<Topic>,
    pub(super) retained: Mutex<Retained>,
    pub(super) holds: Holds,
    pub(super) index: Mutex<Index>,
}

impl Default for Namespace {
    fn default() -> Self {
        let clock = Sequence::default();
        Self {
            everyone: Topic::new(TopicKind::Topic, None, clock.clone()),
            clock,
            retained: Mutex::default(),
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
    pub(super) patterns: Option<Box<Patterns<Arc<Topic>>>>,
}

impl Namespace {
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
        match topic.kind {
            TopicKind::Topic => {
                self.topics.insert(topic.shared_name(), topic);
            }
            TopicKind::Pattern => {
                let patterns = self.patterns.get_or_insert_default();
                patterns.insert(topic.shared_name(), topic);
            }
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
        let found = self.get(topic.kind, topic.name())?;
        if !Arc::ptr_eq(found, topic) || !topic.is_empty() {
            return None;
        }
        count.give_back(1);
        match topic.kind {
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

/// The messages that the hub retains in a namespace, and the publications of one in progress. While
/// there are any, the namespace exists without peers.
#[derive(Default)]
pub(super) struct Holds(AtomicUsize);

impl Holds {
    pub(super) fn add(&self, by: RetainedBy) {
        if by == RetainedBy::Hub {
            self.0.fetch_add(1, Ordering::AcqRel);
        }
    }

    pub(super) fn end(&self, by: RetainedBy) {
        if by == RetainedBy::Hub {
            self.0.fetch_sub(1, Ordering::AcqRel);
        }
    }

    pub(super) fn any(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }
}

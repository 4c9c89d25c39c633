//! What a peer is a member of, kept with the peer: most have a topic or two, and need no maps for it.

use std::cmp::Ordering;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::members::Key;
use crate::sync::Mutex;
use crate::topic::Topic;
use crate::{Limits, SubscribeError};

/// A peer's topics, and its key in each. Changed under the index's lock of its namespace, and the
/// last in the order of locks: see `registry.rs`.
#[derive(Default)]
pub(crate) struct Subscriptions(Mutex<State>);

#[derive(Default)]
struct State {
    /// Among the peers of its namespace, while it is there.
    everyone: Option<Key>,
    /// By name.
    topics: Topics,
}

/// Topics, and the keys in them.
pub(crate) type Topics = SmallVec<[(Arc<Topic>, Key); 1]>;

impl Subscriptions {
    /// The peer has joined its namespace.
    pub(crate) fn join(&self, key: Key) {
        self.0.lock().everyone = Some(key);
    }

    /// The peer has left, what it was a member of too.
    pub(crate) fn leave(&self) {
        let _all = std::mem::take(&mut *self.0.lock());
    }

    /// What the peer is a member of.
    pub(crate) fn all(&self) -> (Option<Key>, Topics) {
        let state = self.0.lock();
        (state.everyone, state.topics.clone())
    }

    /// Whether the peer may be subscribed to one more topic, of this name: `false` if it is
    /// already.
    pub(crate) fn admits(&self, topic: &str, limits: &Limits) -> Result<bool, SubscribeError> {
        let state = self.0.lock();
        if state.everyone.is_none() {
            Err(SubscribeError::Closed)
        } else if state.find(topic).is_ok() {
            Ok(false)
        } else if !limits.max_topics.allows(state.topics.len() + 1) {
            Err(SubscribeError::TooMany(state.topics.len()))
        } else {
            Ok(true)
        }
    }

    pub(crate) fn insert(&self, topic: Arc<Topic>, key: Key) {
        let mut state = self.0.lock();
        if let Err(at) = state.find(topic.name()) {
            state.topics.insert(at, (topic, key));
        }
    }

    pub(crate) fn get(&self, topic: &str) -> Option<(Arc<Topic>, Key)> {
        let state = self.0.lock();
        let at = state.find(topic).ok()?;
        state.topics.get(at).cloned()
    }

    /// The peer is a member no more.
    pub(crate) fn remove(&self, topic: &str) {
        let mut state = self.0.lock();
        if let Ok(at) = state.find(topic) {
            state.topics.remove(at);
        }
    }

    pub(crate) fn contains(&self, topic: &str) -> bool {
        self.0.lock().find(topic).is_ok()
    }

    /// The names of the topics, in their order.
    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        let state = self.0.lock();
        let topics = state.topics.iter();
        topics.map(|(topic, _)| topic.shared_name()).collect()
    }

    /// The key in this topic, to be looked up there.
    pub(crate) fn key(&self, topic: &Topic) -> Option<Key> {
        let state = self.0.lock();
        if topic.is_everyone() {
            return state.everyone;
        }
        let at = state.find(topic.name()).ok()?;
        let (_, key) = state.topics.get(at)?;
        Some(*key)
    }
}

impl State {
    /// Where a topic is, or belongs.
    fn find(&self, name: &str) -> Result<usize, usize> {
        let by_name = |(topic, _): &(Arc<Topic>, Key)| -> Ordering { topic.name().cmp(name) };
        self.topics.binary_search_by(by_name)
    }
}

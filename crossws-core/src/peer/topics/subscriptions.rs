//! A peer's memberships, stored with the peer: most have a topic or two, and need no maps for it.

use std::cmp::Ordering;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::error::SubscribeError;
use crate::hub::group::route_members::RouteMembers;
use crate::hub::settings::limits::Limits;
use crate::peer::members::Key;
use crate::pubsub::topic::{Several, Topic};
use crate::pubsub::topic_kind::TopicKind;
use crate::sync::{Mutex, MutexGuard};

/// A peer's topics, and its key in each. The last in the order of locks: see `registry.rs`.
#[derive(Default)]
pub(crate) struct Subscriptions(Mutex<Known>);

/// A peer's memberships, while their list is locked.
#[derive(Default)]
pub(crate) struct Known {
    stay: Stay,
    /// Topics, then patterns, each by name.
    topics: Memberships,
    /// The route, and the key there.
    route: Option<(Arc<RouteMembers>, Key)>,
}

/// A peer's place among the peers of its namespace.
#[derive(Clone, Copy, Default)]
enum Stay {
    /// It has not joined yet, or has left.
    #[default]
    Out,
    In(Key),
    /// The peer cannot be added anywhere any more. Its remaining memberships stay known until it
    /// has none, because its publications need their author.
    Leaving(Option<Key>),
}

impl Stay {
    fn key(self) -> Option<Key> {
        match self {
            Self::Out => None,
            Self::In(key) => Some(key),
            Self::Leaving(key) => key,
        }
    }
}

/// Up to this many topics are searched one by one.
const FEW: usize = 8;

/// Topics, and the keys in them.
pub(crate) type Memberships = SmallVec<[(Arc<Topic>, Key); 1]>;

impl Subscriptions {
    /// Notes that the peer joins its namespace. Returns `false` if it is leaving.
    pub(crate) fn join(&self, key: Key) -> bool {
        let mut state = self.0.lock();
        let joins = matches!(state.stay, Stay::Out);
        if joins {
            state.stay = Stay::In(key);
        }
        joins
    }

    /// Notes that the peer is listed on a route. Returns `false` if it is leaving.
    pub(crate) fn join_route(&self, route: &Arc<RouteMembers>, key: Key) -> bool {
        let mut state = self.0.lock();
        let stays = matches!(state.stay, Stay::In(_)) && state.route.is_none();
        if stays {
            state.route = Some((Arc::clone(route), key));
        }
        stays
    }

    /// Returns whether the peer is listed on this route, or on none.
    pub(crate) fn is_on(&self, route: Option<&Arc<RouteMembers>>) -> bool {
        let state = self.0.lock();
        let on = state.route.as_ref().map(|(on, _)| Arc::as_ptr(on));
        on == route.map(Arc::as_ptr)
    }

    /// Notes that the peer is listed on no route any more. Returns the earlier one.
    pub(crate) fn take_route(&self) -> Option<(Arc<RouteMembers>, Key)> {
        self.0.lock().route.take()
    }

    /// Notes that the peer begins to leave: it is added nowhere from here on. Returns its
    /// memberships.
    pub(crate) fn begin_leaving(&self) -> (Option<Key>, Memberships) {
        let mut state = self.0.lock();
        let key = state.stay.key();
        state.stay = Stay::Leaving(key);
        let topics = match state.topics.is_empty() {
            true => Memberships::new(),
            false => state.topics.clone(),
        };
        (key, topics)
    }

    /// Returns whether the peer has joined its namespace, and has not begun to leave.
    pub(crate) fn is_listed(&self) -> bool {
        matches!(self.0.lock().stay, Stay::In(_))
    }

    /// Returns whether the peer has left everything, or never joined and will not.
    pub(crate) fn has_left(&self) -> bool {
        matches!(self.0.lock().stay, Stay::Leaving(None))
    }

    /// Notes that the peer has left everything.
    pub(crate) fn clear(&self) {
        let mut state = self.0.lock();
        state.stay = Stay::Leaving(None);
        let topics = std::mem::take(&mut state.topics);
        drop(state);
        drop(topics);
    }

    /// Checks that the peer may be subscribed to one more topic or pattern, of this name. Returns
    /// `false` if it already is.
    pub(crate) fn admits(
        &self,
        kind: TopicKind,
        name: &str,
        limits: &Limits,
    ) -> Result<bool, SubscribeError> {
        let state = self.0.lock();
        if !matches!(state.stay, Stay::In(_)) {
            return Err(SubscribeError::Closed);
        }
        if state.find(kind, name).is_ok() {
            return Ok(false);
        }
        let count = state.of_kind(kind).len();
        match kind {
            TopicKind::Topic if !limits.max_topics.allows(count + 1) => {
                Err(SubscribeError::TooMany(count))
            }
            TopicKind::Pattern if !limits.max_patterns.allows(count + 1) => {
                Err(SubscribeError::TooManyPatterns(count))
            }
            _ => Ok(true),
        }
    }

    /// Notes that the peer is a member of one more topic. Returns `false` if it is leaving.
    pub(crate) fn insert(&self, topic: Arc<Topic>, key: Key) -> bool {
        let mut state = self.0.lock();
        let stays = matches!(state.stay, Stay::In(_));
        if stays && let Err(at) = state.find_topic(&topic) {
            state.topics.insert(at, (topic, key));
        }
        stays
    }

    pub(crate) fn get(&self, kind: TopicKind, name: &str) -> Option<(Arc<Topic>, Key)> {
        let state = self.0.lock();
        let at = state.find(kind, name).ok()?;
        state.topics.get(at).cloned()
    }

    /// Notes that the membership with this key has ended: the peer may join again under another
    /// key.
    pub(crate) fn remove(&self, topic: &Arc<Topic>, key: Key) {
        let mut state = self.0.lock();
        let is_it = |at: &usize| match state.topics.get(*at) {
            Some((found, other)) => Arc::ptr_eq(found, topic) && *other == key,
            None => false,
        };
        let at = state.find_topic(topic).ok().filter(is_it);
        let removed = at.map(|at| state.topics.remove(at));
        drop(state);
        drop(removed);
    }

    pub(crate) fn contains(&self, topic: &str) -> bool {
        self.0.lock().find(TopicKind::Topic, topic).is_ok()
    }

    /// Returns the names of the topics, or of the patterns, in their order.
    pub(crate) fn names(&self, kind: TopicKind) -> Vec<Arc<str>> {
        let state = self.0.lock();
        let topics = state.of_kind(kind).iter();
        topics.map(|(topic, _)| topic.shared_name()).collect()
    }

    /// Returns the topics, without the patterns.
    pub(crate) fn topics(&self) -> Several {
        let state = self.0.lock();
        let topics = state.of_kind(TopicKind::Topic).iter();
        topics.map(|(topic, _)| Arc::clone(topic)).collect()
    }

    /// Returns the key in this topic.
    pub(crate) fn key(&self, topic: &Topic) -> Option<Key> {
        self.0.lock().key(topic)
    }

    /// Locks the list, for several look-ups.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock()
    }
}

impl Known {
    /// Returns the key in this topic, which must be looked up there.
    pub(crate) fn key(&self, topic: &Topic) -> Option<Key> {
        if topic.is_everyone() {
            return self.stay.key();
        }
        let is_it = |(found, _): &&(Arc<Topic>, Key)| std::ptr::eq(Arc::as_ptr(found), topic);
        let found = match self.topics.len() {
            // Nearly always: names take longer to compare.
            ..=FEW => self.topics.iter().find(is_it),
            _ => self.topics.get(self.find_topic(topic).ok()?),
        };
        Some(found?.1)
    }

    /// Where a topic or a pattern is, or belongs.
    fn find(&self, kind: TopicKind, name: &str) -> Result<usize, usize> {
        let by_name = |(topic, _): &(Arc<Topic>, Key)| -> Ordering {
            let by_kind = topic.kind.cmp(&kind);
            by_kind.then_with(|| topic.name().cmp(name))
        };
        self.topics.binary_search_by(by_name)
    }

    fn find_topic(&self, topic: &Topic) -> Result<usize, usize> {
        self.find(topic.kind, topic.name())
    }

    fn of_kind(&self, kind: TopicKind) -> &[(Arc<Topic>, Key)] {
        let topics = self
            .topics
            .partition_point(|(topic, _)| !topic.is_pattern());
        let (topics, patterns) = self.topics.split_at(topics);
        match kind {
            TopicKind::Topic => topics,
            TopicKind::Pattern => patterns,
        }
    }
}

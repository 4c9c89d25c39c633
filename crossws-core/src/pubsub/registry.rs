//! The places of all peers: by id and by namespace, and subscriptions by `(namespace, topic)`.
//!
//! Four kinds of locks, always taken in this order: the hub's map, a namespace's index, a topic
//! (the peers of a namespace are one; several at once only for a message to several, or to one that
//! patterns match, in the order of their addresses, patterns last), a peer's list of its topics. A
//! topic's lock is held while one publication is queued at each of its subscribers, which gives
//! every subscriber the same order. No code wakes, awaits or calls back under any of these locks.
//! No work proportional to messages, members or topics happens under the first two: a peer that
//! leaves takes a topic's lock for each of its topics, and none of the first two meanwhile.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};
use std::ops::Bound;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::adapter::Publication;
use crate::error::SubscribeError;
use crate::hub::behind::Behind;
use crate::hub::budget::Budget;
use crate::hub::group::Rosters;
use crate::hub::labels::LabelIndex;
use crate::hub::limits::Limits;
use crate::hub::route_members::Routes;
use crate::peer::Peer;
use crate::peer::id::PeerId;
use crate::peer::subscriptions;
use crate::pubsub::cursor::Sequence;
use crate::pubsub::filter::Filter;
use crate::pubsub::flusher::Asleep;
use crate::pubsub::members::Key;
use crate::pubsub::pattern::{Patterns, check_pattern};
use crate::pubsub::published::Published;
use crate::pubsub::to::Topics;
use crate::pubsub::topic::{self, Audience, Each, Several, Told, Topic, TopicKind};
use crate::sort::sort_by;
use crate::sync::Mutex;

/// How many namespaces one hold of the hub's lock looks up.
const STEP: usize = 64;

#[derive(Default)]
pub(crate) struct Registry {
    hub: Mutex<HubMap>,
    /// How many topics all namespaces have together.
    topics: Budget,
    routes: Routes,
    labels: LabelIndex,
    behind: Behind,
}

#[derive(Default)]
struct HubMap {
    peers: HashSet<ById>,
    // Ordered, so that every listing of all namespaces reads the same.
    namespaces: BTreeMap<Arc<str>, Arc<Namespace>>,
}

/// A peer in a map by its id, which the peer itself contains.
struct ById(Peer);

impl Borrow<PeerId> for ById {
    fn borrow(&self) -> &PeerId {
        self.0.id_ref()
    }
}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id_ref().hash(state);
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id_ref() == other.0.id_ref()
    }
}

impl Eq for ById {}

struct Namespace {
    /// The order of all publications in this namespace.
    clock: Sequence,
    /// The peers of the namespace, as the topic that `broadcast` publishes to.
    everyone: Arc<Topic>,
    index: Mutex<Index>,
}

impl Default for Namespace {
    fn default() -> Self {
        let clock = Sequence::default();
        Self {
            everyone: Topic::everyone(clock.clone()),
            clock,
            index: Mutex::default(),
        }
    }
}

#[derive(Default)]
struct Index {
    /// Each peer's own `Subscriptions` are the other direction, changed under this lock too.
    topics: BTreeMap<Arc<str>, Arc<Topic>>,
    // A pointer, because most namespaces have none.
    patterns: Option<Box<Patterns>>,
}

/// The recipients of a message.
#[derive(Clone, Copy)]
pub(crate) enum To<'a, 'n> {
    /// To every peer of a namespace.
    Everyone,
    /// To the members of any of these.
    Topics(&'a Topics<'n>),
    /// To the members of any of this peer's topics.
    TopicsOf(&'a Peer),
}

/// Why a peer could not join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JoinError {
    DuplicateId,
    TooManyPeers,
    TooManyNamespaces,
}

/// A namespace and its name.
type Found<'a> = (&'a Arc<str>, &'a Arc<Namespace>);

impl HubMap {
    /// Checks that there is room for this many peers, the last of them in this namespace. Returns
    /// the namespace, if it exists.
    fn check(
        &self,
        peers: usize,
        namespace: &str,
        limits: &Limits,
    ) -> Result<Option<Found<'_>>, JoinError> {
        if !limits.max_peers.allows(peers) {
            return Err(JoinError::TooManyPeers);
        }
        let found = self.namespaces.get_key_value(namespace);
        if found.is_none() && !limits.max_namespaces.allows(self.namespaces.len() + 1) {
            return Err(JoinError::TooManyNamespaces);
        }
        Ok(found)
    }
}

impl Registry {
    /// Checks that a peer could join now. Returns the namespace's name, to be shared, if it has
    /// peers already.
    pub(crate) fn check(
        &self,
        id: PeerId,
        namespace: &str,
        limits: &Limits,
    ) -> Result<Option<Arc<str>>, JoinError> {
        let hub = self.hub.lock();
        if hub.peers.contains(&id) {
            return Err(JoinError::DuplicateId);
        }
        let found = hub.check(hub.peers.len() + 1, namespace, limits)?;
        Ok(found.map(|(name, _)| Arc::clone(name)))
    }

    pub(crate) fn join(&self, peer: &Peer, limits: &Limits) -> Result<(), JoinError> {
        let mut guard = self.hub.lock();
        let hub = &mut *guard;
        // The caller holds another handle: none of these is the last.
        if !hub.peers.insert(ById(peer.clone())) {
            return Err(JoinError::DuplicateId);
        }
        let found = match hub.check(hub.peers.len(), peer.namespace(), limits) {
            Ok(found) => found.map(|(_, namespace)| Arc::clone(namespace)),
            Err(full) => {
                hub.peers.remove(peer.id_ref());
                return Err(full);
            }
        };
        let namespace = found.unwrap_or_else(|| {
            let namespace = Arc::<Namespace>::default();
            let name = Arc::clone(peer.namespace_shared());
            hub.namespaces.insert(name, Arc::clone(&namespace));
            namespace
        });
        let remember = |key| peer.subscriptions().join(key);
        // No other thread has its handle yet that could make it leave.
        namespace.everyone.insert(peer, remember);
        drop(guard);
        self.join_route(peer);
        Ok(())
    }

    pub(crate) fn routes(&self) -> &Routes {
        &self.routes
    }

    pub(crate) fn labels(&self) -> &LabelIndex {
        &self.labels
    }

    /// Lists the peer among the connections of its route, and removes it from another route's.
    pub(crate) fn join_route(&self, peer: &Peer) {
        let route = self.routes.of(&peer.settings());
        if peer.subscriptions().is_on(route.as_ref()) {
            return;
        }
        if let Some((old, key)) = peer.subscriptions().take_route() {
            drop(old.roster().remove(key, peer));
        }
        if let Some(route) = route {
            let remember = |key| peer.subscriptions().join_route(&route, key);
            route.roster().insert(peer, remember);
        }
    }

    /// Removes the peer from every list and topic. When this returns, the peer is in none, even if
    /// another thread is removing it at the same time. Returns the topics that it was in, unless
    /// that thread is done.
    pub(crate) fn leave(&self, peer: &Peer) -> subscriptions::Topics {
        if peer.subscriptions().has_left() {
            return subscriptions::Topics::new();
        }
        // Handles and topics are dropped without a lock: the last handle runs user code.
        let (found, namespace) = self.take(peer);
        let Some(namespace) = namespace else {
            return subscriptions::Topics::new();
        };
        let mut gone = SmallVec::<[Peer; 4]>::new();
        gone.extend(found);
        let (everyone, topics) = peer.subscriptions().begin_leaving();
        if let Some((route, key)) = peer.subscriptions().take_route() {
            gone.extend(route.roster().remove(key, peer));
        }
        if let Some(labels) = peer.labels() {
            labels.leave(peer);
        }
        for (topic, key) in &topics {
            gone.extend(namespace.remove_member(topic, *key, peer, &self.topics));
        }
        gone.extend(everyone.and_then(|key| namespace.everyone.remove(key, peer)));
        // Not before: publications while it is a member have an author.
        peer.subscriptions().clear();
        if namespace.everyone.is_empty() {
            self.forget(peer.namespace());
        }
        topics
    }

    /// Removes the peer from the hub's map, if it is there. Returns the map's handle, and the
    /// namespace.
    fn take(&self, peer: &Peer) -> (Option<Peer>, Option<Arc<Namespace>>) {
        let mut hub = self.hub.lock();
        let found = match hub.peers.take(&peer.id()) {
            Some(found) if !found.0.is(peer) => {
                // Another peer has this id by now.
                hub.peers.insert(found);
                None
            }
            found => found.map(|ById(peer)| peer),
        };
        (found, hub.namespaces.get(peer.namespace()).cloned())
    }

    /// Removes a namespace, unless a peer has joined it.
    fn forget(&self, name: &str) {
        let mut hub = self.hub.lock();
        // No peer can join meanwhile: joining takes this lock.
        let is_empty = |namespace: &Arc<Namespace>| namespace.everyone.is_empty();
        let forgotten = match hub.namespaces.get(name) {
            Some(namespace) if is_empty(namespace) => hub.namespaces.remove(name),
            _ => None,
        };
        drop(hub);
        drop(forgotten);
    }

    pub(crate) fn subscribe(
        &self,
        peer: &Peer,
        kind: TopicKind,
        name: &str,
        limits: &Limits,
    ) -> Result<bool, SubscribeError> {
        limits.check_name(name)?;
        if kind == TopicKind::Pattern {
            check_pattern(name)?;
        }
        let Some(namespace) = self.namespace_of(peer) else {
            return Err(SubscribeError::Closed);
        };
        let mut index = namespace.index.lock();
        if !peer.subscriptions().admits(kind, name, limits)? {
            return Ok(false);
        }
        let topic = match index.get(kind, name) {
            Some(topic) => Arc::clone(topic),
            None => {
                if !self.topics.take(1, limits.max_hub_topics) {
                    return Err(SubscribeError::HubFull(limits.max_hub_topics.get()));
                }
                let topic = Topic::new(kind, Arc::from(name), namespace.clock.clone());
                index.insert(Arc::clone(&topic));
                topic
            }
        };
        let remember = |key| peer.subscriptions().insert(Arc::clone(&topic), key);
        // Under the index's lock, so that no thread removes an empty topic meanwhile.
        if topic.insert(peer, remember) {
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
        let mut new: HashSet<_> = topics.iter().collect();
        self.visit(Some(namespace), |namespace| {
            let index = namespace.index.lock();
            new.retain(|topic| !index.topics.contains_key(*topic));
        });
        new.len() <= room
    }

    pub(crate) fn unsubscribe(&self, peer: &Peer, kind: TopicKind, name: &str) -> bool {
        let Some(namespace) = self.namespace_of(peer) else {
            return false;
        };
        let Some((topic, key)) = peer.subscriptions().get(kind, name) else {
            return false;
        };
        let handle = namespace.remove_member(&topic, key, peer, &self.topics);
        if handle.is_some() {
            peer.subscriptions().remove(&topic, key);
        }
        handle.is_some()
    }

    pub(crate) fn peer(&self, id: PeerId) -> Option<Peer> {
        let hub = self.hub.lock();
        hub.peers.get(&id).map(|ById(peer)| peer.clone())
    }

    pub(crate) fn len(&self) -> usize {
        self.hub.lock().peers.len()
    }

    pub(crate) fn namespaces(&self) -> Vec<Arc<str>> {
        self.hub.lock().namespaces.keys().cloned().collect()
    }

    /// Returns the peers of one namespace, or of all, namespace by namespace. Two calls without a
    /// join or leave in between return the same list.
    pub(crate) fn peers(&self, scope: Option<&str>) -> Vec<Peer> {
        let mut peers = Vec::new();
        if scope.is_none() {
            peers.reserve(self.len());
        }
        self.visit(scope, |namespace| {
            namespace.everyone.peers_into(&mut peers);
        });
        peers
    }

    pub(crate) fn peer_count(&self, scope: Option<&str>) -> usize {
        let Some(namespace) = scope else {
            return self.len();
        };
        let found = self.namespace(namespace);
        found.map_or(0, |namespace| namespace.everyone.len())
    }

    /// Returns the topics, or the patterns, with subscribers, by name, each once.
    pub(crate) fn topics(&self, scope: Option<&str>, kind: TopicKind) -> Vec<Arc<str>> {
        let mut topics = Vec::new();
        self.visit(scope, |namespace| {
            let index = namespace.index.lock();
            match kind {
                TopicKind::Topic => topics.extend(index.topics.keys().cloned()),
                TopicKind::Pattern => {
                    let patterns = index.patterns.iter().flat_map(|patterns| patterns.names());
                    topics.extend(patterns.cloned());
                }
            }
        });
        if scope.is_none() {
            // Those of one namespace are sorted already.
            sort_by(&mut topics, |one, other| one.cmp(other));
            topics.dedup();
        }
        topics
    }

    pub(crate) fn count(&self, scope: Option<&str>, kind: TopicKind, name: &str) -> usize {
        let mut count = 0;
        self.visit(scope, |namespace| {
            let topic = namespace.index.lock().get(kind, name).cloned();
            count += topic.map_or(0, |topic| topic.len());
        });
        count
    }

    /// Returns how many subscribers of a topic, or peers of a namespace, are behind.
    pub(crate) fn behind(&self, scope: Option<&str>, topic: Option<&str>) -> usize {
        let peers = self.members(scope, topic);
        peers.iter().filter(|peer| peer.is_behind()).count()
    }

    /// Returns the subscribers of a topic, or the peers of a namespace.
    pub(crate) fn members(&self, scope: Option<&str>, topic: Option<&str>) -> Vec<Peer> {
        let mut peers = Vec::new();
        self.visit(scope, |namespace| match topic {
            None => namespace.everyone.peers_into(&mut peers),
            Some(topic) => {
                for topic in namespace.several(&Topics::from(topic)) {
                    topic.peers_into(&mut peers);
                }
            }
        });
        peers
    }

    /// Returns the addressed peers, each once.
    pub(crate) fn members_of_each(
        &self,
        scope: Option<&str>,
        (to, not_to, only): (To<'_, '_>, &Topics<'_>, &Filter<'_>),
    ) -> Vec<Peer> {
        let of = |topic: &str| self.members(scope, Some(topic));
        let mut peers: Vec<Peer> = match to {
            To::Everyone => self.members(scope, None),
            To::Topics(topics) => topics.names().flat_map(of).collect(),
            To::TopicsOf(peer) => peer.topics().iter().flat_map(|topic| of(topic)).collect(),
        };
        sort_by(&mut peers, |one, other| one.id().cmp(&other.id()));
        peers.dedup();
        let none: HashSet<_> = not_to.names().flat_map(of).map(|peer| peer.id()).collect();
        peers.retain(|peer| only.admits(peer) && !none.contains(&peer.id()));
        peers
    }

    /// Returns the first namespaces by name, at most this many of them, of all their topics, and of
    /// their peers.
    pub(crate) fn survey(&self, most: usize) -> Survey {
        let hub = self.hub.lock();
        let named = |(name, namespace): (&Arc<str>, &Arc<Namespace>)| {
            (Arc::clone(name), Arc::clone(namespace))
        };
        let found: Vec<_> = hub.namespaces.iter().take(most).map(named).collect();
        let mut survey = Survey {
            is_whole: found.len() == hub.namespaces.len(),
            all: hub.namespaces.len(),
            ..Survey::default()
        };
        drop(hub);
        let mut room = most;
        for (name, namespace) in found {
            let index = namespace.index.lock();
            let all = index.topics.len();
            let topics: Vec<_> = index.topics.values().take(room).map(Arc::clone).collect();
            drop(index);
            room -= topics.len();
            let left = most - survey.peers.len();
            let peers = namespace.everyone.some_peers_into(&mut survey.peers, left);
            survey.is_whole &= topics.len() == all && peers <= left;
            survey.namespaces.push(Surveyed {
                name,
                peers,
                topics: topics
                    .iter()
                    .map(|it| (it.shared_name(), it.len()))
                    .collect(),
                all_topics: all,
            });
        }
        survey
    }

    /// Queues a publication at every subscriber of `topic`, or at every peer if `topic` is `None`,
    /// and wakes their writers.
    pub(crate) fn publish(
        &self,
        scope: Option<&str>,
        topic: Option<&str>,
        except: Option<&Peer>,
        publication: &Publication,
    ) -> Published {
        let mut told = Told::default();
        match scope {
            Some(name) => {
                if let Some(namespace) = self.namespace(name) {
                    namespace.publish(topic, except, publication, &mut told);
                }
            }
            None => self.visit_all(&mut |namespace| {
                namespace.publish(topic, except, publication, &mut told);
            }),
        }
        self.tell(told)
    }

    /// As [`publish`](Self::publish), to the members of these rosters that the filter admits.
    pub(crate) fn publish_to_rosters(
        &self,
        rosters: &Rosters,
        only: &Filter<'_>,
        publication: &Publication,
    ) -> Published {
        let mut told = Told::default();
        for roster in rosters.iter() {
            roster.publish(only, publication, &mut told);
        }
        self.tell(told)
    }

    /// As [`publish`](Self::publish), to the addressed peers, each of which is passed the message.
    pub(crate) fn publish_to_each(
        &self,
        scope: Option<&str>,
        (to, not_to, only): (To<'_, '_>, &Topics<'_>, &Filter<'_>),
        except: Option<&Peer>,
        publication: &Publication,
    ) -> Published {
        let mut told = Told::default();
        self.visit(scope, |namespace| {
            let audience = namespace.audience(to, not_to, only);
            audience.publish(except, publication, &mut told);
        });
        self.tell(told)
    }

    /// As [`publish_to_each`](Self::publish_to_each), with a message of its own for each that `make`
    /// makes one for. It is called without a lock. Returns what became of each, if that is `watched`.
    pub(crate) fn publish_each<E>(
        &self,
        scope: Option<&str>,
        (to, not_to, only): (To<'_, '_>, &Topics<'_>, &Filter<'_>),
        except: Option<&Peer>,
        mut make: impl FnMut(&Peer) -> Result<Option<Publication>, E>,
        watched: bool,
    ) -> (Vec<Each>, Result<Published, E>) {
        let mut told = Told::default();
        let mut failed = None;
        let mut all = Vec::new();
        self.visit(scope, |namespace| {
            let audience = namespace.audience(to, not_to, only);
            let mut publications = Vec::new();
            for peer in audience.members(except) {
                match make(&peer) {
                    Ok(Some(publication)) => publications.push(Each::new(peer, publication)),
                    Ok(None) => {}
                    Err(error) => {
                        failed.get_or_insert(error);
                    }
                }
            }
            if failed.is_none() {
                audience.publish_each(&mut publications, &mut told);
                if watched {
                    all.append(&mut publications);
                }
            }
        });
        let published = self.tell(told);
        (all, failed.map_or(Ok(published), Err))
    }

    /// Wakes and settles, without a lock, the subscribers that a publication has left to wake and
    /// settle.
    #[inline]
    fn tell(&self, mut told: Told) -> Published {
        if !told.asleep.is_empty() {
            Asleep::new(told.asleep).hand_on();
        }
        if !told.grown.is_empty() {
            self.settle(told.grown, &mut told.published);
        }
        told.published
    }

    #[cold]
    fn settle(&self, grown: Vec<Peer>, published: &mut Published) {
        for peer in grown {
            let settled = peer.settle();
            published.queued -= usize::from(settled.closed && published.queued > 0);
            published.dropped += settled.lost;
            if settled.behind {
                published.behind += 1;
                self.behind.add(&peer);
            }
        }
    }

    /// Returns the peers that are behind.
    pub(crate) fn behind_peers(&self) -> &Behind {
        &self.behind
    }

    #[inline(always)] // each publication asks
    fn namespace(&self, name: &str) -> Option<Arc<Namespace>> {
        self.hub.lock().namespaces.get(name).cloned()
    }

    fn namespace_of(&self, peer: &Peer) -> Option<Arc<Namespace>> {
        self.namespace(peer.namespace())
    }

    /// Visits one namespace, or [all](Self::visit_all). The hub's lock is not held during the visits.
    #[inline]
    fn visit(&self, scope: Option<&str>, mut visit: impl FnMut(&Namespace)) {
        match scope {
            Some(name) => {
                if let Some(namespace) = self.namespace(name) {
                    visit(&namespace);
                }
            }
            None => self.visit_all(&mut visit),
        }
    }

    /// Visits all namespaces in order. The hub's lock is held for no more than [`STEP`] of them at once,
    /// so that no connection waits for a walk over many. A namespace that comes or goes meanwhile may be
    /// visited or not.
    #[inline(never)] // its frame is large
    fn visit_all(&self, visit: &mut dyn FnMut(&Namespace)) {
        let mut last: Option<Arc<str>> = None;
        loop {
            let mut step = SmallVec::<[Arc<Namespace>; STEP]>::new();
            {
                let hub = self.hub.lock();
                let from = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
                let rest = hub.namespaces.range::<str, _>((from, Bound::Unbounded));
                let mut name = None;
                for (found, namespace) in rest.take(STEP) {
                    step.push(Arc::clone(namespace));
                    name = Some(found);
                }
                last = name.cloned();
            }
            step.iter().for_each(|namespace| visit(namespace));
            if step.len() < STEP {
                return;
            }
        }
    }
}

/// The contents of a hub, or a part of them.
#[derive(Default)]
pub(crate) struct Survey {
    pub(crate) namespaces: Vec<Surveyed>,
    pub(crate) peers: Vec<Peer>,
    /// How many namespaces there are.
    pub(crate) all: usize,
    /// Whether nothing was left out.
    pub(crate) is_whole: bool,
}

/// A namespace.
pub(crate) struct Surveyed {
    pub(crate) name: Arc<str>,
    pub(crate) peers: usize,
    pub(crate) topics: Vec<(Arc<str>, usize)>,
    /// How many topics it has.
    pub(crate) all_topics: usize,
}

impl Namespace {
    /// Returns the topics of the addressed peers.
    fn audience<'a, 'f>(
        &self,
        to: To<'_, '_>,
        not_to: &Topics<'_>,
        only: &'a Filter<'f>,
    ) -> Audience<'a, 'f> {
        let any = match to {
            To::Everyone => std::iter::once(Arc::clone(&self.everyone)).collect(),
            To::Topics(topics) => self.several(topics),
            To::TopicsOf(peer) => {
                let mut any = peer.subscriptions().topics();
                self.index.lock().add_matching(&mut any);
                any
            }
        };
        Audience::new(any, self.without_patterns(not_to), only)
    }

    /// Queues a publication at every subscriber of `topic`, or at every peer when there is none given.
    #[inline(never)]
    fn publish(
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
    fn several(&self, topics: &Topics<'_>) -> Several {
        let mut several = self.without_patterns(topics);
        if let Some(patterns) = &self.index.lock().patterns {
            for name in topics.names() {
                patterns.matching(name, &mut several);
            }
        }
        several
    }

    /// Returns those of these topics with members.
    fn without_patterns(&self, topics: &Topics<'_>) -> Several {
        if topics.is_empty() {
            return Several::new();
        }
        let index = self.index.lock();
        let found = topics.names().filter_map(|name| index.topics.get(name));
        found.cloned().collect()
    }

    /// Removes one peer from a topic, and the topic from the index with its last peer.
    fn remove_member(
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
    fn get(&self, kind: TopicKind, name: &str) -> Option<&Arc<Topic>> {
        match kind {
            TopicKind::Topic => self.topics.get(name),
            TopicKind::Pattern => self.patterns.as_ref()?.get(name),
        }
    }

    fn insert(&mut self, topic: Arc<Topic>) {
        match topic.kind() {
            TopicKind::Topic => {
                self.topics.insert(topic.shared_name(), topic);
            }
            TopicKind::Pattern => self.patterns.get_or_insert_default().insert(topic),
        }
    }

    /// Adds the patterns that match one of these topics.
    fn add_matching(&self, topics: &mut Several) {
        if let Some(patterns) = &self.patterns {
            for topic in topics.clone() {
                patterns.matching(topic.name(), topics);
            }
        }
    }

    /// Removes a topic without members, also from the count of all topics. The caller must drop it
    /// without the lock.
    fn take_if_empty(&mut self, topic: &Arc<Topic>, count: &Budget) -> Option<Arc<Topic>> {
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

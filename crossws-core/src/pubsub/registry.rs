//! The places of all peers: by id and by namespace, and subscriptions by `(namespace, topic)`.
//!
//! Six kinds of locks, always taken in this order: that of the store of retained messages, if the hub has
//! one; the hub's map, a namespace's retained messages (by
//! subscribers, and by publications that are retained), a namespace's index, a topic
//! (the peers of a namespace are one; several at once only for a message to several, or to one that
//! patterns match, in the order of their addresses, patterns last), a peer's list of its topics. A
//! topic's lock is held while one publication is queued at each of its subscribers, which gives
//! every subscriber the same order. No code wakes, awaits or calls back under any of these locks; the
//! store is called under its own.
//! No work proportional to messages, members or topics happens under the hub's map and a namespace's
//! index: a peer that leaves takes a topic's lock for each of its topics, and neither of these meanwhile.
//! Only under the hub's map the messages of a namespace without peers are forgotten.

mod listing;
mod namespace;
mod patterns;
mod publishing;
mod retaining;
mod retention;
mod subscribing;
mod survey;

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};
use std::ops::Bound;
use std::sync::Arc;

use smallvec::SmallVec;

use self::namespace::Namespace;
use self::retaining::Retaining;
use crate::hub::budget::Budget;
use crate::hub::group::route_members::Routes;
use crate::hub::settings::limits::Limits;
use crate::peer::Peer;
use crate::peer::behind::Behind;
use crate::peer::id::PeerId;
use crate::peer::labels::label_index::LabelIndex;
use crate::peer::topics::subscriptions::Memberships;
use crate::sync::Mutex;

/// How many namespaces one hold of the hub's lock looks up.
const STEP: usize = 64;

#[derive(Default)]
pub(crate) struct Registry {
    hub: Mutex<HubMap>,
    /// How many topics all namespaces have together.
    topics: Budget,
    retaining: Retaining,
    pub(crate) routes: Routes,
    pub(crate) labels: LabelIndex,
    /// The peers that are behind.
    pub(crate) behind: Behind,
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
        let namespace = found.unwrap_or_else(|| hub.add(Arc::clone(peer.namespace_shared())));
        let remember = |key| peer.subscriptions().join(key);
        // No other thread has its handle yet that could make it leave.
        namespace.everyone.insert(peer, remember);
        drop(guard);
        self.join_route(peer);
        Ok(())
    }

    /// Lists the peer among the connections of its route, and removes it from another route's.
    pub(crate) fn join_route(&self, peer: &Peer) {
        let settings = peer.settings();
        let route = self.routes.of(&settings.names, &settings.members);
        if peer.subscriptions().is_on(route.as_ref()) {
            return;
        }
        if let Some((old, key)) = peer.subscriptions().take_route() {
            drop(old.roster.remove(key, peer));
        }
        if let Some(route) = route {
            let remember = |key| peer.subscriptions().join_route(&route, key);
            route.roster.insert(peer, remember);
        }
    }

    /// Removes the peer from every list and topic. When this returns, the peer is in none, even if
    /// another thread is removing it at the same time. Returns the topics that it was in, unless
    /// that thread is done.
    pub(crate) fn leave(&self, peer: &Peer) -> Memberships {
        if peer.subscriptions().has_left() {
            return Memberships::new();
        }
        // Handles and topics are dropped without a lock: the last handle runs user code.
        let (found, namespace) = self.take(peer);
        let Some(namespace) = namespace else {
            return Memberships::new();
        };
        let mut gone = SmallVec::<[Peer; 4]>::new();
        gone.extend(found);
        let (everyone, topics) = peer.subscriptions().begin_leaving();
        if let Some((route, key)) = peer.subscriptions().take_route() {
            gone.extend(route.roster.remove(key, peer));
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

    #[inline(always)] // each publication asks
    fn namespace(&self, name: &str) -> Option<Arc<Namespace>> {
        self.hub.lock().namespaces.get(name).cloned()
    }

    /// Visits one namespace, or [all](Self::visit_all). The hub's lock is not held during the visits.
    #[inline]
    fn visit(&self, scope: Option<&str>, mut visit: impl FnMut(&str, &Namespace)) {
        match scope {
            Some(name) => {
                if let Some(namespace) = self.namespace(name) {
                    visit(name, &namespace);
                }
            }
            None => self.visit_all(&mut visit),
        }
    }

    /// Visits all namespaces in order. The hub's lock is held for no more than [`STEP`] of them at once,
    /// so that no connection waits for a walk over many. A namespace that comes or goes meanwhile may be
    /// visited or not.
    #[inline(never)] // its frame is large
    fn visit_all(&self, visit: &mut dyn FnMut(&str, &Namespace)) {
        let mut last: Option<Arc<str>> = None;
        loop {
            let mut step = SmallVec::<[(Arc<str>, Arc<Namespace>); STEP]>::new();
            {
                let hub = self.hub.lock();
                let from = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
                let rest = hub.namespaces.range::<str, _>((from, Bound::Unbounded));
                let rest = rest.map(|(name, namespace)| (Arc::clone(name), Arc::clone(namespace)));
                step.extend(rest.take(STEP));
            }
            for (name, namespace) in &step {
                visit(name, namespace);
            }
            if step.len() < STEP {
                return;
            }
            last = step.pop().map(|(name, _)| name);
        }
    }
}

/// All peers by their ids, and the namespaces by their names.
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

    /// Adds a namespace, which does not exist yet.
    fn add(&mut self, name: Arc<str>) -> Arc<Namespace> {
        let namespace = Arc::<Namespace>::default();
        self.namespaces.insert(name, Arc::clone(&namespace));
        namespace
    }
}

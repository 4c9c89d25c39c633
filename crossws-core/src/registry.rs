//! Who is where: peers by id and by namespace, subscriptions by `(namespace, topic)`.
//!
//! Three kinds of locks, always taken in this order: the hub's map, a namespace's index, a topic
//! (of which "everyone here" is one; never two at once). A
//! topic's lock is held while one publication is queued at each of its subscribers, which gives
//! every subscriber the same order; nothing is woken, awaited or called back under any of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::feed::Clock;
use crate::flusher::{Asleep, Flusher};
use crate::sync::Mutex;
use crate::topic::{Told, Topic};
use crate::{Limits, Peer, PeerId, Publication, Published, SubscribeError};

#[derive(Default)]
pub(crate) struct Registry {
    hub: Mutex<HubMap>,
    /// Never held while another lock is taken.
    flusher: Mutex<Option<Arc<dyn Flusher>>>,
}

#[derive(Default)]
struct HubMap {
    peers: HashMap<PeerId, Peer>,
    // Ordered, so that every listing of all namespaces reads the same.
    namespaces: BTreeMap<Arc<str>, Arc<Namespace>>,
}

struct Namespace {
    /// The order of everything that is published here.
    clock: Clock,
    /// Everyone here, as the topic that `broadcast` publishes to.
    everyone: Arc<Topic>,
    index: Mutex<Index>,
}

impl Default for Namespace {
    fn default() -> Self {
        let clock = Clock::default();
        Self {
            everyone: Topic::new(clock.clone()),
            clock,
            index: Mutex::default(),
        }
    }
}

#[derive(Default)]
struct Index {
    topics: BTreeMap<Arc<str>, Arc<Topic>>,
    /// The other direction of `topics`, for peers with at least one subscription.
    subscriptions: HashMap<PeerId, HashSet<Arc<str>>>,
}

/// Why a peer could not join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JoinError {
    DuplicateId,
    TooManyPeers,
    TooManyNamespaces,
}

impl HubMap {
    fn check(&self, id: PeerId, namespace: &str, limits: &Limits) -> Result<(), JoinError> {
        if self.peers.contains_key(&id) {
            Err(JoinError::DuplicateId)
        } else if !limits.max_peers.allows(self.peers.len() + 1) {
            Err(JoinError::TooManyPeers)
        } else if !self.namespaces.contains_key(namespace)
            && !limits.max_namespaces.allows(self.namespaces.len() + 1)
        {
            Err(JoinError::TooManyNamespaces)
        } else {
            Ok(())
        }
    }
}

impl Registry {
    pub(crate) fn set_flusher(&self, flusher: Arc<dyn Flusher>) {
        let _former = self.flusher.lock().replace(flusher);
    }

    /// Whether a peer could join now.
    pub(crate) fn check(
        &self,
        id: PeerId,
        namespace: &str,
        limits: &Limits,
    ) -> Result<(), JoinError> {
        self.hub.lock().check(id, namespace, limits)
    }

    pub(crate) fn join(&self, peer: &Peer, limits: &Limits) -> Result<(), JoinError> {
        let mut hub = self.hub.lock();
        let hub = &mut *hub;
        hub.check(peer.id(), peer.namespace(), limits)?;
        let name = Arc::clone(peer.namespace_shared());
        let namespace = hub.namespaces.entry(name).or_default();
        namespace.everyone.insert(peer);
        hub.peers.insert(peer.id(), peer.clone());
        Ok(())
    }

    /// Takes the peer out of every list and topic. Does nothing the second time.
    pub(crate) fn leave(&self, peer: &Peer) {
        let mut hub = self.hub.lock();
        // Another peer may carry the same id by now.
        match hub.peers.get(&peer.id()) {
            Some(found) if found.is(peer) => {}
            _ => return,
        }
        // The handles are dropped at the end, after the locks: the last one runs user code.
        let _peer = hub.peers.remove(&peer.id());
        let Some(namespace) = hub.namespaces.get(peer.namespace()).cloned() else {
            return;
        };
        let mut gone = Vec::new();
        let mut index = namespace.index.lock();
        for topic in index.subscriptions.remove(&peer.id()).into_iter().flatten() {
            gone.extend(index.remove_member(&topic, peer.id()));
        }
        // Under the index's lock too: a subscription of this peer's that waits for it must find
        // the peer gone.
        gone.extend(namespace.everyone.remove(peer.id()));
        if namespace.everyone.is_empty() {
            // Nobody can join meanwhile: joining takes the hub's lock, which is held.
            hub.namespaces.remove(peer.namespace());
        }
        drop(index);
        drop(hub);
    }

    pub(crate) fn subscribe(
        &self,
        peer: &Peer,
        topic: &str,
        limits: &Limits,
    ) -> Result<bool, SubscribeError> {
        limits.check_name(topic)?;
        let Some(namespace) = self.namespace_of(peer) else {
            return Err(SubscribeError::Closed);
        };
        let mut index = namespace.index.lock();
        // Checked under the index's lock: `leave` cleans up under it, so that a peer that left
        // in between is not subscribed again.
        if !namespace.holds(peer) {
            return Err(SubscribeError::Closed);
        }
        let index = &mut *index;
        let held = index.subscriptions.entry(peer.id()).or_default();
        if held.contains(topic) {
            return Ok(false);
        }
        if !limits.max_topics.allows(held.len() + 1) {
            let most = held.len();
            if most == 0 {
                index.subscriptions.remove(&peer.id());
            }
            return Err(SubscribeError::TooMany(most));
        }
        let name = match index.topics.get_key_value(topic) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(topic),
        };
        held.insert(Arc::clone(&name));
        let topic = index.topics.entry(name);
        let topic = topic.or_insert_with(|| Topic::new(namespace.clock.clone()));
        topic.insert(peer);
        Ok(true)
    }

    pub(crate) fn unsubscribe(&self, peer: &Peer, topic: &str) -> bool {
        let Some(namespace) = self.namespace_of(peer) else {
            return false;
        };
        let mut index = namespace.index.lock();
        if !namespace.holds(peer) {
            return false;
        }
        let Some(held) = index.subscriptions.get_mut(&peer.id()) else {
            return false;
        };
        let was = held.remove(topic);
        if held.is_empty() {
            index.subscriptions.remove(&peer.id());
        }
        let handle = was.then(|| index.remove_member(topic, peer.id())).flatten();
        drop(index);
        drop(handle);
        was
    }

    pub(crate) fn is_subscribed(&self, peer: &Peer, topic: &str) -> bool {
        self.namespace_of(peer).is_some_and(|namespace| {
            let index = namespace.index.lock();
            let held = index.subscriptions.get(&peer.id());
            held.is_some_and(|held| held.contains(topic)) && namespace.holds(peer)
        })
    }

    /// A peer's topics, by name.
    pub(crate) fn topics_of(&self, peer: &Peer) -> Vec<Arc<str>> {
        let Some(namespace) = self.namespace_of(peer) else {
            return Vec::new();
        };
        let index = namespace.index.lock();
        let held = index.subscriptions.get(&peer.id());
        let held = held.filter(|_| namespace.holds(peer));
        let mut topics: Vec<_> = held.into_iter().flatten().cloned().collect();
        drop(index);
        topics.sort_unstable();
        topics
    }

    pub(crate) fn peer(&self, id: PeerId) -> Option<Peer> {
        self.hub.lock().peers.get(&id).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.hub.lock().peers.len()
    }

    pub(crate) fn namespaces(&self) -> Vec<Arc<str>> {
        self.hub.lock().namespaces.keys().cloned().collect()
    }

    /// The peers of one namespace, or of all, namespace by namespace. Two callers between whom
    /// nobody came or left get the same list.
    pub(crate) fn peers(&self, scope: Option<&str>) -> Vec<Peer> {
        let mut peers = Vec::new();
        self.visit(scope, |namespace| {
            namespace.everyone.peers_into(&mut peers);
        });
        peers
    }

    /// The topics with subscribers, by name, each once.
    pub(crate) fn topics(&self, scope: Option<&str>) -> Vec<Arc<str>> {
        let mut topics = Vec::new();
        self.visit(scope, |namespace| {
            topics.extend(namespace.index.lock().topics.keys().cloned());
        });
        topics.sort_unstable();
        topics.dedup();
        topics
    }

    pub(crate) fn count(&self, scope: Option<&str>, topic: &str) -> usize {
        let mut count = 0;
        self.visit(scope, |namespace| {
            if let Some(topic) = namespace.topic(topic) {
                count += topic.len();
            }
        });
        count
    }

    /// Queues a publication at every subscriber of `topic`, or at every peer when there is none
    /// given, and wakes their writers.
    pub(crate) fn publish(
        &self,
        scope: Option<&str>,
        topic: Option<&str>,
        except: Option<&Peer>,
        publication: &Publication,
    ) -> Published {
        let mut published = Published::default();
        let mut asleep = Vec::new();
        let mut told = Told {
            published: &mut published,
            asleep: &mut asleep,
        };
        let mut deliver = |to: &Arc<Topic>| to.publish(except, publication, &mut told);
        self.visit(scope, |namespace| match topic {
            None => deliver(&namespace.everyone),
            Some(topic) => {
                if let Some(topic) = namespace.topic(topic) {
                    deliver(&topic);
                }
            }
        });
        let asleep = Asleep::new(asleep);
        if asleep.are_many()
            && let Some(flusher) = self.flusher.lock().clone()
        {
            asleep.hand_on(&*flusher);
        }
        published
    }

    fn namespace_of(&self, peer: &Peer) -> Option<Arc<Namespace>> {
        self.hub.lock().namespaces.get(peer.namespace()).cloned()
    }

    /// Visits one namespace, or all in order. The hub's lock is not held during the visits.
    fn visit(&self, scope: Option<&str>, mut visit: impl FnMut(&Namespace)) {
        match scope {
            Some(name) => {
                let found = self.hub.lock().namespaces.get(name).cloned();
                if let Some(namespace) = found {
                    visit(&namespace);
                }
            }
            None => {
                let all: Vec<_> = self.hub.lock().namespaces.values().cloned().collect();
                all.iter().for_each(|namespace| visit(namespace));
            }
        }
    }
}

impl Namespace {
    /// Whether this very peer is here. Its handle may outlive it, and its id may be another's.
    fn holds(&self, peer: &Peer) -> bool {
        self.everyone.contains(peer)
    }

    fn topic(&self, topic: &str) -> Option<Arc<Topic>> {
        self.index.lock().topics.get(topic).cloned()
    }
}

impl Index {
    /// Takes one peer out of a topic, and the topic out of the index with its last peer.
    fn remove_member(&mut self, topic: &str, peer: PeerId) -> Option<Peer> {
        let found = self.topics.get(topic)?;
        let removed = found.remove(peer);
        if found.is_empty() {
            self.topics.remove(topic);
        }
        removed
    }
}

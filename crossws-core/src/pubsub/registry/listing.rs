//! Who is where: the peers, the topics and their numbers, for those who ask.

use std::sync::Arc;

use crate::peer::Peer;
use crate::peer::id::PeerId;
use crate::pubsub::recipients::{Recipients, Target};
use crate::pubsub::registry::namespace::Namespace;
use crate::pubsub::registry::{ById, Registry};
use crate::pubsub::topic_kind::TopicKind;
use crate::pubsub::topics::Topics;
use crate::sort::sort_by;

impl Registry {
    pub(crate) fn peer(&self, id: PeerId) -> Option<Peer> {
        let hub = self.hub.lock();
        hub.peers.get(&id).map(|ById(peer)| peer.clone())
    }

    pub(crate) fn len(&self) -> usize {
        self.hub.lock().peers.len()
    }

    pub(crate) fn namespaces(&self) -> Vec<Arc<str>> {
        let hub = self.hub.lock();
        let has_peers = |(_, namespace): &(&Arc<str>, &Arc<Namespace>)| {
            !namespace.holds.any() || !namespace.everyone.is_empty()
        };
        let namespaces = hub.namespaces.iter().filter(has_peers);
        namespaces.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// Returns the peers of one namespace, or of all, namespace by namespace. Two calls without a
    /// join or leave in between return the same list.
    pub(crate) fn peers(&self, scope: Option<&str>) -> Vec<Peer> {
        let mut peers = Vec::new();
        if scope.is_none() {
            peers.reserve(self.len());
        }
        self.visit(scope, |_, namespace| {
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
        self.visit(scope, |_, namespace| {
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
        self.visit(scope, |_, namespace| {
            let topic = namespace.index.lock().get(kind, name).cloned();
            count += topic.map_or(0, |topic| topic.len());
        });
        count
    }

    /// Returns the subscribers of a topic, without those of patterns that match it.
    pub(crate) fn subscribers(&self, scope: Option<&str>, topic: &str) -> Vec<Peer> {
        let mut peers = Vec::new();
        self.visit(scope, |_, namespace| {
            for topic in namespace.without_patterns(&Topics::from(topic)) {
                topic.peers_into(&mut peers);
            }
        });
        peers
    }

    /// Returns how many subscribers of a topic are behind.
    pub(crate) fn behind(&self, scope: Option<&str>, topic: &str) -> usize {
        let subscribers = Recipients::of(Target::Topics(topic.into()));
        let peers = self.members(scope, &subscribers, None);
        peers.iter().filter(|peer| peer.is_behind()).count()
    }

    /// Returns the addressed peers, each once, except `except`.
    pub(crate) fn members(
        &self,
        scope: Option<&str>,
        recipients: &Recipients<'_>,
        except: Option<&Peer>,
    ) -> Vec<Peer> {
        let mut peers = Vec::new();
        self.visit(scope, |_, namespace| {
            peers.extend(namespace.audience(recipients).members(except));
        });
        peers
    }
}

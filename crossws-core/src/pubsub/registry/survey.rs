//! What a hub contains, for those who look at it from outside.

use std::sync::Arc;

use crate::observe::{HubSnapshot, NamespaceSnapshot, PeerSnapshot, TopicSnapshot};
use crate::pubsub::registry::Registry;
use crate::pubsub::registry::namespace::Namespace;

impl Registry {
    /// Returns the first namespaces by name, at most this many of them, of all their topics, and of
    /// their peers. The rest of the snapshot is the hub's.
    pub(crate) fn survey(&self, most: usize) -> HubSnapshot {
        let hub = self.hub.lock();
        let named = |(name, namespace): (&Arc<str>, &Arc<Namespace>)| {
            (Arc::clone(name), Arc::clone(namespace))
        };
        let found: Vec<_> = hub.namespaces.iter().take(most).map(named).collect();
        let mut survey = HubSnapshot {
            complete: found.len() == hub.namespaces.len(),
            namespace_count: hub.namespaces.len(),
            ..HubSnapshot::default()
        };
        drop(hub);
        let mut room = most;
        let mut all_peers = Vec::new();
        for (name, namespace) in found {
            let index = namespace.index.lock();
            let topic_count = index.topics.len();
            let topics: Vec<_> = index.topics.values().take(room).map(Arc::clone).collect();
            drop(index);
            room -= topics.len();
            let left = most - all_peers.len();
            let peers = namespace.everyone.some_peers_into(&mut all_peers, left);
            survey.complete &= topics.len() == topic_count && peers <= left;
            let topics = topics.iter().map(|topic| TopicSnapshot {
                name: topic.shared_name(),
                subscribers: topic.len(),
            });
            survey.namespaces.push(NamespaceSnapshot {
                name,
                peers,
                topic_count,
                topics: topics.collect(),
            });
        }
        survey.peers = all_peers.iter().map(PeerSnapshot::from).collect();
        survey
    }
}

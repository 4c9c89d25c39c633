//! What a hub contains, for those who look at it from outside.

use std::sync::Arc;

use crate::peer::Peer;
use crate::pubsub::registry::Registry;
use crate::pubsub::registry::namespace::Namespace;

impl Registry {
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

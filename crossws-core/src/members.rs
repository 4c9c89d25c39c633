use std::collections::HashMap;

use slab::Slab;

use crate::{Peer, PeerId};

/// A member's place in its topic: stable while it is there, another's afterwards.
pub(crate) type Key = usize;

/// The peers of a topic with what the topic knows of each, found by key and by peer.
pub(crate) struct Members<T> {
    by_key: Slab<(Peer, T)>,
    keys: HashMap<PeerId, Key>,
}

impl<T> Default for Members<T> {
    fn default() -> Self {
        Self {
            by_key: Slab::new(),
            keys: HashMap::new(),
        }
    }
}

impl<T> Members<T> {
    /// Puts a peer where there is none of its id.
    pub(crate) fn insert(&mut self, peer: Peer, value: T) -> Key {
        let id = peer.id();
        let key = self.by_key.insert((peer, value));
        self.keys.insert(id, key);
        key
    }

    pub(crate) fn remove(&mut self, id: PeerId) -> Option<(Key, Peer, T)> {
        let key = self.keys.remove(&id)?;
        let (peer, value) = self.by_key.try_remove(key)?;
        Some((key, peer, value))
    }

    /// The key of this very peer, and not of another connection under the same id.
    pub(crate) fn key(&self, peer: &Peer) -> Option<Key> {
        let key = *self.keys.get(&peer.id())?;
        let (found, _) = self.by_key.get(key)?;
        found.is(peer).then_some(key)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut (Peer, T)> {
        self.by_key.get_mut(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Peer, T)> {
        self.by_key.iter().map(|(_, member)| member)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

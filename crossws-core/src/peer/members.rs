use slab::Slab;

use crate::peer::Peer;

/// A member's place in its topic. It is stable during the membership, and may be reused afterwards.
/// The peer itself remembers it, in its `Subscriptions`, so that a topic needs no map from peers to
/// places.
///
/// No machine has room for more members than this can count: each costs four keys.
pub(crate) type Key = u32;

/// The peers of a topic with the topic's data about each.
pub(crate) struct Members<T>(Slab<(Peer, T)>);

impl<T> Default for Members<T> {
    fn default() -> Self {
        Self(Slab::new())
    }
}

impl<T> Members<T> {
    pub(crate) fn insert(&mut self, peer: Peer, value: T) -> Key {
        if self.0.capacity() == 0 {
            // Many topics have one member, and `insert` would make room for four.
            self.0.reserve_exact(1);
        }
        self.0.insert((peer, value)) as Key
    }

    /// Removes a peer, if it is there under this key.
    pub(crate) fn remove(&mut self, key: Key, peer: &Peer) -> Option<(Peer, T)> {
        self.is_at(key, peer).then(|| self.0.remove(key as usize))
    }

    /// Returns whether a key is this peer's.
    pub(crate) fn is_at(&self, key: Key, peer: &Peer) -> bool {
        self.0
            .get(key as usize)
            .is_some_and(|(found, _)| found.is(peer))
    }

    pub(crate) fn get(&self, key: Key) -> Option<&(Peer, T)> {
        self.0.get(key as usize)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut (Peer, T)> {
        self.0.get_mut(key as usize)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Peer, T)> {
        self.0.iter().map(|(_, member)| member)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

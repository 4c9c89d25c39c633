use std::collections::HashMap;

use crate::{Peer, PeerId};

/// A set of peers that is walked as a slice and changed in constant time.
#[derive(Default)]
pub(crate) struct Members {
    peers: Vec<Peer>,
    places: HashMap<PeerId, usize>,
}

impl Members {
    pub(crate) fn insert(&mut self, peer: Peer) {
        if !self.places.contains_key(&peer.id()) {
            self.places.insert(peer.id(), self.peers.len());
            self.peers.push(peer);
        }
    }

    /// Takes a peer out; the last one moves into its place.
    pub(crate) fn remove(&mut self, id: PeerId) -> Option<Peer> {
        let place = self.places.remove(&id)?;
        let removed = self.peers.swap_remove(place);
        if let Some(moved) = self.peers.get(place) {
            self.places.insert(moved.id(), place);
        }
        Some(removed)
    }

    /// Whether this very peer is here, and not another connection under the same id.
    pub(crate) fn contains(&self, peer: &Peer) -> bool {
        let place = self.places.get(&peer.id());
        place.is_some_and(|place| self.peers.get(*place).is_some_and(|found| found.is(peer)))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.peers.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }
}

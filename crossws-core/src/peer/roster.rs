use std::sync::Arc;

use smallvec::SmallVec;

use crate::message::formats::InFormats;
use crate::peer::Peer;
use crate::peer::members::{Key, Members};
use crate::peer::told::Told;
use crate::pubsub::filter::Filter;
use crate::sync::Mutex;

/// Peers that are addressed together in all namespaces: those of a route, of an identity or with a
/// tag.
#[derive(Default)]
pub(crate) struct Roster {
    members: Mutex<Members<()>>,
    /// Held for one publication, so that every member gets all of them in one order. Taken before
    /// the members' lock, and before a peer's own locks.
    order: Mutex<()>,
}

/// The rosters of a group: several routes may have one name.
pub(crate) type Rosters = SmallVec<[Arc<Roster>; 1]>;

impl Roster {
    /// Adds a peer that is not a member yet. `remember` notes the key at the peer, or returns `false`
    /// if the peer is leaving and must not be added.
    pub(crate) fn insert(&self, peer: &Peer, remember: impl FnOnce(Key) -> bool) {
        let mut members = self.members.lock();
        let key = members.insert(peer.clone(), ());
        if !remember(key) {
            // The caller holds another handle: this one is not the last.
            members.remove(key, peer);
        }
    }

    /// Removes a member. The caller must drop the handle where that may run user code.
    pub(crate) fn remove(&self, key: Key, peer: &Peer) -> Option<Peer> {
        let removed = self.members.lock().remove(key, peer);
        removed.map(|(peer, ())| peer)
    }

    pub(crate) fn len(&self) -> usize {
        self.members.lock().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.lock().is_empty()
    }

    pub(crate) fn peers_into(&self, peers: &mut Vec<Peer>) {
        let members = self.members.lock();
        peers.extend(members.iter().map(|(peer, ())| peer.clone()));
    }

    /// Encodes before the lock is held, if encoding takes long: compressing would keep every other
    /// publisher out. A member that joins meanwhile may have another format.
    fn encode(&self, only: &Filter<'_>, publication: InFormats<'_>) {
        let mut peers = Vec::new();
        self.peers_into(&mut peers);
        for peer in peers.iter().filter(|peer| only.admits(peer)) {
            let publication = peer.format_of(publication);
            if let Some(wire) = peer.wire()
                && wire.takes_long(publication)
            {
                publication.encoded(wire);
            }
        }
    }

    pub(crate) fn publish(&self, only: &Filter<'_>, publication: InFormats<'_>, told: &mut Told) {
        self.encode(only, publication);
        // Dropped after the lock: the last handle runs user code.
        let mut peers = Vec::new();
        let _order = self.order.lock();
        self.peers_into(&mut peers);
        for peer in peers.iter().filter(|peer| only.admits(peer)) {
            told.publish(peer, peer.format_of(publication));
        }
    }
}

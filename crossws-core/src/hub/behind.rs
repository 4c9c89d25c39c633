//! The peers that take less than they are sent, so that publishers wait for them.

use crate::observe::watch;
use crate::peer::{Peer, WeakPeer};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// The peers of a hub that were behind at the last look.
#[derive(Default)]
pub(crate) struct Behind {
    /// How many are listed: nearly always none.
    count: AtomicUsize,
    peers: Mutex<Vec<WeakPeer>>,
}

impl Behind {
    /// Returns whether no peer is listed.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Lists a peer that is behind, unless it is listed.
    #[cold]
    pub(crate) fn add(&self, peer: &Peer) {
        // Under the lock: a thread that finds the peer marked as listed must find it in the list,
        // too.
        let mut peers = self.peers.lock();
        if peer.life().is_listed_behind(true) {
            return;
        }
        peers.push(peer.downgrade());
        self.count.store(peers.len(), Ordering::Relaxed);
        drop(peers);
        watch::slow(peer);
    }

    /// Returns whether a peer of this namespace is behind. Peers that have caught up are removed
    /// from the list.
    #[cold]
    pub(crate) fn any(&self, namespace: &str) -> bool {
        let mut any = false;
        // Dropped without the lock: the last handle runs user code.
        let mut handles = Vec::new();
        let mut peers = self.peers.lock();
        peers.retain(|peer| {
            if any {
                return true;
            }
            let Some(peer) = peer.upgrade() else {
                return false;
            };
            let is_behind = peer.is_behind();
            if is_behind {
                any = peer.namespace() == namespace;
            } else {
                peer.life().is_listed_behind(false);
            }
            handles.push(peer);
            is_behind
        });
        self.count.store(peers.len(), Ordering::Relaxed);
        drop(peers);
        any
    }
}

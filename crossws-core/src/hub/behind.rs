//! Who takes less than it is sent, so that those who may write to it wait.

use crate::observe::watch;
use crate::peer::{Peer, WeakPeer};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// The peers of a hub that were behind when somebody last looked.
#[derive(Default)]
pub(crate) struct Behind {
    /// How many are listed: nearly always none.
    count: AtomicUsize,
    peers: Mutex<Vec<WeakPeer>>,
}

impl Behind {
    /// Whether anybody is listed.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Lists a peer that is behind, unless it is listed.
    #[cold]
    pub(crate) fn add(&self, peer: &Peer) {
        if peer.life().is_listed_behind(true) {
            return;
        }
        let mut peers = self.peers.lock();
        peers.push(peer.downgrade());
        self.count.store(peers.len(), Ordering::Relaxed);
        drop(peers);
        watch::slow(peer);
    }

    /// Whether anybody in this namespace is behind. Those who have caught up are listed no more.
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

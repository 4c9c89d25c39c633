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
    peers: Mutex<List>,
}

#[derive(Default)]
struct List {
    peers: Vec<WeakPeer>,
    /// The length at which dropped peers are removed again. A hub whose clients only listen has no
    /// other occasion.
    sweep_at: usize,
}

impl List {
    fn push(&mut self, peer: WeakPeer) {
        const FEW: usize = 16;
        if self.peers.len() >= self.sweep_at.max(FEW) {
            self.peers.retain(WeakPeer::is_alive);
            self.sweep_at = self.peers.len() * 2;
        }
        self.peers.push(peer);
    }
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
        // Under the lock: who finds it listed must find it in the list, too.
        let mut list = self.peers.lock();
        if peer.life().is_listed_behind(true) {
            return;
        }
        list.push(peer.downgrade());
        self.count.store(list.peers.len(), Ordering::Relaxed);
        drop(list);
        watch::slow(peer);
    }

    /// Returns whether a peer of this namespace is behind. Peers that have caught up are removed
    /// from the list.
    #[cold]
    pub(crate) fn any(&self, namespace: &str) -> bool {
        let mut any = false;
        // Dropped without the lock: the last handle runs user code.
        let mut handles = Vec::new();
        let mut list = self.peers.lock();
        list.peers.retain(|peer| {
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
        self.count.store(list.peers.len(), Ordering::Relaxed);
        drop(list);
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_that_are_gone_are_taken_out_although_nobody_looks() {
        let mut list = List::default();
        for _ in 0..10_000 {
            list.push(WeakPeer::default());
        }
        assert!(list.peers.len() < 32, "{}", list.peers.len());
    }
}

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
    peers: Mutex<List>,
}

#[derive(Default)]
struct List {
    peers: Vec<WeakPeer>,
    /// How many there are when those that are gone are taken out again: nobody may ever look.
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
    /// Whether anybody is listed.
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

    /// Whether anybody in this namespace is behind. Those who have caught up are listed no more.
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

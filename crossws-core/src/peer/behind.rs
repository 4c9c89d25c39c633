//! The peers that take less than they are sent, so that publishers wait for them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::peer::Peer;
use crate::peer::weak::WeakPeer;
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
    /// By namespace, because a publisher asks for its own.
    peers: HashMap<Arc<str>, Vec<WeakPeer>>,
    len: usize,
    /// The length at which dropped peers are removed again. A hub whose clients only listen has no
    /// other occasion.
    sweep_at: usize,
}

impl List {
    fn push(&mut self, namespace: &Arc<str>, peer: WeakPeer) {
        const FEW: usize = 16;
        if self.len >= self.sweep_at.max(FEW) {
            self.peers.retain(|_, peers| {
                peers.retain(WeakPeer::is_alive);
                !peers.is_empty()
            });
            self.len = self.peers.values().map(Vec::len).sum();
            self.sweep_at = self.len * 2;
        }
        let peers = self.peers.entry(Arc::clone(namespace)).or_default();
        peers.push(peer);
        self.len += 1;
    }

    /// As [`Behind::any`], which drops the handles without the lock.
    fn any(&mut self, namespace: &str, handles: &mut Vec<Peer>) -> bool {
        let Some(peers) = self.peers.get_mut(namespace) else {
            return false;
        };
        let before = peers.len();
        let mut any = false;
        peers.retain(|peer| {
            if any {
                return true;
            }
            let Some(peer) = peer.upgrade() else {
                return false;
            };
            any = peer.is_behind();
            if !any {
                peer.life().is_listed_behind(false);
            }
            handles.push(peer);
            any
        });
        self.len -= before - peers.len();
        if peers.is_empty() {
            self.peers.remove(namespace);
        }
        any
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
        list.push(peer.namespace_shared(), peer.downgrade());
        self.count.store(list.len, Ordering::Relaxed);
        drop(list);
        peer.report_slow();
    }

    /// Returns whether a peer of this namespace is behind. Those of the namespace that have caught up
    /// are removed from the list. Others are not looked at.
    #[cold]
    pub(crate) fn any(&self, namespace: &str) -> bool {
        // Dropped without the lock: the last handle runs user code.
        let mut handles = Vec::new();
        let mut list = self.peers.lock();
        let any = list.any(namespace, &mut handles);
        self.count.store(list.len, Ordering::Relaxed);
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
        for number in 0..10_000 {
            let namespace = Arc::from(format!("/{number}"));
            list.push(&namespace, WeakPeer::default());
        }
        assert!(list.len < 32 && list.peers.len() < 32, "{}", list.len);
        list.any("/9999", &mut Vec::new());
        assert!(!list.peers.contains_key("/9999"));
        assert_eq!(list.len, list.peers.len());
    }
}

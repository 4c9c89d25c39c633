//! Waking and writing for many connections at once.

use std::ptr;

use crossws_core::adapter::{PeerEvents, Transport};

use crate::driver::crew::{Crew, Group};
use crate::driver::transport::NativeTransport;

/// Up to this many are woken one by one: above it a task is woken for the group.
pub(crate) const FEW: usize = 3;

/// At most this many are written for in one turn. A runtime's other tasks wait for that long, and
/// its other threads can take their part of a large room. tokio lets a task use its sockets 128
/// times in one turn.
const MANY: usize = 32;

impl Crew<Sleepers> {
    /// Writes for a connection and the crew's others, which it takes out of the list: waking a
    /// thousand tasks costs more than the writing. A last few are woken.
    pub(crate) fn write_for(&self, peer: &PeerEvents, others: &mut Vec<PeerEvents>) {
        let mut ours = self.take_own(others);
        ours.push(peer.clone());
        while ours.len() > FEW {
            let rest = ours.len().saturating_sub(MANY);
            self.add(Sleepers(ours.split_off(rest)));
        }
        drop(Sleepers(ours));
    }

    fn take_own(&self, peers: &mut Vec<PeerEvents>) -> Vec<PeerEvents> {
        let is_own = |peer: &PeerEvents| {
            let crew = transport(peer).and_then(NativeTransport::crew);
            crew.is_some_and(|crew| ptr::eq(crew, self))
        };
        // Nearly always all of them.
        match peers.iter().all(is_own) {
            true => std::mem::take(peers),
            false => peers.extract_if(.., |peer| is_own(peer)).collect(),
        }
    }
}

/// Connections with queued messages whose tasks sleep.
pub(crate) struct Sleepers(Vec<PeerEvents>);

impl Group for Sleepers {
    fn write(mut self) {
        // One by one: if a stream panics, the drop wakes the other connections.
        while let Some(peer) = self.0.pop() {
            if transport(&peer).is_some_and(NativeTransport::flush) {
                peer.drained();
            }
        }
    }
}

impl Drop for Sleepers {
    fn drop(&mut self) {
        for transport in self.0.iter().filter_map(transport) {
            transport.wake();
        }
    }
}

fn transport(peer: &PeerEvents) -> Option<&NativeTransport> {
    peer.transport()
}

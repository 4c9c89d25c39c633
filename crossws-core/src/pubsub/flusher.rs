//! One task that writes for many connections.

use std::ptr::addr_eq;

use crate::bounds::{MaybeSend, MaybeSync};
use crate::peer::Peer;

/// Writes for connections whose own tasks sleep at a publication: waking a thousand tasks costs
/// more than the writing. A transport names it with
/// [`Transport::flusher`](crate::adapter::Transport::flusher).
pub trait Flusher: MaybeSend + MaybeSync + 'static {
    /// Ensures that [`Asleep::flush`] is called soon, outside this call. Publications until then
    /// leave in the same writes. Does not block, and publishes nothing.
    fn flush(&self, asleep: Asleep);
}

/// Peers with queued messages whose tasks sleep. Dropping it wakes them.
#[derive(Debug)]
pub struct Asleep(Vec<Peer>);

impl Asleep {
    /// Up to this many are woken one by one: above it a task is woken for the group.
    const FEW: usize = 3;

    /// At most this many are written for in one turn. A runtime's other tasks wait for that long,
    /// and its other threads can take their part of a large room. tokio lets a task use its sockets
    /// 128 times in one turn.
    const MANY: usize = 32;

    pub(crate) fn new(peers: Vec<Peer>) -> Self {
        Self(peers)
    }

    fn are_many(&self) -> bool {
        self.0.len() > Self::FEW
    }

    /// Passes the peers to their flushers in groups; wakes the peers without a flusher, and a last
    /// few.
    pub(crate) fn hand_on(mut self) {
        while self.are_many()
            && let Some(one) = self.0.last().cloned()
        {
            let flusher = one.transport().flusher();
            let same = |peer: &Peer| match (flusher, peer.transport().flusher()) {
                (Some(a), Some(b)) => addr_eq(a, b),
                (None, None) => true,
                _ => false,
            };
            let mut group = Self(Vec::new());
            // Nearly always all of them.
            if self.0.iter().all(same) {
                std::mem::swap(&mut group.0, &mut self.0);
            } else {
                let peers = std::mem::take(&mut self.0);
                (group.0, self.0) = peers.into_iter().partition(same);
            }
            if let Some(flusher) = flusher {
                group.hand_on_to(flusher);
            }
        }
    }

    fn hand_on_to(mut self, flusher: &dyn Flusher) {
        while self.are_many() {
            let rest = self.0.len().saturating_sub(Self::MANY);
            flusher.flush(Self(self.0.split_off(rest)));
        }
    }

    /// Writes for each of the peers what can be written without waiting. Their own tasks write the
    /// rest.
    pub fn flush(mut self) {
        // One by one: if a stream panics, the drop wakes the other peers.
        while let Some(peer) = self.0.pop() {
            if peer.transport().flush() {
                peer.notify_drained();
            }
        }
    }
}

impl Drop for Asleep {
    fn drop(&mut self) {
        for peer in &self.0 {
            peer.transport().wake();
        }
    }
}

//! One task that writes for many connections.

use std::ptr::addr_eq;

use crate::bounds::{MaybeSend, MaybeSync};
use crate::peer::Peer;

/// What writes for connections whose own tasks sleep when something is published: to wake a thousand
/// tasks costs more than the writing. A transport names it with
/// [`Transport::flusher`](crate::adapter::Transport::flusher).
pub trait Flusher: MaybeSend + MaybeSync + 'static {
    /// Sees to it that [`Asleep::flush`] is called soon, outside this call: what is published until
    /// then leaves in the same writes. Does not block, and publishes nothing.
    fn flush(&self, asleep: Asleep);
}

/// Peers that have something to write and whose tasks sleep. Dropped, it wakes them.
#[derive(Debug)]
pub struct Asleep(Vec<Peer>);

impl Asleep {
    /// So few are woken each by itself: a task is woken for any number.
    const FEW: usize = 3;

    /// So many are written for in one go: a runtime's other tasks wait for so long, and its other
    /// threads can take their part of a large room. tokio lets a task use its sockets 128 times in
    /// one go.
    const MANY: usize = 32;

    pub(crate) fn new(peers: Vec<Peer>) -> Self {
        Self(peers)
    }

    fn are_many(&self) -> bool {
        self.0.len() > Self::FEW
    }

    /// Hands them on in groups, to each its own flusher; wakes those without one, and a last few.
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

    /// Writes what waits for each of them, as far as that goes without waiting; the rest is their
    /// tasks' to do.
    pub fn flush(mut self) {
        // One by one: if a stream panics, the drop wakes the others.
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

//! One task that writes for many connections.

use crate::Peer;
use crate::bounds::{MaybeSend, MaybeSync};

/// What writes for those connections whose own tasks sleep when something is published: to wake a
/// thousand tasks costs more than the writing. Set with
/// [`Hub::set_flusher`](crate::Hub::set_flusher); without one, each task is woken.
pub trait Flusher: MaybeSend + MaybeSync + 'static {
    /// Sees to it that [`Asleep::flush`] is called soon, outside this call: what is published until
    /// then leaves in the same writes. Does not block.
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

    pub(crate) fn are_many(&self) -> bool {
        self.0.len() > Self::FEW
    }

    /// Hands them on in groups; wakes a last few.
    pub(crate) fn hand_on(mut self, flusher: &dyn Flusher) {
        while self.are_many() {
            let rest = self.0.len().saturating_sub(Self::MANY);
            flusher.flush(Self(self.0.split_off(rest)));
        }
    }

    /// Writes what waits for each of them, as far as that goes without waiting; the rest is their
    /// tasks' to do.
    pub fn flush(mut self) {
        for peer in std::mem::take(&mut self.0) {
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

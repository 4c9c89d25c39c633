//! What the writer reports of its writes.

use crossws_core::adapter::QueueSize;

use crate::sync::atomic::Ordering;

use super::state::State;
use super::{BLOCKED, Batch, Clock, Framing, Outbox, RELIEVED, bounds};

impl<F: Framing, C: Clock> Outbox<F, C> {
    /// Notes a write, after which `left` remains of the taken frames.
    #[inline]
    pub fn written(&self, left: &Batch<F>) {
        self.note_left(&mut self.state.lock(), left.size());
    }

    #[inline]
    pub(super) fn note_left(&self, state: &mut State<F>, left: QueueSize) {
        let before = state.taken();
        state.set_taken(left);
        state.stale = false;
        if self.is_blocked() || self.behind_until.load(Ordering::Relaxed) != bounds::NOT_BEHIND {
            self.unblock(state, before);
        }
    }

    #[cold]
    fn unblock(&self, state: &mut State<F>, before: QueueSize) {
        self.flags.fetch_and(!BLOCKED, Ordering::Relaxed);
        let taken = before.since(state.taken());
        self.has_taken(state, taken);
    }

    /// Notes that `lost` of the taken messages will not be written.
    pub fn discarded(&self, lost: usize, left: &Batch<F>) {
        let mut state = self.state.lock();
        state.set_taken(left.size());
        self.note_lost(&mut state.losses, lost as u64);
    }

    /// Notes that a write has to wait for the client, or has failed: from here on the limits judge
    /// the queue.
    pub fn must_wait(&self) {
        if self.is_blocked() {
            return;
        }
        let state = self.state.lock();
        self.flags.fetch_or(BLOCKED, Ordering::Relaxed);
        // The topics have room as if everything could be written.
        state.queue.recheck();
    }

    #[inline]
    pub(super) fn is_blocked(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & BLOCKED != 0
    }

    /// Returns whether frames were written in the writer's place since the last call.
    pub fn take_relieved(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & RELIEVED != 0
            && self.flags.fetch_and(!RELIEVED, Ordering::Relaxed) & RELIEVED != 0
    }

    /// Returns whether everything has been written after more than
    /// [`DRAIN_MARK`](crossws_core::DRAIN_MARK) bytes had piled up. Returns `true` once.
    pub fn take_drained(&self) -> bool {
        self.has_piled_up()
            && self.state.lock().waiting() == QueueSize::default()
            && self.piled_up.swap(false, Ordering::Relaxed)
    }

    /// Returns whether [`take_drained`](Self::take_drained) must be called.
    pub fn has_piled_up(&self) -> bool {
        self.piled_up.load(Ordering::Relaxed)
    }

    /// Notes that the client has answered a ping.
    pub(super) fn answered(&self) {
        let mut state = self.state.lock();
        // The count saturates.
        if state.unanswered < u16::MAX {
            state.unanswered = state.unanswered.saturating_sub(1);
        }
    }

    /// Returns whether a ping was taken that the client may still answer. The client may answer
    /// only the latest of several (RFC 6455 section 5.5.3): then this stays true.
    pub fn awaits_answer(&self) -> bool {
        self.state.lock().unanswered > 0
    }
}

//! The topics' logs that the connection reads.

use bytes::Bytes;
use crossws_core::adapter::{Allowance, Backlog, Cursor, Receipt};
use smallvec::SmallVec;

use super::{Clock, Framing, Outbox};

impl<F: Framing, C: Clock> Outbox<F, C> {
    /// Queues an encoded publication if the writer sleeps, without waking it. Returns `None`, and
    /// queues nothing, if something else may wait or the connection is closing.
    #[inline]
    pub fn offer(&self, encoded: &Bytes) -> Option<Receipt> {
        if !self.is_asleep() {
            return None;
        }
        let receipt = self.enqueue(encoded.len(), |batch| batch.push_shared(encoded, 1));
        receipt.queued.then_some(receipt)
    }

    /// Notes a feed with news. Returns how much more may be appended to it before this is called
    /// again.
    pub fn announce(&self, feed: Cursor) -> Result<Allowance, Cursor> {
        let mut state = self.state.lock();
        if state.closing {
            return Err(feed);
        }
        if self.is_blocked() {
            // The free room was promised to the other topics.
            state.queue.recheck();
        }
        state.queue.announce(feed);
        let room = if self.is_blocked() {
            let waiting = state.waiting();
            let settle = self.has_grown(waiting) || self.must_look_at_kept(state.queue.feeds());
            self.room(&state, waiting).with_settle(settle)
        } else {
            self.first_room(&state)
        };
        Ok(room.with_wake(self.rouse()))
    }

    /// Handles a feed that has more news than there was room for. Returns how much more may be
    /// appended before this is called again.
    pub fn lags(&self) -> Allowance {
        let state = self.state.lock();
        if state.closing {
            // The peer will leave.
            return Allowance::new(usize::MAX, usize::MAX);
        }
        let waiting = state.waiting();
        // Its own peer's publications are kept for it although it is not sent them: it must read
        // first.
        let settle = self.has_grown(waiting);
        self.room(&state, waiting).with_settle(settle)
    }

    /// Notes that the peer has left topics, some of which may have news for it. Returns whether the
    /// outbox must be settled.
    #[cold]
    pub fn left(&self) -> bool {
        let state = self.state.lock();
        let backlogs = state.queue.backlogs();
        drop(state);
        if backlogs.is_empty() {
            return false;
        }
        let rests: SmallVec<[_; 1]> = backlogs.iter().map(Backlog::rest).collect();
        let mut state = self.state.lock();
        state.queue.left(&backlogs, &rests);
        self.has_grown(state.waiting()) || self.may_keep_much(state.queue.feeds())
    }
}

//! How an outbox ends.

use crossws_core::adapter::{Backlog, Cursor};
use crossws_core::{CloseFrame, Overflow};
use smallvec::SmallVec;

use super::state::Slow;
use super::{Clock, Framing, Outbox, queue};

impl<F: Framing, C: Clock> Outbox<F, C> {
    /// Queues a close frame as the last thing; `None` for one without code. Does nothing if one
    /// was queued before.
    pub fn close_with(&self, frame: Option<CloseFrame>) {
        let mut state = self.state.lock();
        if !state.closing {
            state.closing = true;
            state.control.close_with(frame);
        }
    }

    /// Returns the close frame that has not been written yet.
    pub fn unsent_close(&self) -> Option<CloseFrame> {
        self.state.lock().control.close().cloned()
    }

    /// Notes that no write succeeded for as long as the limits allow: the queue counts as full
    /// until one does.
    pub fn too_old(&self) {
        let mut state = self.state.lock();
        match state.overflow {
            Overflow::DropNewest | Overflow::DropOldest => state.stale = true,
            _ => {
                drop(state);
                // What is lost is noted, to be told by the connection's task.
                let _ = self.close_slow(CloseFrame::slow_consumer());
            }
        }
    }

    /// Closes the connection of a client that takes too little, with this frame. Returns how many messages
    /// are lost.
    pub(super) fn close_slow(&self, frame: CloseFrame) -> u64 {
        let mut state = self.state.lock();
        if state.closing {
            return 0;
        }
        let lost = state.queue.sent().messages as u64;
        state.queue.clear();
        state.closing = true;
        state.gives_up = true;
        state.slow = Slow::Unsaid;
        state.control.close_with(Some(frame));
        self.note_lost(&mut state.losses, lost);
        drop(state);
        lost + self.give_up()
    }

    /// Drops the connection at once.
    pub fn terminate(&self) {
        let mut state = self.state.lock();
        state.closing = true;
        state.gives_up = true;
        state.terminated = true;
    }

    /// Ends the outbox with its connection: nothing more is queued, nor kept for it anywhere.
    pub fn end(&self) {
        let mut state = self.state.lock();
        state.closing = true;
        state.gives_up = true;
        state.queue.clear();
        drop(state);
        self.give_up();
    }

    /// Releases the feeds, and counts their messages as lost. Returns how many messages that is.
    pub(super) fn give_up(&self) -> u64 {
        let feeds = self.state.lock().queue.give_up();
        if feeds.is_empty() {
            return 0;
        }
        let backlogs: SmallVec<[Backlog; 1]> = feeds.iter().map(Cursor::backlog).collect();
        let lost = queue::lag(&backlogs).messages as u64;
        drop(feeds);
        let mut state = self.state.lock();
        match state.slow {
            Slow::No if lost == 0 => {}
            Slow::No => _ = state.losses.add(lost),
            Slow::Unsaid | Slow::Said => self.note_lost(&mut state.losses, lost),
        }
        lost
    }
}

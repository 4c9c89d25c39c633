//! In: what threads queue for the connection.

use std::sync::Arc;

use bytes::Bytes;
use crossws_core::adapter::{ControlFrame, QueueSize, Receipt};
use crossws_core::{ControlError, DRAIN_MARK, Overflow};

use super::state::State;
use super::{Batch, Clock, Framing, Outbox};
use crate::frame::{MAX_HEADER, Opcode, ServerFrame};
use crate::sync::MutexGuard;

impl<C: Clock> Outbox<ServerFrame, C> {
    /// Queues a message for this connection alone, in the simple case: the writer is awake, and so
    /// little waits that no other component must look at it. Returns how many bytes wait now. In
    /// every other case returns `None`, and queues nothing.
    #[inline]
    pub fn push_at_once(&self, opcode: Opcode, payload: &Bytes) -> Option<usize> {
        let mut state = self.state.lock();
        let then = state.sent_plainly() + QueueSize::new(MAX_HEADER + payload.len(), 1);
        let at_once = state.queue.is_plain()
            && then.bytes <= DRAIN_MARK
            && !self.is_half(then)
            && matches!(state.overflow, Overflow::Close)
            && !state.closing
            && !self.is_asleep();
        if !at_once {
            return None;
        }
        state.queue.direct.push(opcode, payload);
        self.note_sent();
        Some(state.sent_plainly().bytes)
    }
}

impl<F: Framing, C: Clock> Outbox<F, C> {
    /// Queues one message without waking the writer. `len` is the length of its frame.
    #[inline]
    pub fn enqueue(&self, len: usize, push: impl FnOnce(&mut Batch<F>)) -> Receipt {
        self.enqueue_in(self.state.lock(), len, push)
    }

    /// Queues one message in place of the waiting one with the same key, without waking the writer.
    /// Returns `None`, and does nothing, while no write has to wait for the client.
    #[cold]
    pub fn replace(&self, key: &Arc<str>, frame: impl FnOnce() -> Bytes) -> Option<Receipt> {
        if !self.is_blocked() {
            return None;
        }
        let frame = frame();
        let mut state = self.state.lock();
        if state.closing {
            // What was queued before is still sent.
            return Some(Receipt::closed());
        }
        if self.refuses_in_place(&state, key, frame.len()) {
            self.note_lost(&mut state.losses, 1);
            return Some(Receipt::full(1));
        }
        state.queue.take_out(key);
        let push = |batch: &mut Batch<F>| batch.push_keyed(Arc::clone(key), frame.clone());
        Some(self.enqueue_in(state, frame.len(), push))
    }

    #[inline(always)]
    fn enqueue_in(
        &self,
        mut state: MutexGuard<'_, State<F>>,
        len: usize,
        push: impl FnOnce(&mut Batch<F>),
    ) -> Receipt {
        let mut dropped = 0;
        if state.closing || !matches!(state.overflow, Overflow::Close) {
            dropped = match self.make_room(&mut state, len) {
                Ok(dropped) => dropped,
                Err(refused) => return refused,
            };
        }
        let (bytes, settle) = if state.queue.is_plain() {
            push(&mut state.queue.direct);
            let sent = state.sent_plainly();
            (sent.bytes, self.has_grown(sent))
        } else {
            self.push_behind(&mut state, push)
        };
        let wake = self.rouse() || (dropped > 0 && self.has_lost());
        Receipt::replaced(dropped, wake)
            .with_settle(settle)
            .with_waiting(bytes)
    }

    /// Queues an application's ping or pong, or the answer to a ping.
    pub fn control(&self, frame: ControlFrame) -> Result<(), ControlError> {
        let mut state = self.state.lock();
        if state.closing {
            return Err(ControlError::Closed);
        }
        match frame {
            ControlFrame::Ping(data) => return state.control.ping(data),
            ControlFrame::Pong(data) => {
                let client_is_slow = state.taken_bytes > 0;
                state.control.answer(data, client_is_slow);
            }
        }
        Ok(())
    }

    /// Queues a ping, unless one waits already.
    pub fn heartbeat(&self) {
        let mut state = self.state.lock();
        if !state.closing {
            state.control.heartbeat();
        }
    }
}

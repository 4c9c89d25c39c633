//! Out: from the queue to the server, which writes the stream.

use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use crossws_core::adapter::QueueSize;
use crossws_proto::outbox::Batch;

use super::{Connection, State, wake};

/// The most bytes of events that the server gets at once, unless one event has more. The others stay in
/// the queue, where they can be replaced and dropped; and a client that comes back misses whole pieces
/// or none.
const PIECE: usize = 16 << 10;

/// The most bytes that wait for the server besides the queue, as in a socket's buffer: a burst that is
/// sent before the server can run does not make its reader slow.
const MOST_HANDED: usize = 256 << 10;

/// What a stream does next.
pub(crate) enum Write {
    Events(Bytes),
    /// The last events.
    Last(Bytes),
    /// Nothing more: another stream writes, or the connection is over.
    Over,
    /// The stream is cut.
    Cut,
}

impl Connection {
    /// Takes what a stream must write next.
    pub(crate) fn poll_write(
        &self,
        stream: u64,
        now: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<Write> {
        let mut state = self.state.lock();
        if state.attached != Some(stream) {
            return Poll::Ready(Write::Over);
        }
        if state.terminated {
            return Poll::Ready(Write::Cut);
        }
        if state.over {
            return Poll::Ready(Write::Over);
        }
        self.outbox.stay_awake();
        let next = self.next_events(&mut state);
        // A server that has events to write does not ask for more when it is woken.
        let old = match next.is_some() {
            true => state.stream.take(),
            false => state.stream.replace(cx.waker().clone()),
        };
        state.stalled_since = next.is_some().then_some(now);
        self.is_stalled.store(next.is_some(), Ordering::Relaxed);
        let must_watch = next.is_some() && self.must_watch(&mut state, now);
        let is_last = state.closed.is_some();
        let is_cut = state.terminated;
        if self.outbox.has_piled_up() {
            state.drain_due |= self.outbox.take_drained();
        }
        let must_look = is_last
            || is_cut
            || state.drain_due
            || !state.inbound.is_empty()
            || self.outbox.has_lost()
            || must_watch;
        let pump = must_look.then(|| state.pump.take()).flatten();
        let events = state.events.as_ref();
        let events = events.filter(|events| next.is_some() && events.awaits_drain());
        let events = events.cloned();
        drop(state);
        drop(old);
        if let Some(events) = events {
            events.drained();
        }
        wake(pump);
        match next {
            _ if is_cut => Poll::Ready(Write::Cut),
            next if is_last => Poll::Ready(Write::Last(next.unwrap_or_default())),
            Some(next) => Poll::Ready(Write::Events(next)),
            None => Poll::Pending,
        }
    }

    /// Returns whether the pump must be woken to keep the time of what the server has taken now. The time runs
    /// until the server asks again, which it usually does at once.
    fn must_watch(&self, state: &mut State, now: Duration) -> bool {
        let too_late = self.too_late(now);
        let pump_due = state.pump_due.unwrap_or(Duration::MAX);
        let must_watch = too_late.is_some_and(|too_late| too_late < pump_due);
        if must_watch {
            state.look_at = too_late;
        }
        must_watch
    }

    /// Takes one piece of what waits, and numbers it.
    fn next_events(&self, state: &mut State) -> Option<Bytes> {
        let mut events = Batch::default();
        if let Some(handed) = state.handed.pop_front() {
            state.handed_bytes -= handed.bytes();
            events = handed;
        } else {
            let taken = self.outbox.take_as_written(&mut events, PIECE);
            if taken.close.is_some() {
                state.closed = taken.close;
            }
            state.terminated |= taken.terminated;
        }
        let some = !events.is_empty();
        some.then(|| state.retained.number(&events))
    }

    /// Writes the queue in the server's place, as far as there is room. Returns whether it did.
    pub(crate) fn flush(&self) -> bool {
        let mut state = self.state.lock();
        let mut wrote = false;
        while state.attached.is_some() && state.handed_bytes < MOST_HANDED {
            let mut batch = Batch::default();
            if !self.outbox.take_messages_at_most(&mut batch, PIECE) || batch.is_empty() {
                break;
            }
            self.outbox.written(&Batch::default());
            state.handed_bytes += batch.bytes();
            state.handed.push_back(batch);
            wrote = true;
        }
        let is_full = state.attached.is_none() || state.handed_bytes >= MOST_HANDED;
        let waker = wrote.then(|| state.stream.take()).flatten();
        drop(state);
        if is_full {
            self.outbox.must_wait();
        }
        wake(waker);
        wrote
    }

    /// Notes whether one more message would wait for the client: the server has not asked for more,
    /// and others wait already. Takes no lock but the queue's: publishers hold that of their topic.
    pub(crate) fn judge(&self) {
        if self.is_stalled.load(Ordering::Relaxed) && self.outbox.waiting() != QueueSize::default()
        {
            self.outbox.must_wait();
        }
    }
}

//! Out: what the writer takes.

use bytes::BytesMut;
use crossws_core::CloseFrame;
use crossws_core::adapter::QueueSize;

use super::state::State;
use super::{Batch, Clock, Framing, Outbox, metering};
use crate::sync::MutexGuard;
use crate::sync::atomic::Ordering;

/// What the writer learns when it takes the queue.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Taken {
    /// This side's close frame: the last of the batch, or of the frames that are still queued.
    pub close: Option<CloseFrame>,
    /// The queue overflowed: the batch that was taken before must be
    /// [cut](Batch::keep_begun) to the frame that has begun, and `close` says why.
    pub overflowed: bool,
    /// The connection must be dropped at once.
    pub terminated: bool,
}

impl Taken {
    /// Returns whether the connection ends after what was taken.
    #[inline]
    pub(crate) fn ends(&self) -> bool {
        self.terminated || self.overflowed || self.close.is_some()
    }
}

impl<F: Framing, C: Clock> Outbox<F, C> {
    /// Moves everything queued into `batch`, which must be empty, and returns what else must be
    /// done. If the queue is empty, the next call that queues a frame wakes the writer.
    pub fn take(&self, batch: &mut Batch<F>) -> Taken {
        let mut state = self.awake_state();
        if self.may_sleep(&mut state) {
            return Taken::default();
        }
        self.take_all(state, batch, usize::MAX).1
    }

    /// As [`take`](Self::take), but takes messages of at most this many bytes, or one that is longer.
    /// The rest stays queued, where the policies apply to it. What is taken counts as written: for a
    /// transport whose server keeps it, as a socket's buffer does.
    pub fn take_as_written(&self, batch: &mut Batch<F>, most: usize) -> Taken {
        let mut state = self.awake_state();
        let mut taken = Taken::default();
        if !self.may_sleep(&mut state) {
            (state, taken) = self.take_all(state, batch, most);
        }
        self.note_left(&mut state, QueueSize::default());
        taken
    }

    /// Returns the locked state of an outbox that has released the feeds that it must release.
    #[inline]
    fn awake_state(&self) -> MutexGuard<'_, State<F>> {
        let state = self.state.lock();
        if !(state.gives_up && state.queue.has_news()) {
            return state;
        }
        drop(state);
        self.give_up();
        self.state.lock()
    }

    /// Takes messages of at most this many bytes, and the close frame after the last of them.
    #[inline]
    fn take_all<'s>(
        &'s self,
        state: MutexGuard<'s, State<F>>,
        batch: &mut Batch<F>,
        most: usize,
    ) -> (MutexGuard<'s, State<F>>, Taken) {
        let mut state = self.take_frames(state, batch, most);
        let mut taken = Taken {
            close: None,
            overflowed: state.slow.say(),
            terminated: state.terminated,
        };
        // The close frame is last: after everything that was sent, published and answered while the
        // pump fetched.
        if state.queue.is_empty()
            && let Some(frame) = state.control.take_close()
        {
            let controls = state.take_controls(&self.meter, &self.clock);
            batch.push_back(&controls.frames, controls.count);
            let mut buf = BytesMut::new();
            if F::put_close(&mut buf, frame.as_ref()) {
                batch.push_back(&buf, 1);
            } else {
                taken.terminated = true;
            }
            taken.close = frame;
        }
        self.hold(&mut state, batch);
        if batch.is_empty() && !taken.terminated && state.queue.is_empty() {
            self.asleep.store(true, Ordering::Release);
        }
        (state, taken)
    }

    /// As [`take`](Self::take), for a task that writes in the writer's place. Returns `false`, and
    /// takes nothing, if the connection is ending, which the writer handles.
    pub fn take_messages(&self, batch: &mut Batch<F>) -> bool {
        self.take_messages_at_most(batch, usize::MAX)
    }

    /// As [`take_messages`](Self::take_messages), bounded as
    /// [`take_as_written`](Self::take_as_written).
    pub fn take_messages_at_most(&self, batch: &mut Batch<F>, most: usize) -> bool {
        let mut state = self.state.lock();
        if state.closing {
            return false;
        }
        if !self.may_sleep(&mut state) {
            let mut state = self.take_frames(state, batch, most);
            self.hold(&mut state, batch);
            return !batch.is_empty() || self.may_sleep(&mut state);
        }
        true
    }

    /// Returns whether there is nothing to do. If so, the next call that queues a frame wakes the
    /// pump.
    pub(super) fn may_sleep(&self, state: &mut State<F>) -> bool {
        let quiet = state.is_quiet();
        if quiet {
            state.set_taken(QueueSize::default());
            self.asleep.store(true, Ordering::Release);
        }
        quiet
    }

    /// Moves the first frames into `batch`, at most this many bytes of messages or one; the control
    /// frames before them.
    fn take_frames<'s>(
        &'s self,
        mut state: MutexGuard<'s, State<F>>,
        batch: &mut Batch<F>,
        most: usize,
    ) -> MutexGuard<'s, State<F>> {
        self.sent.store(false, Ordering::Relaxed);
        let mut fetch = state.queue.take(batch, most);
        let controls = state.take_controls(&self.meter, &self.clock);
        let counted = (controls.count, controls.frames.len());
        batch.push_front(controls.frames, controls.count);
        while let Some(news) = fetch.take() {
            // They count while they are fetched. The news count themselves.
            state.set_taken(batch.size() + news.sent());
            drop(state);
            let fetched = news.into_batch(batch);
            state = self.state.lock();
            state.queue.fetched(&fetched);
            if state.gives_up && state.queue.has_news() {
                // The connection ended meanwhile.
                drop(state);
                self.give_up();
                state = self.state.lock();
            }
            if batch.is_empty() {
                fetch = state.queue.take(batch, most);
            }
        }
        // What was fetched may be more. Control frames do not count.
        let most = most.saturating_add(counted.1);
        if batch.bytes() > most {
            state.queue.put_back(batch, most);
        }
        if let Some(meter) = self.meter.get() {
            metering::count(meter, batch, counted);
        }
        state
    }

    /// Keeps counting the taken frames until they are written.
    pub(super) fn hold(&self, state: &mut State<F>, batch: &Batch<F>) {
        state.set_taken(batch.size());
        self.note(batch.size());
    }

    /// Returns what must be done at once, while the writer still has a batch to write.
    pub fn urgent(&self) -> Taken {
        let mut state = self.state.lock();
        Taken {
            close: state.control.close().cloned(),
            overflowed: state.slow.say(),
            terminated: state.terminated,
        }
    }
}

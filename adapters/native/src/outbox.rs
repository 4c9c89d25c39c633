//! The outbound half of one connection: every thread may queue frames into it, and its pump empties
//! it.

pub(crate) mod batch;

pub(crate) mod bounds;
#[cfg(test)]
pub(crate) mod joined;
mod lost;
mod metering;
#[cfg(all(test, crossws_shuttle))]
mod model;
mod queue;
mod special;
#[cfg(all(test, not(crossws_shuttle)))]
mod tests;

use std::sync::Arc;
use std::task::Waker;

use atomic_waker::AtomicWaker;
use bytes::{Bytes, BytesMut};
use crossws_core::adapter::{Allowance, Backlog, Cursor, MeterCell, Receipt};
use crossws_core::{CloseCode, CloseFrame, ControlError, DRAIN_MARK, Limits, Overflow};
use futures_task::ArcWake;
use smallvec::SmallVec;

use self::lost::Lost;
use self::queue::{Fetch, Queue};
use self::special::{Controls, Special};
use crate::driver::crew::Crew;
use crate::driver::timers::Timers;
use crate::outbox::batch::Batch;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, Ordering};
use crate::sync::{Mutex, MutexGuard};
use crossws_proto::frame::{MAX_HEADER, Opcode, put_close};

/// Shared between a peer's handles and its pump.
pub(crate) struct Outbox {
    state: Mutex<State>,
    /// The pump's task.
    task: AtomicWaker,
    /// The pump found the outbox empty and sleeps: the next call that queues a frame wakes it.
    asleep: AtomicBool,
    /// More than half of a bound may be used: see [`is_congested`](Self::is_congested).
    half_full: AtomicBool,
    /// [`BLOCKED`], [`RELIEVED`] and [`LOST`].
    flags: AtomicU8,
    /// Until when publishers wait for the client; `NOT_BEHIND` if the client is not behind.
    behind_until: AtomicU16,
    /// Since the pump last took the queue, a message for this connection alone was queued.
    sent: AtomicBool,
    /// More than [`DRAIN_MARK`](crossws_core::DRAIN_MARK) bytes had piled up since the outbox was last
    /// empty.
    piled_up: AtomicBool,
    /// The bounds, as in [`Limits`].
    max_bytes: usize,
    max_frames: usize,
    /// The stream may have something to read. Kept apart from other wake-ups, so that a task
    /// that was woken to write does not try to read.
    readable: AtomicBool,
    /// The crew of the server, if the connection has one.
    crew: Option<Arc<Crew>>,
    meter: MeterCell,
}

/// The last write had to wait for the client: see [`settle`](Outbox::settle).
const BLOCKED: u8 = 1;
/// Frames were written in the pump's place, and the tasks that wait for that must be woken.
const RELIEVED: u8 = 2;
/// Messages were discarded, and the peer does not know it yet.
const LOST: u8 = 4;

struct State {
    queue: Queue,
    /// The frames that the pump has taken and not yet written.
    taken_bytes: usize,
    taken_frames: u32,
    /// How much the client has taken since it was last given time, in parts of a bound.
    progress: u32,
    /// Our pings that were taken and not answered yet.
    unanswered: u16,
    overflow: Overflow,
    /// The queue is too old, and counts as full.
    stale: bool,
    special: Special,
    /// Nothing more is queued; frames that were queued before are still sent.
    closing: bool,
    slow: Slow,
    /// The feeds are not read for this client any more.
    gives_up: bool,
    terminated: bool,
    dropped: u64,
    lost: Lost,
}

/// Whether the connection is closed as a slow consumer's.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Slow {
    #[default]
    No,
    /// The pump has not been told yet.
    Unsaid,
    Said,
}

impl Slow {
    /// Returns whether the pump must be told. Returns `true` once.
    fn say(&mut self) -> bool {
        let unsaid = *self == Self::Unsaid;
        if unsaid {
            *self = Self::Said;
        }
        unsaid
    }
}

/// What the pump learns when it takes the queue.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// This side's close frame: the last of the batch, or of the frames that are still queued.
    pub(crate) close: Option<CloseFrame>,
    /// The queue overflowed: the batch that was taken before is cut to the frame that has begun.
    pub(crate) overflowed: bool,
    /// The connection must be dropped at once.
    pub(crate) terminated: bool,
}

impl Outbox {
    #[cfg(test)]
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Self::with_crew(limits, None)
    }

    pub(crate) fn with_crew(limits: &Limits, crew: Option<Arc<Crew>>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                queue: Queue::default(),
                taken_bytes: 0,
                taken_frames: 0,
                progress: 0,
                unanswered: 0,
                overflow: limits.overflow,
                stale: false,
                special: Special::default(),
                closing: false,
                slow: Slow::No,
                gives_up: false,
                terminated: false,
                dropped: 0,
                lost: Lost::default(),
            }),
            half_full: AtomicBool::new(false),
            flags: AtomicU8::new(0),
            behind_until: AtomicU16::new(bounds::NOT_BEHIND),
            sent: AtomicBool::new(false),
            piled_up: AtomicBool::new(false),
            max_bytes: limits.max_buffered.get(),
            max_frames: limits.max_queued.get(),
            task: AtomicWaker::new(),
            asleep: AtomicBool::new(false),
            readable: AtomicBool::new(true),
            crew,
            meter: MeterCell::default(),
        })
    }

    /// Returns the crew that writes in the pump's place.
    pub(crate) fn crew(&self) -> Option<&Crew> {
        self.crew.as_deref()
    }

    /// Returns the timers that wake the pump at its deadlines.
    pub(crate) fn timers(&self) -> Option<&Timers> {
        self.crew().map(Crew::timers)
    }

    /// Notes that the pump is being polled: it will look at everything by itself.
    pub(crate) fn attend(&self, waker: &Waker) {
        self.task.register(waker);
        self.stay_awake();
    }

    /// Notes that the pump runs, and will look at everything before it sleeps.
    pub(crate) fn stay_awake(&self) {
        // Only the pump sets it to true.
        if self.asleep.load(Ordering::Relaxed) {
            self.asleep.store(false, Ordering::Release);
        }
    }

    /// Returns whether the pump sleeps, so that nothing waits, at this moment.
    pub(crate) fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::Relaxed)
    }

    /// Returns whether the pump sleeps and must be woken. Called under the lock, as is the pump's
    /// falling asleep.
    fn rouse(&self) -> bool {
        self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel)
    }

    /// Notes that a message for this connection alone is queued.
    pub(crate) fn note_sent(&self) {
        self.sent.store(true, Ordering::Relaxed);
    }

    /// Returns whether the queue has messages, and only published ones, as far as is known.
    pub(crate) fn has_only_published(&self) -> bool {
        let state = self.state.lock();
        !self.sent.load(Ordering::Relaxed)
            && !state.queue.is_empty()
            && state.special.is_empty()
            && !state.closing
    }

    /// Returns whether the stream's waker has been woken since the last call.
    pub(crate) fn take_readable(&self) -> bool {
        self.readable.swap(false, Ordering::AcqRel)
    }

    /// As [`take_readable`](Self::take_readable), without resetting it.
    pub(crate) fn is_readable(&self) -> bool {
        self.readable.load(Ordering::Acquire)
    }

    /// Notes that reading stopped although there may be more to read.
    pub(crate) fn set_readable(&self) {
        self.readable.store(true, Ordering::Release);
    }

    /// Queues the answer to a ping.
    pub(crate) fn answer_ping(&self, data: Bytes) {
        let mut state = self.state.lock();
        if !state.closing {
            let client_is_slow = state.taken_bytes > 0;
            state.special.answer(data, client_is_slow);
        }
    }

    /// Queues a close frame as the last thing; `None` for one without code. Does nothing if one
    /// was queued before.
    pub(crate) fn close_with(&self, frame: Option<CloseFrame>) {
        let mut state = self.state.lock();
        if !state.closing {
            state.closing = true;
            state.special.close_with(frame);
        }
    }

    /// Returns the close frame that has not been written yet.
    pub(crate) fn unsent_close(&self) -> Option<CloseFrame> {
        self.state.lock().special.close().cloned()
    }

    /// Notes that no write succeeded for as long as the limits allow: the queue counts as full
    /// until one does.
    pub(crate) fn too_old(&self) {
        let mut state = self.state.lock();
        match state.overflow {
            Overflow::DropNewest | Overflow::DropOldest => state.stale = true,
            _ if !state.closing => {
                let lost = state.overflow();
                self.note_lost(&mut state, lost);
            }
            _ => {}
        }
    }

    /// Moves everything queued into `batch`, which must be empty, and returns what else must be
    /// done. If the queue is empty, the next call that queues a frame wakes the pump.
    pub(crate) fn take(&self, batch: &mut Batch) -> Taken {
        let mut state = self.state.lock();
        if state.gives_up && state.queue.has_news() {
            drop(state);
            self.give_up();
            state = self.state.lock();
        }
        if self.may_sleep(&mut state) {
            return Taken::default();
        }
        let mut state = self.take_frames(state, batch);
        let mut taken = Taken {
            close: None,
            overflowed: state.slow.say(),
            terminated: state.terminated,
        };
        // The close frame is last: after everything that was sent, published and answered while the
        // pump fetched.
        if state.queue.is_empty()
            && let Some(frame) = state.special.take_close()
        {
            let controls = state.take_controls(&self.meter);
            batch.push_back(&controls.frames, controls.count);
            let mut buf = BytesMut::new();
            put_close(&mut buf, frame.as_ref());
            batch.push_back(&buf, 1);
            taken.close = frame;
        }
        self.hold(&mut state, batch);
        if batch.is_empty() && !taken.terminated && state.queue.is_empty() {
            self.asleep.store(true, Ordering::Release);
        }
        taken
    }

    /// As [`take`](Self::take), for a task that writes in the pump's place. Returns `false`, and
    /// takes nothing, if the connection is ending, which the pump handles.
    pub(crate) fn take_messages(&self, batch: &mut Batch) -> bool {
        let mut state = self.state.lock();
        if state.closing {
            return false;
        }
        if !self.may_sleep(&mut state) {
            let mut state = self.take_frames(state, batch);
            self.hold(&mut state, batch);
            return !batch.is_empty() || self.may_sleep(&mut state);
        }
        true
    }

    /// Returns whether there is nothing to do. If so, the next call that queues a frame wakes the
    /// pump.
    fn may_sleep(&self, state: &mut State) -> bool {
        let quiet = state.is_quiet();
        if quiet {
            state.taken_bytes = 0;
            state.taken_frames = 0;
            self.asleep.store(true, Ordering::Release);
        }
        quiet
    }

    /// Moves everything queued into `batch`, the control frames first.
    fn take_frames<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        batch: &mut Batch,
    ) -> MutexGuard<'s, State> {
        self.sent.store(false, Ordering::Relaxed);
        let mut fetch = state.queue.take(batch);
        let controls = state.take_controls(&self.meter);
        let counted = (controls.count, controls.frames.len());
        batch.push_front(controls.frames, controls.count);
        while let Some(news) = fetch.take() {
            state.count_fetched(batch, &news);
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
                fetch = state.queue.take(batch);
            }
        }
        if let Some(meter) = self.meter.get() {
            metering::count(meter, batch, counted);
        }
        state
    }

    /// Keeps counting the taken frames until they are written.
    fn hold(&self, state: &mut State, batch: &Batch) {
        state.set_taken(batch);
        self.note(batch.bytes(), batch.frames());
    }

    /// Ends the outbox with its connection: nothing more is queued, nor kept for it anywhere.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        state.closing = true;
        state.gives_up = true;
        state.queue.clear();
        drop(state);
        self.give_up();
    }

    /// Releases the feeds, and counts their messages as lost. Returns how many messages that is.
    fn give_up(&self) -> u64 {
        let feeds = self.state.lock().queue.give_up();
        if feeds.is_empty() {
            return 0;
        }
        let backlogs: SmallVec<[Backlog; 1]> = feeds.iter().map(Cursor::backlog).collect();
        let lost = queue::lag(&backlogs).messages as u64;
        drop(feeds);
        let mut state = self.state.lock();
        match state.slow {
            Slow::No => state.dropped += lost,
            Slow::Unsaid | Slow::Said => self.note_lost(&mut state, lost),
        }
        lost
    }

    /// Returns what must be done at once, while the pump still has a batch to write.
    pub(crate) fn urgent(&self) -> Taken {
        let mut state = self.state.lock();
        Taken {
            close: state.special.close().cloned(),
            overflowed: state.slow.say(),
            terminated: state.terminated,
        }
    }

    /// Queues a ping, unless one waits already.
    pub(crate) fn heartbeat(&self) {
        let mut state = self.state.lock();
        if !state.closing {
            state.special.heartbeat();
        }
    }

    /// Notes that the client has answered a ping.
    fn answered(&self) {
        let mut state = self.state.lock();
        // The count saturates.
        if state.unanswered < u16::MAX {
            state.unanswered = state.unanswered.saturating_sub(1);
        }
    }

    /// Returns whether a ping was taken that the client may still answer. The client may answer
    /// only the latest of several (RFC 6455 section 5.5.3): then this stays true.
    pub(crate) fn awaits_answer(&self) -> bool {
        self.state.lock().unanswered > 0
    }

    /// Notes a write, after which `left` remains of the taken frames.
    #[inline]
    pub(crate) fn written(&self, left: &Batch) {
        let mut state = self.state.lock();
        let before = (state.taken_bytes, state.taken_frames as usize);
        state.set_taken(left);
        state.stale = false;
        if self.is_blocked() || self.behind_until.load(Ordering::Relaxed) != bounds::NOT_BEHIND {
            self.unblock(&mut state, before);
        }
    }

    #[cold]
    fn unblock(&self, state: &mut State, (bytes, frames): (usize, usize)) {
        self.flags.fetch_and(!BLOCKED, Ordering::Relaxed);
        let bytes = bytes.saturating_sub(state.taken_bytes);
        let frames = frames.saturating_sub(state.taken_frames as usize);
        self.has_taken(state, bytes, frames);
    }

    /// Notes that `lost` of the taken messages will not be written.
    pub(crate) fn discarded(&self, lost: usize, left: &Batch) {
        let mut state = self.state.lock();
        state.set_taken(left);
        self.note_lost(&mut state, lost as u64);
    }

    /// Notes that a write has to wait for the client, or has failed: from here on the limits judge
    /// the queue.
    pub(crate) fn must_wait(&self) {
        if self.is_blocked() {
            return;
        }
        let state = self.state.lock();
        self.flags.fetch_or(BLOCKED, Ordering::Relaxed);
        // The topics have room as if everything could be written.
        state.queue.recheck();
    }

    #[inline]
    fn is_blocked(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & BLOCKED != 0
    }

    /// Returns whether frames were written in the pump's place since the last call.
    pub(crate) fn take_relieved(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & RELIEVED != 0
            && self.flags.fetch_and(!RELIEVED, Ordering::Relaxed) & RELIEVED != 0
    }

    /// Returns whether everything has been written after more than
    /// [`DRAIN_MARK`](crossws_core::DRAIN_MARK) bytes had piled up. Returns `true` once.
    pub(crate) fn take_drained(&self) -> bool {
        self.has_piled_up()
            && self.state.lock().waiting() == (0, 0)
            && self.piled_up.swap(false, Ordering::Relaxed)
    }

    /// Returns whether [`take_drained`](Self::take_drained) must be called.
    pub(crate) fn has_piled_up(&self) -> bool {
        self.piled_up.load(Ordering::Relaxed)
    }

    /// Returns how many bytes wait.
    pub(crate) fn buffered(&self) -> usize {
        let state = self.state.lock();
        let (bytes, _) = state.sent();
        let backlogs = state.queue.backlogs();
        drop(state);
        bytes + queue::lag(&backlogs).bytes
    }

    /// Returns whether publications are read from the topics' logs, and not queued one by one.
    /// Constant.
    pub(crate) fn reads_logs(&self) -> bool {
        matches!(self.state.lock().overflow, Overflow::Close)
    }

    /// Returns how many messages a policy discarded.
    pub(crate) fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }

    /// Drops the connection at once.
    pub(crate) fn terminate(&self) {
        let mut state = self.state.lock();
        state.closing = true;
        state.gives_up = true;
        state.terminated = true;
    }

    /// Queues an application's ping or pong.
    pub(crate) fn control(&self, opcode: Opcode, data: Bytes) -> Result<(), ControlError> {
        let mut state = self.state.lock();
        if state.closing {
            return Err(ControlError::Closed);
        }
        if opcode == Opcode::Ping {
            return state.special.ping(data);
        }
        let client_is_slow = state.taken_bytes > 0;
        state.special.answer(data, client_is_slow);
        Ok(())
    }

    /// Notes a feed with news. Returns how much more may be appended to it before this is called
    /// again.
    pub(crate) fn announce(&self, feed: Cursor) -> Result<Allowance, Cursor> {
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
            let (bytes, frames) = state.waiting();
            let settle = self.has_grown(bytes, frames);
            let settle = settle || self.must_look_at_kept(state.queue.feeds());
            self.room(&state, bytes, frames).with_settle(settle)
        } else {
            self.first_room(&state)
        };
        Ok(room.with_wake(self.rouse()))
    }

    /// Handles a feed that has more news than there was room for. Returns how much more may be
    /// appended before this is called again.
    pub(crate) fn lags(&self) -> Allowance {
        let state = self.state.lock();
        if state.closing {
            // The peer will leave.
            return Allowance::new(usize::MAX, usize::MAX);
        }
        let (bytes, frames) = state.waiting();
        // Its own peer's publications are kept for it although it is not sent them: it must read
        // first.
        let settle = self.has_grown(bytes, frames);
        self.room(&state, bytes, frames).with_settle(settle)
    }

    /// Notes that the peer has left topics, some of which may have news for it. Returns whether the
    /// outbox must be settled.
    #[cold]
    pub(crate) fn left(&self) -> bool {
        let state = self.state.lock();
        let backlogs = state.queue.backlogs();
        drop(state);
        if backlogs.is_empty() {
            return false;
        }
        let rests: SmallVec<[_; 1]> = backlogs.iter().map(Backlog::rest).collect();
        let mut state = self.state.lock();
        state.queue.left(&backlogs, &rests);
        let (bytes, frames) = state.waiting();
        self.has_grown(bytes, frames) || self.may_keep_much(state.queue.feeds())
    }

    pub(crate) fn wake_pump(&self) {
        self.task.wake();
    }

    /// Queues a message for this connection alone, in the simple case: the pump is awake, and so
    /// little waits that no other component must look at it. Returns how many bytes wait now. In
    /// every other case returns `None`, and queues nothing.
    #[inline]
    pub(crate) fn push_at_once(&self, opcode: Opcode, payload: &Bytes) -> Option<usize> {
        let mut state = self.state.lock();
        let (bytes, frames) = state.sent_plainly();
        let bytes = bytes + MAX_HEADER + payload.len();
        let at_once = state.queue.is_plain()
            && bytes <= DRAIN_MARK
            && !self.is_half(bytes, frames + 1)
            && matches!(state.overflow, Overflow::Close)
            && !state.closing
            && !self.is_asleep();
        if !at_once {
            return None;
        }
        state.queue.direct.push(opcode, payload);
        self.note_sent();
        Some(state.sent_plainly().0)
    }

    /// Queues one message without waking the pump.
    #[inline]
    pub(crate) fn enqueue(&self, len: usize, push: impl FnOnce(&mut Batch)) -> Receipt {
        self.enqueue_in(self.state.lock(), len, push)
    }

    /// Queues one message in place of the waiting one with the same key, without waking the pump.
    /// Returns `None`, and does nothing, while no write has to wait for the client.
    #[cold]
    pub(crate) fn replace(&self, key: &Arc<str>, frame: impl FnOnce() -> Bytes) -> Option<Receipt> {
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
            self.note_lost(&mut state, 1);
            return Some(Receipt::full(1));
        }
        state.queue.take_out(key);
        let push = |batch: &mut Batch| batch.push_keyed(Arc::clone(key), frame.clone());
        Some(self.enqueue_in(state, frame.len(), push))
    }

    #[inline(always)]
    fn enqueue_in(
        &self,
        mut state: MutexGuard<'_, State>,
        len: usize,
        push: impl FnOnce(&mut Batch),
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
            let (bytes, frames) = state.sent_plainly();
            (bytes, self.has_grown(bytes, frames))
        } else {
            self.push_behind(&mut state, push)
        };
        let wake = self.rouse() || (dropped > 0 && self.has_lost());
        Receipt::replaced(dropped, wake)
            .with_settle(settle)
            .with_waiting(bytes)
    }
}

impl State {
    /// Returns how many bytes and frames were sent to this connection, or fetched for it, and are
    /// not yet written.
    fn sent(&self) -> (usize, usize) {
        let (bytes, frames) = self.queue.sent();
        (
            bytes + self.taken_bytes,
            frames + self.taken_frames as usize,
        )
    }

    /// Counts the taken frames that are not yet written.
    #[inline]
    fn set_taken(&mut self, batch: &Batch) {
        self.taken_bytes = batch.bytes();
        self.taken_frames = u32::try_from(batch.frames()).unwrap_or(u32::MAX);
    }

    /// Keeps counting sent frames while the news are fetched. The news count themselves.
    fn count_fetched(&mut self, batch: &Batch, news: &Fetch) {
        let (bytes, frames) = news.sent();
        self.set_taken(batch);
        self.taken_bytes += bytes;
        let frames = u32::try_from(frames).unwrap_or(u32::MAX);
        self.taken_frames = self.taken_frames.saturating_add(frames);
    }

    /// As [`sent`](Self::sent), where the queue is [plain](Queue::is_plain).
    fn sent_plainly(&self) -> (usize, usize) {
        let direct = &self.queue.direct;
        let (bytes, frames) = (direct.bytes(), direct.frames());
        (
            bytes + self.taken_bytes,
            frames + self.taken_frames as usize,
        )
    }

    /// Returns the queue's bytes and frames, with an upper bound of the unfetched news.
    fn waiting(&self) -> (usize, usize) {
        let (bytes, frames) = self.sent();
        let news = self.queue.news();
        (bytes + news.bytes, frames + news.messages)
    }

    /// Takes the waiting control frames, encoded.
    fn take_controls(&mut self, meter: &MeterCell) -> Controls {
        let controls = self.special.take_controls(meter);
        self.unanswered = self.unanswered.saturating_add(controls.pings);
        controls
    }

    /// Closes the connection as a slow consumer's. Returns how many messages were discarded, for
    /// [`note_lost`](Outbox::note_lost).
    fn overflow(&mut self) -> u64 {
        let (_, lost) = self.queue.sent();
        self.queue.clear();
        self.closing = true;
        self.gives_up = true;
        self.slow = Slow::Unsaid;
        let frame = CloseFrame::new(CloseCode::TRY_AGAIN, "slow consumer");
        self.special.close_with(Some(frame));
        lost as u64
    }

    /// Returns whether the pump has nothing to take and nothing to learn.
    fn is_quiet(&self) -> bool {
        self.queue.is_empty()
            && self.special.is_empty()
            && self.slow != Slow::Unsaid
            && !self.terminated
    }
}

/// The stream's waker: notes that there is something to read, then wakes the pump. It does not use
/// `Wake`, for which a read would have to count one more handle, or the link keep one.
impl ArcWake for Outbox {
    fn wake_by_ref(outbox: &Arc<Self>) {
        outbox.set_readable();
        outbox.task.wake();
    }
}

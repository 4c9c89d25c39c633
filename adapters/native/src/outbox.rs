//! The way out of one connection: what every thread may queue into, and its pump empties.

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
    /// The pump found the outbox empty and sleeps: the next to queue something wakes it.
    asleep: AtomicBool,
    /// More than half of a bound may be used: see [`is_congested`](Self::is_congested).
    half_full: AtomicBool,
    /// [`BLOCKED`], [`RELIEVED`] and [`LOST`].
    flags: AtomicU8,
    /// Until when publishers wait for the client; `NOT_BEHIND` unless it is behind.
    behind_until: AtomicU16,
    /// What was queued since the pump last took it is not only what others are sent too.
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
    /// Of the server whose connection this is, if it has one.
    crew: Option<Arc<Crew>>,
    meter: MeterCell,
}

/// The last write had to wait for the client: see [`settle`](Outbox::settle).
const BLOCKED: u8 = 1;
/// Something was written in the pump's place, and those who wait for that are to be told.
const RELIEVED: u8 = 2;
/// Messages were discarded of which the peer does not know yet.
const LOST: u8 = 4;

struct State {
    queue: Queue,
    /// What the pump has taken and not yet written.
    taken_bytes: usize,
    taken_frames: u32,
    /// How much the client has taken since it was given time, in parts of a bound.
    progress: u32,
    /// Pings of ours that were taken, and not answered yet.
    unanswered: u16,
    overflow: Overflow,
    /// What is queued is too old, and counts as a full queue.
    stale: bool,
    special: Special,
    /// Nothing more is queued; what was is still sent.
    closing: bool,
    slow: Slow,
    /// What is still to be fetched is not for this client any more.
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
    /// The pump does not know yet.
    Unsaid,
    Said,
}

impl Slow {
    /// Returns whether the pump must be told, once.
    fn say(&mut self) -> bool {
        let unsaid = *self == Self::Unsaid;
        if unsaid {
            *self = Self::Said;
        }
        unsaid
    }
}

/// What the pump learns when it takes.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// This side's close frame: the last of the batch, or of what is still queued.
    pub(crate) close: Option<CloseFrame>,
    /// The queue overflowed: what was taken before is cut to the frame that has begun.
    pub(crate) overflowed: bool,
    /// The connection is to be dropped at once.
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

    /// Who writes in the pump's place.
    pub(crate) fn crew(&self) -> Option<&Crew> {
        self.crew.as_deref()
    }

    /// Who wakes the pump for its time.
    pub(crate) fn timers(&self) -> Option<&Timers> {
        self.crew().map(Crew::timers)
    }

    /// The pump is being polled: it will look at everything by itself.
    pub(crate) fn attend(&self, waker: &Waker) {
        self.task.register(waker);
        self.stay_awake();
    }

    /// The pump runs, and will look at everything before it sleeps.
    pub(crate) fn stay_awake(&self) {
        // Only the pump lets it be true.
        if self.asleep.load(Ordering::Relaxed) {
            self.asleep.store(false, Ordering::Release);
        }
    }

    /// Whether the pump sleeps, so that nothing waits; for now.
    pub(crate) fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::Relaxed)
    }

    /// Whether the pump sleeps, and is to be woken. Under the lock, as its falling asleep.
    fn rouse(&self) -> bool {
        self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel)
    }

    /// A message is queued that is for this connection alone.
    pub(crate) fn note_sent(&self) {
        self.sent.store(true, Ordering::Relaxed);
    }

    /// Whether something waits, and all of it was published; as far as is known.
    pub(crate) fn has_only_published(&self) -> bool {
        let state = self.state.lock();
        !self.sent.load(Ordering::Relaxed)
            && !state.queue.is_empty()
            && state.special.is_empty()
            && !state.closing
    }

    /// Whether the stream's waker has been woken since the last time this was asked.
    pub(crate) fn take_readable(&self) -> bool {
        self.readable.swap(false, Ordering::AcqRel)
    }

    /// As [`take_readable`](Self::take_readable), for now.
    pub(crate) fn is_readable(&self) -> bool {
        self.readable.load(Ordering::Acquire)
    }

    /// Reading stopped although there may be more.
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

    /// Nothing could be written for as long as the limits allow: the queue counts as full until
    /// something is.
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

    /// Moves everything queued into `batch`, which must be empty, and says what else is to be
    /// done. When there is nothing the next to queue will wake the pump.
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
        // The last thing: behind what was sent, published and asked while the pump fetched.
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

    /// As [`take`](Self::take), for a task that writes in the pump's place. Returns `false`, and takes
    /// nothing, if the connection is ending, which is the pump's to do.
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

    /// Whether there is nothing to do; then the next to queue something wakes the pump.
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

    /// What was taken still counts, until it is written.
    fn hold(&self, state: &mut State, batch: &Batch) {
        state.set_taken(batch);
        self.note(batch.bytes(), batch.frames());
    }

    /// The connection is over: nothing is queued any more, nor kept for it anywhere.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        state.closing = true;
        state.gives_up = true;
        state.queue.clear();
        drop(state);
        self.give_up();
    }

    /// Lets go of what was to be fetched, and counts it as lost. Returns how many messages that is.
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

    /// What is to be done at once, while the pump still has a batch to write.
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

    /// The client has answered a ping.
    fn answered(&self) {
        let mut state = self.state.lock();
        // So many that they are not counted any more stay so many.
        if state.unanswered < u16::MAX {
            state.unanswered = state.unanswered.saturating_sub(1);
        }
    }

    /// Whether a ping was taken that the client may still answer. It may answer the latest of several
    /// alone (RFC 6455 section 5.5.3): then this stays so.
    pub(crate) fn awaits_answer(&self) -> bool {
        self.state.lock().unanswered > 0
    }

    /// Something was written: so much of what was taken is left.
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

    /// So many messages that were taken are not written any more.
    pub(crate) fn discarded(&self, lost: usize, left: &Batch) {
        let mut state = self.state.lock();
        state.set_taken(left);
        self.note_lost(&mut state, lost as u64);
    }

    /// A write has to wait for the client, or has failed: from here on what waits is judged by the
    /// limits.
    pub(crate) fn must_wait(&self) {
        if self.is_blocked() {
            return;
        }
        let state = self.state.lock();
        self.flags.fetch_or(BLOCKED, Ordering::Relaxed);
        // They have room as if everything could be written.
        state.queue.recheck();
    }

    #[inline]
    fn is_blocked(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & BLOCKED != 0
    }

    /// Whether something was written in the pump's place since this was last asked.
    pub(crate) fn take_relieved(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & RELIEVED != 0
            && self.flags.fetch_and(!RELIEVED, Ordering::Relaxed) & RELIEVED != 0
    }

    /// Whether everything has been written after more than [`DRAIN_MARK`](crossws_core::DRAIN_MARK)
    /// bytes had piled up; said once.
    pub(crate) fn take_drained(&self) -> bool {
        self.has_piled_up()
            && self.state.lock().waiting() == (0, 0)
            && self.piled_up.swap(false, Ordering::Relaxed)
    }

    /// Whether [`take_drained`](Self::take_drained) is to be asked.
    pub(crate) fn has_piled_up(&self) -> bool {
        self.piled_up.load(Ordering::Relaxed)
    }

    /// Bytes that wait.
    pub(crate) fn buffered(&self) -> usize {
        let state = self.state.lock();
        let (bytes, _) = state.sent();
        let backlogs = state.queue.backlogs();
        drop(state);
        bytes + queue::lag(&backlogs).bytes
    }

    /// Whether what is published is fetched, and not handed in. Constant.
    pub(crate) fn reads_logs(&self) -> bool {
        matches!(self.state.lock().overflow, Overflow::Close)
    }

    /// Messages that a policy discarded.
    pub(crate) fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }

    /// The connection is to be dropped at once.
    pub(crate) fn terminate(&self) {
        let mut state = self.state.lock();
        state.closing = true;
        state.gives_up = true;
        state.terminated = true;
    }

    /// Queues a ping (or else a pong) of the application's.
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

    /// There is something to fetch. Returns how much more there may be before this is asked again.
    pub(crate) fn announce(&self, feed: Cursor) -> Result<Allowance, Cursor> {
        let mut state = self.state.lock();
        if state.closing {
            return Err(feed);
        }
        if self.is_blocked() {
            // What is free was promised to the others.
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

    /// More is to be fetched than there was room for. Returns how much more there may be before this
    /// is asked again.
    pub(crate) fn lags(&self) -> Allowance {
        let state = self.state.lock();
        if state.closing {
            // It will leave.
            return Allowance::new(usize::MAX, usize::MAX);
        }
        let (bytes, frames) = state.waiting();
        // What its own peer publishes is not for it, but kept for it: it is made to read first.
        let settle = self.has_grown(bytes, frames);
        self.room(&state, bytes, frames).with_settle(settle)
    }

    /// The peer has left topics, of which some may have something for it. Returns whether the outbox
    /// must be settled.
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

    /// Queues a message that is for this connection alone, where that is all there is to do: the pump is
    /// awake, and so little waits that nobody need look at it. Returns how many bytes wait now. `None`
    /// if there is more to do: then it is not queued.
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

    /// Queues one message, and wakes nobody.
    #[inline]
    pub(crate) fn enqueue(&self, len: usize, push: impl FnOnce(&mut Batch)) -> Receipt {
        self.enqueue_in(self.state.lock(), len, push)
    }

    /// Queues one message in place of the one with the same key that waits, and wakes nobody. Returns
    /// `None`, and does nothing, while no write has to wait for the client.
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
    /// Bytes and frames that were sent to this connection, or fetched for it, and not yet written.
    fn sent(&self) -> (usize, usize) {
        let (bytes, frames) = self.queue.sent();
        (
            bytes + self.taken_bytes,
            frames + self.taken_frames as usize,
        )
    }

    /// So much is taken, and not yet written.
    #[inline]
    fn set_taken(&mut self, batch: &Batch) {
        self.taken_bytes = batch.bytes();
        self.taken_frames = u32::try_from(batch.frames()).unwrap_or(u32::MAX);
    }

    /// What was sent still counts while the news are fetched. These count themselves.
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

    /// With at most what is still to be fetched.
    fn waiting(&self) -> (usize, usize) {
        let (bytes, frames) = self.sent();
        let news = self.queue.news();
        (bytes + news.bytes, frames + news.messages)
    }

    /// The control frames that wait, encoded.
    fn take_controls(&mut self, meter: &MeterCell) -> Controls {
        let controls = self.special.take_controls(meter);
        self.unanswered = self.unanswered.saturating_add(controls.pings);
        controls
    }

    /// Closes the connection as a slow consumer's. Returns how many messages were discarded, to be
    /// [noted](Outbox::note_lost).
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

    /// Whether there is nothing to take, and nothing to say.
    fn is_quiet(&self) -> bool {
        self.queue.is_empty()
            && self.special.is_empty()
            && self.slow != Slow::Unsaid
            && !self.terminated
    }
}

/// The stream's waker: notes that there is something to read, then wakes the pump. Not `Wake`: a read
/// would have to count one more handle, or the link to keep one.
impl ArcWake for Outbox {
    fn wake_by_ref(outbox: &Arc<Self>) {
        outbox.set_readable();
        outbox.task.wake();
    }
}

//! How much may wait in an outbox, and what happens to more.

use std::time::Duration;

use crossws_core::adapter::{Allowance, QueueSize, Receipt, Settled};
use crossws_core::{CloseFrame, DRAIN_MARK, Overflow};

use super::state::{Slow, State};
use super::{Batch, Clock, Framing, Outbox, RELIEVED, queue};
use crate::sync::atomic::Ordering;

impl<F: Framing, C: Clock> Outbox<F, C> {
    /// Returns whether the next message, of this length, must wait until more is written: more than
    /// half of a bound is used, or an answer as long as the message would not fit. Request and
    /// response traffic thus slows its client down instead of overflowing.
    #[inline]
    pub fn is_congested(&self, next: usize) -> bool {
        // Called for every message, and nearly never true.
        (self.half_full.load(Ordering::Relaxed) || next > self.max_bytes / 2)
            && self.would_overflow(next)
    }

    #[cold]
    fn would_overflow(&self, next: usize) -> bool {
        let state = self.state.lock();
        let bytes = state.waiting().bytes;
        self.look_if_half_full(&state) || (bytes > 0 && bytes.saturating_add(next) > self.max_bytes)
    }

    /// Returns whether more than half of a bound waits, and remembers that.
    fn look_if_half_full(&self, state: &State<F>) -> bool {
        let half_full = self.is_half(state.waiting());
        self.half_full.store(half_full, Ordering::Relaxed);
        half_full
    }

    /// Returns whether more than half of a bound is used.
    #[inline]
    pub(super) fn is_half(&self, size: QueueSize) -> bool {
        size.bytes > self.max_bytes / 2 || size.messages > self.max_frames / 2
    }

    /// Remembers this queue size, if it is large. Returns whether the outbox must be settled: see
    /// [`must_settle`](Self::must_settle). Called under the lock.
    #[inline]
    pub(super) fn has_grown(&self, size: QueueSize) -> bool {
        self.note(size) && self.must_settle(size)
    }

    /// Remembers this queue size, if it is large. Returns whether it is more than half of a bound.
    /// Called under the lock.
    #[inline]
    pub(super) fn note(&self, size: QueueSize) -> bool {
        if size.bytes > DRAIN_MARK {
            self.piled_up.store(true, Ordering::Relaxed);
        }
        let half = self.is_half(size);
        if half {
            self.half_full.store(true, Ordering::Relaxed);
        }
        half
    }

    /// Applies the policy where there may be no room for a message. Returns how many messages were
    /// discarded for it, or that it is refused.
    ///
    /// While there is no sign that the client is slow, there is room: [`settle`](Self::settle)
    /// follows. Under [`Overflow::Close`] there always is, and `settle` decides.
    #[cold]
    pub(super) fn make_room(&self, state: &mut State<F>, len: usize) -> Result<u64, Receipt> {
        if state.closing {
            return Err(Receipt::closed());
        }
        if !state.stale && (!self.is_blocked() || self.fits_behind(len, state.sent())) {
            return Ok(0);
        }
        match state.overflow {
            Overflow::DropNewest => {
                self.note_lost(&mut state.losses, 1);
                Err(Receipt::full(1))
            }
            Overflow::DropOldest => {
                // The batch that the writer has taken cannot be cut. It is left out of account here,
                // or a blocked writer would turn this into refusing the newest: at most twice the
                // bounds are used.
                let mut dropped = 0;
                while (state.stale || !self.fits_behind(len, state.queue.sent()))
                    && state.queue.drop_first()
                {
                    dropped += 1;
                }
                let fits = self.fits_behind(len, state.queue.sent());
                dropped += u64::from(!fits);
                self.note_lost(&mut state.losses, dropped);
                if fits {
                    Ok(dropped)
                } else {
                    Err(Receipt::full(dropped))
                }
            }
            _ => Ok(0),
        }
    }

    /// Returns whether the policy refuses a message of this length, although it would replace the
    /// waiting one with the same key: then the older one stays.
    #[cold]
    pub(super) fn refuses_in_place(&self, state: &State<F>, key: &str, len: usize) -> bool {
        if !matches!(state.overflow, Overflow::DropNewest) {
            return false;
        }
        state.queue.len_of(key).is_some_and(|older| {
            let others = state.sent().since(QueueSize::new(older, 1));
            state.stale || !self.fits_behind(len, others)
        })
    }

    /// Returns whether a message fits after these. A message always fits in an empty queue: its size
    /// is the application's own choice, and no sign of a slow client.
    fn fits_behind(&self, len: usize, others: QueueSize) -> bool {
        let bytes = others.bytes;
        bytes == 0
            || (bytes.saturating_add(len) <= self.max_bytes && others.messages < self.max_frames)
    }

    /// Returns whether this is more than may wait. One message may always wait.
    fn is_over(&self, size: QueueSize) -> bool {
        size.messages > 1 && (size.bytes > self.max_bytes || size.messages > self.max_frames)
    }

    /// Returns whether the outbox must be settled at this queue size, which is more than half of a
    /// bound: the queue must be written, or its publisher must learn that this client is behind, or
    /// the queue is too long.
    pub(super) fn must_settle(&self, size: QueueSize) -> bool {
        size.messages > 1 && (!self.is_blocked() || self.is_over(size) || self.is_given_time())
    }

    /// Returns whether one more message of this length leaves at least half of each bound free, or nothing
    /// waits.
    pub fn has_room(&self, len: usize) -> bool {
        let waiting = self.waiting();
        waiting.messages == 0 || !self.is_half(waiting + QueueSize::new(len, 1))
    }

    /// Returns whether more than half of a bound waits, and has for less than [`GRACE`]. Whether a
    /// write has had to wait does not matter: another thread may be writing, and this one would go
    /// on publishing until that write has to wait with more than a bound after it.
    pub fn is_behind(&self) -> bool {
        if !self.half_full.load(Ordering::Relaxed) {
            return false;
        }
        let state = self.state.lock();
        self.look_if_half_full(&state) && !state.closing && self.is_given_time()
    }

    /// Returns whether the client, which is behind, still has time. Its time begins anew if the
    /// client has taken enough since it last began.
    fn is_given_time(&self) -> bool {
        let now = ticks(self.clock.now());
        match self.behind_until.load(Ordering::Relaxed) {
            NOT_BEHIND => {
                self.behind_until
                    .store(now + GRACE_TICKS, Ordering::Relaxed);
                true
            }
            LATE => false,
            until if until > now && until - now <= GRACE_TICKS => true,
            _ => {
                self.behind_until.store(LATE, Ordering::Relaxed);
                false
            }
        }
    }

    /// Notes how much the client has taken. A client that takes a quarter of a bound is given its
    /// time anew. To be less behind is not enough: publishers would wait at each message for a
    /// client that takes a little now and then.
    pub(super) fn has_taken(&self, state: &mut State<F>, size: QueueSize) {
        if self.behind_until.load(Ordering::Relaxed) == NOT_BEHIND {
            return;
        }
        // 32 bits would have no room for the product.
        let part = |of: usize, most: usize| (of as u64).saturating_mul(BOUND) / most.max(1) as u64;
        let parts = part(size.bytes, self.max_bytes).max(part(size.messages, self.max_frames));
        let parts = u32::try_from(parts).unwrap_or(u32::MAX);
        state.progress = state.progress.saturating_add(parts);
        if u64::from(state.progress) >= BOUND / 4 {
            state.progress = 0;
            self.behind_until.store(NOT_BEHIND, Ordering::Relaxed);
        }
    }

    /// Queues a message while there is something to fetch. Returns how many bytes were sent and wait, and
    /// whether the outbox must be settled.
    #[cold]
    pub(super) fn push_behind(
        &self,
        state: &mut State<F>,
        push: impl FnOnce(&mut Batch<F>),
    ) -> (usize, bool) {
        let before = state.sent().bytes;
        state.queue.push_behind(push);
        let sent = state.sent().bytes;
        if self.is_blocked() {
            // The free room was promised to the unfetched news.
            state.queue.recheck();
        }
        let mut settle = self.has_grown(state.waiting());
        // The memory of topics that the peer has left is looked at in steps.
        let step = (self.max_bytes / 8).max(1);
        if self.is_blocked() && before / step != sent / step {
            settle |= self.may_keep_much(state.queue.feeds());
        }
        (sent, settle)
    }

    /// Returns how much may be appended to one topic's log before the sum is checked, while writes
    /// succeed. The news of many topics are written at half of a bound.
    #[inline]
    pub(super) fn first_room(&self, state: &State<F>) -> Allowance {
        let feeds = state.queue.feeds();
        // To add up takes as long as there are feeds.
        let mut settle = false;
        if feeds < MANY_FEEDS || feeds.is_multiple_of(MANY_FEEDS) {
            settle = self.has_grown(state.waiting());
        }
        // A quarter, then smaller parts: those of all topics together are about a bound.
        let part = 2 + (usize::BITS - feeds.saturating_sub(1).leading_zeros());
        Allowance::new(self.max_bytes >> part, self.max_frames >> part).with_settle(settle)
    }

    /// Returns how much more may be appended to one topic's log at this total queue size.
    ///
    /// The topic asks again when a quarter of a bound is used, and then at each sixteenth. Once a
    /// write has had to wait, the sum of everything must not exceed the bounds: one topic may use
    /// the rest; with several, each publication is checked, as while publishers wait for the
    /// client.
    pub(super) fn room(&self, state: &State<F>, size: QueueSize) -> Allowance {
        let half = self.is_half(size);
        let blocked = self.is_blocked();
        let left = |most: usize, used: usize| {
            let next = (most / 4).saturating_sub(used).max(most / 16);
            if blocked {
                next.min(most.saturating_sub(used))
            } else {
                next
            }
        };
        // Each publisher must be told.
        let each = blocked && (!state.queue.has_one_feed() || (half && self.is_given_time()));
        if each {
            Allowance::default()
        } else {
            Allowance::new(
                left(self.max_bytes, size.bytes),
                left(self.max_frames, size.messages),
            )
        }
    }

    /// Writes the queue if it is more than half of a bound, and closes the connection if the queue
    /// is over a bound although a write has had to wait for the client. `flush` writes what it can.
    /// It returns whether it wrote, or `None` if another task is writing right now; its argument
    /// says whether to wait for that task. If the connection is closed, the writer must be woken.
    pub fn settle(&self, flush: impl Fn(bool) -> Option<bool>) -> Settled {
        let mut settled = Settled::default();
        if self.has_much() {
            settled.wrote |= flush(false).unwrap_or_default();
        }
        if self.has_too_much() {
            // The queue is not judged before an attempt to write it: the client may have made room
            // since.
            let attempt = flush(true);
            settled.wrote |= attempt.unwrap_or_default();
            if attempt.is_some() && self.is_blocked() && self.has_too_much() {
                settled.lost = self.close_slow(CloseFrame::slow_consumer());
            }
        }
        // By this thread, or by another that settled at the same moment.
        settled.closed = self.is_slow();
        if settled.wrote {
            self.flags.fetch_or(RELIEVED, Ordering::Relaxed);
        }
        settled.behind = !settled.closed && self.is_behind();
        settled
    }

    /// Returns whether the connection is closed as a slow consumer's.
    fn is_slow(&self) -> bool {
        self.state.lock().slow != Slow::No
    }

    /// Returns whether there is a reason to write in the writer's place.
    fn has_much(&self) -> bool {
        let state = self.state.lock();
        let waiting = state.waiting();
        !state.closing && self.is_half(waiting) && self.must_settle(waiting)
    }

    /// Returns whether the queue is over a bound.
    fn has_too_much(&self) -> bool {
        let state = self.state.lock();
        if state.closing || !matches!(state.overflow, Overflow::Close) {
            return false;
        }
        // An estimate. It counts the peer's own publications and those since it left, but not all
        // that a topic that it has left keeps in memory. The topics know the exact number, which
        // cannot be asked under this lock.
        if !self.is_over(state.waiting()) && !self.may_keep_much(state.queue.feeds()) {
            return false;
        }
        let sent = state.sent();
        let backlogs = state.queue.backlogs();
        drop(state);
        self.is_over(sent + queue::kept(&backlogs))
    }

    /// Returns whether this many topics, if the peer has left them, may keep more than half of a
    /// bound in memory that does not wait.
    pub(super) fn may_keep_much(&self, feeds: usize) -> bool {
        feeds > 1 && feeds.saturating_mul(PIECE) > self.max_bytes / 2
    }

    /// Returns whether the last of this many feeds requires a look at the memory that topics keep
    /// after the peer has left them.
    pub(super) fn must_look_at_kept(&self, feeds: usize) -> bool {
        let step = (self.max_bytes / (8 * PIECE)).max(1);
        self.may_keep_much(feeds) && feeds.is_multiple_of(step)
    }
}

/// How much a topic that the peer has left may keep besides the waiting messages, at least: a piece
/// of its log.
const PIECE: usize = 64 << 10;

/// From this many feeds on, not each new one requires adding up what waits.
const MANY_FEEDS: usize = 64;

/// The client is not behind, or no call has checked since it is.
pub(super) const NOT_BEHIND: u16 = 0;

/// The client has been behind for longer than publishers wait.
const LATE: u16 = u16::MAX;

/// How long publishers wait for a client that is behind. Longer than a client with 500 connections
/// needs to return to the first of them on a busy machine.
pub const GRACE: Duration = Duration::from_millis(GRACE_TICKS as u64);

const GRACE_TICKS: u16 = 300;

/// A whole bound, in parts of it.
const BOUND: u64 = 1 << 16;

/// Returns a time in milliseconds. They begin anew at 1 every minute, long before they reach
/// [`LATE`]: a client that is behind then is late a little early.
fn ticks(now: Duration) -> u16 {
    const MINUTE: u128 = 60_000;
    1 + u16::try_from(now.as_millis() % MINUTE).unwrap_or_default()
}

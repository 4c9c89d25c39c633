//! How much may wait in an outbox, and what becomes of more.

use crossws_core::{DRAIN_MARK, Lag, Overflow, Receipt, Room};

use super::{Outbox, State, queue};
use crate::sync::MutexGuard;
use crate::sync::atomic::Ordering;

impl Outbox {
    /// Whether the next message, of this length, shall wait until more is written: more than
    /// half of a bound is used, or an answer as long as the message would not fit. Request and
    /// response traffic thus slows its client down instead of overflowing.
    #[inline]
    pub(crate) fn is_congested(&self, next: usize) -> bool {
        // Asked for every message, and nearly never so.
        (self.half_full.load(Ordering::Relaxed) || next > self.max_bytes / 2)
            && self.would_overflow(next)
    }

    #[cold]
    fn would_overflow(&self, next: usize) -> bool {
        let state = self.state.lock();
        let (bytes, frames) = state.waiting();
        let half_full = self.is_half(bytes, frames);
        self.half_full.store(half_full, Ordering::Relaxed);
        half_full || (bytes > 0 && bytes.saturating_add(next) > self.max_bytes)
    }

    /// Whether more than half of a bound is used.
    fn is_half(&self, bytes: usize, frames: usize) -> bool {
        bytes > self.max_bytes / 2 || frames > self.max_frames / 2
    }

    /// Remembers that so much waits, if it is much. Under the lock.
    pub(super) fn note(&self, bytes: usize, frames: usize) {
        if bytes > DRAIN_MARK {
            self.piled_up.store(true, Ordering::Relaxed);
        }
        if self.is_half(bytes, frames) {
            self.half_full.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a message may be queued at once, as nearly always.
    #[inline]
    pub(super) fn has_room(&self, state: &State, len: usize) -> bool {
        !state.closing
            && !state.stale
            && !state.queue.has_news()
            && self.fits(state, len, Lag::default())
    }

    /// Does what the policy says where there may be no room for a message. Answers how many were
    /// discarded for it; or else that it is refused.
    #[cold]
    pub(super) fn make_room<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        len: usize,
    ) -> Result<(MutexGuard<'s, State>, u64), Receipt> {
        if state.queue.has_news() && !state.closing && !self.fits(&state, len, state.queue.news()) {
            // By an estimate. The exact number is the topics' to say, and not under this lock.
            let backlogs = state.queue.backlogs();
            drop(state);
            let news = queue::lag(&backlogs);
            state = self.state.lock();
            if !state.closing && !self.fits(&state, len, news) {
                // The news are counted when they are given up.
                state.dropped += 1;
                return Err(Receipt::full(1 + state.overflow()));
            }
        }
        if state.closing {
            return Err(Receipt::closed());
        }
        let mut dropped = 0;
        if state.stale || !self.fits(&state, len, Lag::default()) {
            match state.overflow {
                Overflow::DropNewest => {
                    state.dropped += 1;
                    return Err(Receipt::full(1));
                }
                Overflow::DropOldest => {
                    // What the pump has in its hands cannot be taken back. It is left out of
                    // account here, or a blocked pump would turn this into refusing the newest:
                    // at most twice the bounds are used.
                    while (state.stale || !self.fits_behind(len, state.queue.sent()))
                        && state.queue.drop_first()
                    {
                        dropped += 1;
                    }
                    if !self.fits_behind(len, state.queue.sent()) {
                        dropped += 1;
                        state.dropped += dropped;
                        return Err(Receipt::full(dropped));
                    }
                    state.dropped += dropped;
                }
                _ => {
                    let lost = state.overflow() + 1;
                    state.dropped += 1;
                    return Err(Receipt::full(lost));
                }
            }
        }
        Ok((state, dropped))
    }

    /// Whether a message fits behind what was sent and so many news.
    fn fits(&self, state: &State, len: usize, news: Lag) -> bool {
        let (bytes, frames) = state.sent();
        self.fits_behind(len, (bytes + news.bytes, frames + news.messages))
    }

    /// Whether a message fits, if so much is before it. One always fits where nothing waits: its
    /// size is the application's own choice, and no sign of a slow client.
    fn fits_behind(&self, len: usize, (bytes, frames): (usize, usize)) -> bool {
        bytes == 0 || (bytes.saturating_add(len) <= self.max_bytes && frames < self.max_frames)
    }

    /// How much may wait in a topic's log, of which the first message is so long, until a part of
    /// the bounds is used.
    pub(super) fn room(&self, state: &State, first: usize, part: usize) -> Room {
        let (bytes, frames) = state.sent();
        let room = Room::new(
            (self.max_bytes / part).saturating_sub(bytes),
            (self.max_frames / part).saturating_sub(frames),
            false,
        );
        match bytes {
            0 => Room::new(room.bytes.max(first), room.messages.max(1), false),
            _ => room,
        }
    }
}

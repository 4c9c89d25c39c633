use crossws_core::Overflow;
use crossws_core::adapter::MeterCell;

use super::control::{ControlFrames, Controls};
use super::lost::Losses;
use super::queue::{Fetch, Queue};
use super::{Batch, Clock, Framing};
use crate::reasons;

/// The part of an outbox that its lock guards.
#[derive(Debug)]
pub(super) struct State<F> {
    pub(super) queue: Queue<F>,
    /// The frames that the writer has taken and not yet written.
    pub(super) taken_bytes: usize,
    pub(super) taken_frames: u32,
    /// How much the client has taken since it was last given time, in parts of a bound.
    pub(super) progress: u32,
    /// Our pings that were taken and not answered yet.
    pub(super) unanswered: u16,
    pub(super) overflow: Overflow,
    /// The queue is too old, and counts as full.
    pub(super) stale: bool,
    pub(super) control: Controls,
    /// Nothing more is queued; frames that were queued before are still sent.
    pub(super) closing: bool,
    pub(super) slow: Slow,
    /// The feeds are not read for this client any more.
    pub(super) gives_up: bool,
    pub(super) terminated: bool,
    pub(super) losses: Losses,
}

/// Whether the connection is closed as a slow consumer's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Slow {
    #[default]
    No,
    /// The writer has not been told yet.
    Unsaid,
    Said,
}

impl Slow {
    /// Returns whether the writer must be told. Returns `true` once.
    pub(super) fn say(&mut self) -> bool {
        let unsaid = *self == Self::Unsaid;
        if unsaid {
            *self = Self::Said;
        }
        unsaid
    }
}

impl<F: Framing> State<F> {
    pub(super) fn new(overflow: Overflow) -> Self {
        Self {
            queue: Queue::default(),
            taken_bytes: 0,
            taken_frames: 0,
            progress: 0,
            unanswered: 0,
            overflow,
            stale: false,
            control: Controls::default(),
            closing: false,
            slow: Slow::No,
            gives_up: false,
            terminated: false,
            losses: Losses::default(),
        }
    }

    /// Returns how many bytes and frames were sent to this connection, or fetched for it, and are
    /// not yet written.
    pub(super) fn sent(&self) -> (usize, usize) {
        let (bytes, frames) = self.queue.sent();
        (
            bytes + self.taken_bytes,
            frames + self.taken_frames as usize,
        )
    }

    /// Counts the taken frames that are not yet written.
    #[inline]
    pub(super) fn set_taken(&mut self, batch: &Batch<F>) {
        self.taken_bytes = batch.bytes();
        self.taken_frames = u32::try_from(batch.frames()).unwrap_or(u32::MAX);
    }

    /// Keeps counting sent frames while the news are fetched. The news count themselves.
    pub(super) fn count_fetched(&mut self, batch: &Batch<F>, news: &Fetch<F>) {
        let (bytes, frames) = news.sent();
        self.set_taken(batch);
        self.taken_bytes += bytes;
        let frames = u32::try_from(frames).unwrap_or(u32::MAX);
        self.taken_frames = self.taken_frames.saturating_add(frames);
    }

    /// As [`sent`](Self::sent), where the queue is [plain](Queue::is_plain).
    pub(super) fn sent_plainly(&self) -> (usize, usize) {
        let direct = &self.queue.direct;
        let (bytes, frames) = (direct.bytes(), direct.frames());
        (
            bytes + self.taken_bytes,
            frames + self.taken_frames as usize,
        )
    }

    /// Returns the queue's bytes and frames, with an upper bound of the unfetched news.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let (bytes, frames) = self.sent();
        let news = self.queue.news();
        (bytes + news.bytes, frames + news.messages)
    }

    /// Takes the waiting control frames, encoded.
    pub(super) fn take_controls(
        &mut self,
        meter: &MeterCell,
        clock: &impl Clock,
    ) -> ControlFrames<F> {
        let controls = self.control.take(meter, clock);
        self.unanswered = self.unanswered.saturating_add(controls.pings);
        controls
    }

    /// Closes the connection as a slow consumer's. Returns how many messages were discarded, for
    /// [`note_lost`](Outbox::note_lost).
    pub(super) fn overflow(&mut self) -> u64 {
        let (_, lost) = self.queue.sent();
        self.queue.clear();
        self.closing = true;
        self.gives_up = true;
        self.slow = Slow::Unsaid;
        self.control.close_with(Some(reasons::slow_consumer()));
        lost as u64
    }

    /// Returns whether the writer has nothing to take and nothing to learn.
    pub(super) fn is_quiet(&self) -> bool {
        self.queue.is_empty()
            && self.control.is_empty()
            && self.slow != Slow::Unsaid
            && !self.terminated
    }
}

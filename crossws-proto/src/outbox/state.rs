use crossws_core::Overflow;
use crossws_core::adapter::{MeterCell, QueueSize};

use super::control::{ControlFrames, Controls};
use super::lost::Losses;
use super::queue::FrameQueue;
use super::{Clock, Framing};

/// The part of an outbox that its lock guards.
#[derive(Debug, Default)]
pub(super) struct State<F> {
    pub(super) queue: FrameQueue<F>,
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
            overflow,
            ..Self::default()
        }
    }

    /// Returns how much was sent to this connection, or fetched for it, and is not yet written.
    pub(super) fn sent(&self) -> QueueSize {
        self.queue.sent() + self.taken()
    }

    /// As [`sent`](Self::sent), where the queue is [plain](FrameQueue::is_plain).
    #[inline]
    pub(super) fn sent_plainly(&self) -> QueueSize {
        self.queue.direct.size() + self.taken()
    }

    /// Returns how much waits, with an upper bound of the unfetched news.
    pub(super) fn waiting(&self) -> QueueSize {
        self.sent() + self.queue.news()
    }

    /// Returns how much was taken and is not yet written.
    #[inline]
    pub(super) fn taken(&self) -> QueueSize {
        QueueSize::new(self.taken_bytes, self.taken_frames as usize)
    }

    /// Counts the taken frames that are not yet written.
    #[inline]
    pub(super) fn set_taken(&mut self, size: QueueSize) {
        self.taken_bytes = size.bytes;
        self.taken_frames = u32::try_from(size.messages).unwrap_or(u32::MAX);
    }

    /// Takes the waiting control frames, encoded.
    pub(super) fn take_controls(&mut self, meter: &MeterCell, clock: &impl Clock) -> ControlFrames {
        let controls = self.control.take::<F>(meter, clock);
        self.unanswered = self.unanswered.saturating_add(controls.pings);
        controls
    }

    /// Returns whether the writer has nothing to take and nothing to learn.
    pub(super) fn is_quiet(&self) -> bool {
        self.queue.is_empty()
            && self.control.is_empty()
            && self.slow != Slow::Unsaid
            && !self.terminated
    }
}

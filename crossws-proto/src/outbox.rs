//! What waits for one connection: its own messages and control frames, and the places in topics' logs
//! from which publications are fetched; with the bounds on all of it, and the policies for more.
//!
//! Any thread queues into an [`Outbox`]. One task at a time, the writer, [takes](Outbox::take) what
//! waits into a [`Batch`], writes it, and reports what is left. The outbox wakes no task and reads no
//! clock of its own: a [`Receipt`] says whether the writer sleeps and must be woken, and the adapter's
//! [`Clock`] gives the time.
//!
//! A server's outbox holds [`ServerFrame`](crate::frame::ServerFrame)s. What other transports write
//! between messages is a [`Framing`] of theirs.

mod batch;
mod bounds;
mod closing;
mod control;
mod encoder;
mod feeds;
mod framing;
mod lost;
mod metering;
mod queue;
mod sending;
mod state;
mod taking;
#[cfg(all(test, not(crossws_shuttle)))]
mod tests;
mod writing;

use std::time::Duration;

#[cfg(doc)]
use crossws_core::DRAIN_MARK;
#[cfg(doc)]
use crossws_core::adapter::Receipt;
use crossws_core::adapter::{MeterCell, OutboundQueue, QueueSize};
use crossws_core::{Capabilities, Limits, MaybeSend, MaybeSync, Overflow};

pub use self::batch::Batch;
pub use self::bounds::GRACE;
pub use self::encoder::{Encoder, depends_on_the_client, send_to_slow};
pub use self::framing::Framing;
pub use self::lost::Lost;
use self::state::State;
pub use self::taking::Taken;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, Ordering};

/// The time of an [`Outbox`]. It is asked only while much waits, or when a ping leaves.
pub trait Clock: MaybeSend + MaybeSync + 'static {
    /// Returns the time since any fixed point.
    fn now(&self) -> Duration;
}

/// The capabilities of a transport over an outbox of frames, whatever it writes them to.
pub const CAPABILITIES: Capabilities = Capabilities::PUBSUB
    .with(Capabilities::BINARY)
    .with(Capabilities::CLOSE_CODE)
    .with(Capabilities::TERMINATE)
    .with(Capabilities::PING)
    .with(Capabilities::HEARTBEAT)
    .with(Capabilities::DRAIN)
    .with(Capabilities::REMOTE_ADDR)
    .with(Capabilities::SUBPROTOCOL)
    .with(Capabilities::HANDLER)
    .with(Capabilities::PANIC)
    .with(Capabilities::SHUTDOWN)
    .with(Capabilities::CONCURRENT_WRITE)
    .with(Capabilities::EXPIRY)
    .with(Capabilities::SHARED_HUB)
    .with(Capabilities::ROUTES)
    .with(Capabilities::RETAINED)
    .with(Capabilities::RAW_FRAMES)
    .with(Capabilities::COMPRESSION);

/// The outbound half of one connection: see the [module](self).
#[derive(Debug)]
pub struct Outbox<F, C> {
    state: Mutex<State<F>>,
    /// The writer found the outbox empty and sleeps: the next call that queues a frame reports that
    /// it must be woken.
    asleep: AtomicBool,
    /// More than half of a bound may be used: see [`is_congested`](Self::is_congested).
    half_full: AtomicBool,
    /// [`BLOCKED`], [`RELIEVED`], [`LOST`] and [`READS_LOGS`].
    flags: AtomicU8,
    /// Until when publishers wait for the client; `NOT_BEHIND` if the client is not behind.
    behind_until: AtomicU16,
    /// Since the writer last took the queue, a message for this connection alone was queued.
    sent: AtomicBool,
    /// More than [`DRAIN_MARK`] bytes had piled up since the outbox was last empty.
    piled_up: AtomicBool,
    /// See [`take_readable`](Self::take_readable). Here, because a byte is to spare.
    readable: AtomicBool,
    /// The bounds, as in [`Limits`].
    max_bytes: usize,
    max_frames: usize,
    clock: C,
    meter: MeterCell,
}

/// The last write had to wait for the client: see [`settle`](Outbox::settle).
const BLOCKED: u8 = 1;
/// Frames were written in the writer's place, and the tasks that wait for that must be woken.
const RELIEVED: u8 = 2;
/// Messages were discarded, and the peer does not know it yet.
const LOST: u8 = 4;
/// See [`reads_logs`](Outbox::reads_logs). Never changed: publishers ask under the lock of a topic, and need not
/// wait for that of the state, too.
const READS_LOGS: u8 = 8;

impl<F: Framing, C: Clock> Outbox<F, C> {
    /// Creates an empty outbox with the bounds and the policy of these limits. The writer counts as
    /// awake until its first [`take`](Self::take).
    pub fn new(limits: &Limits, clock: C) -> Self {
        let flags = match limits.overflow {
            Overflow::Close => READS_LOGS,
            _ => 0,
        };
        Self {
            state: Mutex::new(State::new(limits.overflow)),
            half_full: AtomicBool::new(false),
            flags: AtomicU8::new(flags),
            behind_until: AtomicU16::new(bounds::NOT_BEHIND),
            sent: AtomicBool::new(false),
            piled_up: AtomicBool::new(false),
            readable: AtomicBool::new(true),
            max_bytes: limits.max_buffered.get(),
            max_frames: limits.max_queued.get(),
            asleep: AtomicBool::new(false),
            clock,
            meter: MeterCell::default(),
        }
    }

    /// Notes that the writer runs, and will look at everything before it sleeps.
    pub fn stay_awake(&self) {
        // Only the writer sets it to true.
        if self.asleep.load(Ordering::Relaxed) {
            self.asleep.store(false, Ordering::Release);
        }
    }

    /// Returns whether the writer sleeps, so that nothing waits, at this moment.
    pub fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::Relaxed)
    }

    /// Returns whether the stream's waker has been woken since the last call: the stream may have
    /// something to read. Kept apart from other wake-ups, so that a task that was woken to write does
    /// not try to read.
    pub fn take_readable(&self) -> bool {
        self.readable.swap(false, Ordering::AcqRel)
    }

    /// As [`take_readable`](Self::take_readable), without resetting it.
    pub fn is_readable(&self) -> bool {
        self.readable.load(Ordering::Acquire)
    }

    /// Notes that the stream's waker was woken, or that reading stopped although there may be more to
    /// read.
    pub fn set_readable(&self) {
        self.readable.store(true, Ordering::Release);
    }

    /// Returns whether the writer sleeps and must be woken. Called under the lock, as is the writer's
    /// falling asleep.
    fn rouse(&self) -> bool {
        self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel)
    }

    /// Notes that a message for this connection alone is queued.
    pub fn note_sent(&self) {
        self.sent.store(true, Ordering::Relaxed);
    }

    /// Returns whether the queue has messages, and only published ones, as far as is known.
    pub fn has_only_published(&self) -> bool {
        let state = self.state.lock();
        !self.sent.load(Ordering::Relaxed)
            && !state.queue.is_empty()
            && state.control.is_empty()
            && !state.closing
    }

    /// Returns how many bytes wait.
    pub fn buffered(&self) -> usize {
        let state = self.state.lock();
        let sent = state.sent();
        let backlogs = state.queue.backlogs();
        drop(state);
        sent.bytes + queue::lag(&backlogs).bytes
    }

    /// Returns how much waits, with an upper bound of the unfetched publications.
    pub fn waiting(&self) -> QueueSize {
        self.state.lock().waiting()
    }

    /// Returns whether publications are read from the topics' logs, and not queued one by one.
    /// Constant.
    pub fn reads_logs(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & READS_LOGS != 0
    }

    /// Returns how many messages a policy discarded.
    pub fn dropped(&self) -> u64 {
        self.state.lock().losses.all()
    }
}

impl<F: Framing, C: Clock> OutboundQueue for Outbox<F, C> {
    fn buffered_amount(&self) -> usize {
        self.buffered()
    }

    fn dropped(&self) -> u64 {
        self.dropped()
    }

    fn has_room(&self, len: usize) -> bool {
        self.has_room(len)
    }

    fn is_behind(&self) -> bool {
        self.is_behind()
    }
}

//! One connection without IO: frames and time in, steps for hooks and bytes out.
//!
//! A [`Connection`] decodes what arrives, answers control frames, keeps the limits and the time, and
//! knows how far the connection's end has come. It owns no socket, wakes no task and reads no clock. Its
//! driver
//!
//! 1. reads while [`wants_read`](Connection::wants_read), and decodes with
//!    [`next`](Connection::next), or [`read_ahead`](Connection::read_ahead) while a hook runs;
//! 2. runs the hook of each [`Step`];
//! 3. does what [`poll_transmit`](Connection::poll_transmit) asks for, and reports the result;
//! 4. sleeps until [`poll_timeout`](Connection::poll_timeout), and calls
//!    [`handle_timeout`](Connection::handle_timeout) then.
//!
//! Times are durations since the connection's start. They are passed as functions where they are seldom
//! needed. [`tell`](Connection::tell) reports to the peer; it may run any code, and so it must not be
//! called under a lock.

mod delays;
mod inbound;
mod phase;
mod receiving;
mod step;
#[cfg(all(test, not(crossws_shuttle)))]
mod tests;
mod timing;
mod transmitting;

use std::sync::Arc;
use std::time::Duration;

use crossws_core::adapter::{Accepted, ControlRate, Liveness, PeerEvents, Unfinished};
use crossws_core::{CloseFrame, Closed, ClosedBy, Hooks, Hub, Limits, Message, PeerId, Settings};

use self::delays::Delays;
use self::inbound::Inbound;
pub use self::inbound::admits_inbound;
use self::phase::{Change, Phase};
pub use self::step::Step;
pub use self::timing::excuse;
pub use self::transmitting::Transmit;
use crate::deflate::Deflater;
use crate::frame::{Decoder, Role};
use crate::outbox::{Clock, Framing, Outbox};
use crate::sync::Mutex;

/// Where a connection finds its outbox, which it shares with the handles of its peer.
pub trait Queue {
    /// What waits in the outbox.
    type Framing: Framing;
    /// The outbox's time.
    type Clock: Clock;

    /// Returns the outbox.
    fn outbox(&self) -> &Outbox<Self::Framing, Self::Clock>;
}

impl<F: Framing, C: Clock> Queue for Outbox<F, C> {
    type Framing = F;
    type Clock = C;

    #[inline]
    fn outbox(&self) -> &Self {
        self
    }
}

/// One side of a connection: see the [module](self). Its documentation speaks of a server's: of a client's,
/// the roles are the other way around.
pub struct Connection<Q: Queue> {
    queue: Arc<Q>,
    events: Option<PeerEvents>,
    /// The settings, which the peers of the route share.
    settings: Arc<Settings>,
    /// How much of a partial message the decoder holds, counted against the hub's limit.
    unfinished: Unfinished,
    decoder: Decoder,
    inbound: Inbound,
    controls: ControlRate,
    liveness: Liveness,
    delays: Delays,
    /// The context in which this connection compresses. It is freed when the connection goes idle.
    deflater: Option<Arc<Mutex<Deflater>>>,
    phase: Phase,
    /// There may be decodable bytes, here or in the driver's buffer.
    undecoded: bool,
    /// How much of this turn is used up by reads, and by bytes that reach no hook.
    used: u8,
    /// Bytes were read since the time was last looked at.
    heard: bool,
    /// A message was decoded since then.
    active: bool,
    /// A heartbeat's ping is queued. The client's time begins when the ping is written.
    ping_due: bool,
    /// The taken frames must be cut to the one that has begun.
    cut: bool,
    /// To be told: bytes were written.
    wrote: bool,
    /// To be told: the connection is ending.
    is_ending: bool,
}

/// Most reads in one turn, before other tasks run. Where hooks run, their number bounds a turn.
/// This bounds it where none runs: for the pieces of a large message, and for bytes after a close.
const MOST_READS: u8 = 64;

impl<Q: Queue> Connection<Q> {
    /// Creates the connection of an accepted upgrade, whose 101 is about to be written.
    /// The decoder must be a server's.
    pub fn new<H: Hooks + ?Sized>(queue: Arc<Q>, accepted: &Accepted<H>, decoder: Decoder) -> Self {
        let settings = Arc::clone(accepted.settings());
        let hub = accepted.hub().clone();
        Self::with(queue, hub, settings, accepted.id(), decoder)
    }

    /// Creates a client's connection, whose 101 was read. It has the limits of the hub, and no peer in it.
    /// The decoder must be a client's.
    pub fn client(queue: Arc<Q>, hub: Hub, decoder: Decoder) -> Self {
        let settings = Arc::clone(hub.settings());
        let id = PeerId::random();
        Self::with(queue, hub, settings, id, decoder)
    }

    fn with(
        queue: Arc<Q>,
        hub: Hub,
        settings: Arc<Settings>,
        id: PeerId,
        decoder: Decoder,
    ) -> Self {
        let limits = &settings.limits;
        Self {
            queue,
            events: None,
            unfinished: Unfinished::new(hub),
            decoder,
            inbound: Inbound::default(),
            controls: ControlRate::new(limits.max_control_rate),
            liveness: Liveness::new(limits, id, Duration::ZERO),
            delays: Delays::default(),
            deflater: None,
            phase: Phase::Open,
            undecoded: true,
            used: 0,
            heard: false,
            active: false,
            ping_due: false,
            cut: false,
            wrote: false,
            is_ending: false,
            settings,
        }
    }

    /// Ensures that the compression context is freed when the connection goes idle.
    pub fn compress_in(&mut self, deflater: Option<Arc<Mutex<Deflater>>>) {
        self.deflater = deflater;
    }

    /// Sets the peer that is told what becomes of the connection.
    pub fn attach(&mut self, events: PeerEvents) {
        self.events = Some(events);
    }

    /// Closes a connection that got its 101 but could not join.
    pub fn refuse(&mut self, frame: CloseFrame, now: Duration) {
        self.outbox().close_with(Some(frame.clone()));
        self.end(Closed::by_us(&frame, ClosedBy::Server, false), now);
    }

    /// Returns the owner of the outbox.
    #[inline]
    pub fn queue(&self) -> &Arc<Q> {
        &self.queue
    }

    /// Returns the peer's events, if the connection has a peer.
    #[inline]
    pub fn events(&self) -> Option<&PeerEvents> {
        self.events.as_ref()
    }

    /// Returns the hub.
    #[inline]
    pub fn hub(&self) -> &Hub {
        self.unfinished.hub()
    }

    /// Returns how the connection ended: as lost, if that is not known.
    pub fn closed(&self) -> Closed {
        let lost = || Closed::lost(ClosedBy::Network);
        let mut closed = self.phase.closed().cloned().unwrap_or_else(lost);
        if self.decoder.role() == Role::Client {
            // Phases call this side the server.
            closed.by = match closed.by {
                ClosedBy::Server => ClosedBy::Client,
                ClosedBy::Client => ClosedBy::Server,
                by => by,
            };
        }
        closed
    }

    /// Returns whether it is known how the connection ended. Its last frames may still be on their way.
    pub fn has_closed(&self) -> bool {
        self.phase.closed().is_some()
    }

    /// Returns whether neither side is ending the connection.
    #[inline]
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Returns whether the connection is over: its stream can be dropped.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over { .. })
    }

    /// Returns whether [`next`](Self::next) would find nothing, and tell nothing: most wake-ups are for
    /// writing.
    #[inline]
    pub fn is_idle(&self) -> bool {
        !self.undecoded
            && self.is_open()
            && self.inbound.is_empty()
            && !self.wrote
            && !self.is_ending
            && !self.outbox().has_piled_up()
    }

    /// Returns the next short message before which nothing waits: the most frequent case of
    /// [`next`](Self::next).
    #[inline(always)]
    pub fn next_message(&mut self, input: &mut &mut [u8]) -> Option<Message> {
        let others_first = !self.undecoded
            || !self.is_open()
            || !self.inbound.is_empty()
            || self.outbox().has_piled_up()
            || self.outbox().is_congested(Decoder::MAX_SHORT);
        if others_first {
            return None;
        }
        let message = self.decoder.decode_short(input)?;
        self.active = true;
        Some(message)
    }

    /// Decodes from the front of `input` up to the next step, and returns it. `None` if there is none
    /// for now. While the client does not take its replies, its messages wait, and so may the input.
    // Inlined, as are the others that a driver calls in one place: a step is not copied once more.
    #[inline(always)]
    pub fn next(&mut self, input: &mut &mut [u8], now: impl Fn() -> Duration) -> Option<Step> {
        if self.phase.closed().is_none() && self.outbox().take_drained() {
            return Some(Step::Drain);
        }
        if !self.inbound.is_empty() {
            return self.next_waiting();
        }
        // Straight to its hook: nothing waits before it.
        match self.decode(input, &now) {
            Some(next) if self.must_wait(&next) => {
                self.enqueue(next);
                None
            }
            Some(next) => Some(next),
            None => {
                if matches!(self.phase, Phase::Violated { .. }) {
                    self.fail_violated(now());
                }
                self.tell();
                self.next_waiting()
            }
        }
    }

    fn next_waiting(&mut self) -> Option<Step> {
        let Some(next) = self.inbound.front() else {
            return self.phase.closed().map(|_| Step::Closed);
        };
        if self.must_wait(next) {
            return None;
        }
        self.inbound.pop()
    }

    /// Returns whether the step must wait until more is written.
    fn must_wait(&self, next: &Step) -> bool {
        match next {
            Step::Message(message) => {
                !self.is_broken()
                    && self.phase.closed().is_none()
                    && self.outbox().is_congested(message.len())
            }
            _ => false,
        }
    }

    /// Reports what has become of the connection to its peer, and to those who wait for it. May run any
    /// code.
    pub fn tell(&mut self) {
        let wrote = std::mem::take(&mut self.wrote);
        let is_ending = std::mem::take(&mut self.is_ending);
        if let Some(events) = &self.events {
            if wrote {
                events.drained();
            }
            if is_ending {
                // The peer leaves every list, and the tasks that wait for its end are woken.
                events.ended();
            }
        }
    }

    /// Reports discarded messages to the peer.
    #[cold]
    fn tell_lost(&self) {
        if let Some(events) = &self.events {
            self.outbox().tell_lost(events, self.limits().overflow);
        }
    }

    #[inline]
    fn outbox(&self) -> &Outbox<Q::Framing, Q::Clock> {
        self.queue.outbox()
    }

    fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    // ---- the end

    /// The only way in which the phase changes.
    fn change(&mut self, change: Change) {
        self.is_ending |= self.phase.transition(change);
        if self.is_over() {
            // A hook may still run, and must not keep anything in memory by it.
            self.outbox().end();
        }
    }

    /// Records how the connection ended, and gives the last frames their time.
    fn end(&mut self, closed: Closed, now: Duration) {
        let deadline = self.close_deadline(now);
        self.change(Change::Ended {
            closed,
            deadline,
            settled: false,
        });
    }

    /// Notes that the stream ended or failed: nothing can be read or written any more.
    pub fn lost(&mut self) {
        self.lose(false);
    }

    /// Ends the connection as lost. With `abort`, the stream must be dropped at once.
    fn lose(&mut self, abort: bool) {
        let closed = self.phase.lost(self.outbox().unsent_close());
        self.change(Change::Gone { closed, abort });
    }

    /// Drops the connection at once, as this side asks for.
    fn terminate(&mut self) {
        let closed = Closed::lost(ClosedBy::Server);
        self.change(Change::Gone {
            closed,
            abort: true,
        });
    }

    /// Returns when the client's time for its part of the close is over.
    fn close_deadline(&self, now: Duration) -> Duration {
        now.saturating_add(self.limits().close_timeout)
    }
}

impl<Q: Queue> Drop for Connection<Q> {
    fn drop(&mut self) {
        // Handles of the peer may live on, and must not keep unread topics in memory.
        self.outbox().end();
    }
}

crossws_core::opaque_debug!([Q: Queue] Connection<Q>, self => phase: self.phase);

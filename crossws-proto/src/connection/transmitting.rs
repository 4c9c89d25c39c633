//! Out: from the outbox to the driver's stream.

use std::time::Duration;

use crossws_core::{Closed, ClosedBy};

use super::receiving::BROKEN_READS;
use super::{Change, Connection, Phase, Queue};
use crate::outbox::{Batch, Taken};

/// What the driver's stream must do next.
// Exhaustive on purpose: a driver must do each.
#[allow(clippy::exhaustive_enums)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transmit {
    /// Write from the batch, and report [`wrote`](Connection::wrote),
    /// [`write_waits`](Connection::write_waits) or [`write_failed`](Connection::write_failed).
    Write,
    /// Flush: everything is written.
    Flush,
    /// Flush, then end the writing side and report [`shut`](Connection::shut).
    Shutdown,
    /// Drop the connection at once: the connection is over.
    Abort,
    /// Nothing.
    Nothing,
}

impl<Q: Queue> Connection<Q> {
    /// Takes the queued frames into `batch`, if all of it is written, and returns what to do next.
    #[inline(always)]
    pub fn poll_transmit(
        &mut self,
        batch: &mut Batch<Q::Framing>,
        now: impl Fn() -> Duration,
    ) -> Transmit {
        match self.phase {
            Phase::Lingering { .. } | Phase::Broken { .. } if self.outbox().urgent().terminated => {
                self.inbound.clear();
                self.terminate();
            }
            Phase::Broken { .. } if self.is_closed_here() => self.abandon(),
            Phase::Broken { .. } | Phase::Lingering { .. } => return Transmit::Nothing,
            Phase::Over { .. } => {}
            _ => self.load(batch, &now),
        }
        if let Phase::Over { abort, .. } = &mut self.phase {
            return match std::mem::take(abort) {
                true => Transmit::Abort,
                false => Transmit::Nothing,
            };
        }
        if !batch.is_empty() {
            return Transmit::Write;
        }
        self.delays.end(|late| late.stalled = None);
        if std::mem::take(&mut self.ping_due) {
            let arrives = self.ping_arrives(now());
            self.liveness.pinged(arrives);
        }
        match self.phase {
            Phase::Flushing { .. } => Transmit::Shutdown,
            _ => Transmit::Flush,
        }
    }

    /// Takes the queued frames once everything taken before is written, and acts on the outbox's
    /// other news.
    #[inline]
    fn load(&mut self, batch: &mut Batch<Q::Framing>, now: &impl Fn() -> Duration) {
        if !batch.is_empty() {
            let urgent = self.outbox().urgent();
            self.heed(&urgent, now);
        }
        if std::mem::take(&mut self.cut) {
            // The frame that has begun is finished; the frames after it are discarded, and the
            // close frame follows.
            let lost = batch.keep_begun();
            self.outbox().discarded(lost, batch);
        }
        if batch.is_empty() && !self.is_over() {
            let taken = self.outbox().take(batch);
            self.heed(&taken, now);
        }
    }

    /// Acts on the outbox's news before the queue is taken.
    pub(super) fn heed_urgent(&mut self, now: Duration) {
        let urgent = self.outbox().urgent();
        self.heed(&urgent, &|| now);
    }

    /// Ends the connection if the outbox says so, which it seldom does.
    #[inline]
    fn heed(&mut self, taken: &Taken, now: &impl Fn() -> Duration) {
        if taken.ends() {
            self.heed_end(taken, now());
        }
    }

    #[cold]
    fn heed_end(&mut self, taken: &Taken, now: Duration) {
        if taken.terminated {
            self.terminate();
        } else if taken.overflowed {
            self.inbound.clear();
            self.cut = true;
            // The frame that the outbox closes with.
            let closed = self.phase.lost(taken.close.clone());
            self.end(closed, now);
        } else if let Some(frame) = &taken.close {
            match self.phase {
                Phase::Open => {
                    self.inbound.clear();
                    let deadline = self.close_deadline(now);
                    self.change(Change::ClosedHere(frame.clone(), deadline));
                }
                // The client's further bytes cannot be decoded, its answers neither.
                Phase::Violated(_) => {
                    self.inbound.clear();
                    self.end(Closed::by_us(frame, ClosedBy::Server, false), now);
                }
                _ => {}
            }
        }
    }

    /// Notes that some of the batch was written.
    #[inline]
    pub fn wrote(&mut self) {
        self.delays.end(|late| {
            late.stalled = None;
            late.age_said = false;
        });
        self.wrote = true;
    }

    /// Notes that a write has to wait for the client.
    pub fn write_waits(&mut self, now: Duration) {
        let late = self.delays.begin();
        late.stalled.get_or_insert(now);
        late.slow = true;
        if let Phase::Flushing { settled, .. } = &mut self.phase {
            *settled = false;
        }
    }

    /// Notes that a queued heartbeat counts as written although the client takes nothing. For a stream
    /// without a buffer: the systems on both sides of a socket take a ping for a client that does not.
    pub fn ping_taken(&mut self, now: Duration) {
        if std::mem::take(&mut self.ping_due) {
            self.liveness.pinged(now);
        }
    }

    /// Notes that a write failed: the connection is lost once the messages that have arrived have
    /// reached their hooks, which a bound of the reads, [`abandon`](Self::abandon) or a deadline ends sooner.
    /// The driver reads on until it finds [nothing](Self::read_nothing).
    pub fn write_failed(&mut self) {
        match self.is_open() && !self.is_closed_here() {
            true => self.break_off(BROKEN_READS),
            false => self.lost(),
        }
    }

    /// As [`write_failed`](Self::write_failed), where all that will ever arrive was read.
    pub fn ended(&mut self) {
        match self.is_open() && self.undecoded {
            true => self.break_off(0),
            false => self.lost(),
        }
    }

    fn break_off(&mut self, reads: u16) {
        self.change(Change::WriteFailed(reads));
        self.outbox().end();
    }

    /// Returns whether the client has closed in order, has taken everything so far, and has answered
    /// every ping, so that no more than its end is still to come.
    pub fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Flushing { settled: true, .. })
            && !self.outbox().awaits_answer()
    }

    /// Notes that the writing side has ended while this many bytes were unread.
    pub fn shut(&mut self, unread: usize, now: Duration) {
        let deadline = self.close_deadline(now);
        self.change(Change::Shut(deadline, unread));
    }

    /// Reports to the peer also what other tasks wrote and discarded. May run any code, as [`tell`](Self::tell).
    #[inline]
    pub fn end_transmit(&mut self) {
        self.wrote |= self.outbox().take_relieved();
        if self.outbox().has_lost() {
            self.tell_lost();
        }
        self.tell();
    }
}

//! In: from the socket through the decoder to the steps that wait for their hooks.

use std::sync::Arc;
use std::task::{Context, Poll};

use crossws_core::adapter::PeerEvents;
use crossws_core::{CloseCode, CloseFrame, Closed, ClosedBy, Error, Message};
use futures_task::waker_ref;

use super::{Link, Phase, Step};
use crate::driver::outlet::{Outlet, hold};
use crate::runtime::Runtime;
use crate::runtime::io::Io;
use crossws_proto::engine::{Event, Violation};

/// Most bytes read and discarded after the close. Unread bytes would turn our FIN into a reset
/// that destroys the close frame on its way, and a client in the middle of a large message sends
/// all of it first. It costs no memory, and `close_timeout` bounds the time.
const LINGER_BYTES: usize = 64 << 20;

/// Most reads in one turn, before other tasks run. Where hooks run, their number bounds a turn.
/// This bounds it where none runs: for the pieces of a large message, and for bytes after a close.
const MOST_READS: u8 = 64;

impl<I: Io, R: Runtime> Link<I, R> {
    /// Reads once, while no hook runs. Returns whether that may bring a step for a hook.
    pub(super) fn read(&mut self) -> bool {
        if !self.inbound.is_empty() {
            // The messages wait for the client, which may still ping, answer and leave.
            self.read_ahead();
            return false;
        }
        self.may_read() && self.read_once()
    }

    /// Reads and decodes while a hook runs, until enough messages wait for the next hooks.
    pub(super) fn read_ahead(&mut self) {
        while self.may_read() && self.decode_ahead() && self.read_once() {}
    }

    /// Returns whether received bytes must be decoded. After this side's end they are read and
    /// discarded.
    fn may_read(&mut self) -> bool {
        if let Phase::Lingering { .. } = self.phase {
            let outlet = Arc::clone(&self.outlet);
            self.linger(&mut hold(&outlet));
        }
        matches!(self.phase, Phase::Open | Phase::Closing { .. })
    }

    /// Decodes the bytes that were read, as long as there is room. Returns whether all of them are
    /// decoded, so that more may be read.
    fn decode_ahead(&mut self) -> bool {
        while !self.is_full() {
            match self.decode_one() {
                Some(step) => self.enqueue(step),
                None => break,
            }
        }
        self.input.is_empty() && !self.undecoded
    }

    /// Reads once. Returns whether another read may give more.
    fn read_once(&mut self) -> bool {
        if self.reads >= MOST_READS || !self.outbox.take_readable() {
            return false;
        }
        let waker = waker_ref(&self.outbox);
        let mut cx = Context::from_waker(&waker);
        let outlet = &self.outlet;
        let read = self
            .input
            .fill(|room| hold(outlet).io.poll_read(&mut cx, room));
        match read {
            Poll::Pending => false,
            Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => {
                self.lost();
                false
            }
            Poll::Ready(Ok(_)) => {
                // The stream wakes the task only after a read has found nothing: there may be more.
                self.outbox.set_readable();
                self.reads += 1;
                self.heard = true;
                self.undecoded = true;
                true
            }
        }
    }

    /// Returns whether there may be more to read now, and room for it: the turn is over, or the end
    /// of this side, which followed the reading, has made room.
    pub(super) fn reads_on(&self) -> bool {
        match self.phase {
            Phase::Open | Phase::Closing { .. } => {
                !self.is_full() && (self.undecoded || self.outbox.is_readable())
            }
            Phase::Lingering { .. } => self.outbox.is_readable(),
            Phase::Broken | Phase::Violated { .. } | Phase::Flushing { .. } | Phase::Done => false,
        }
    }

    /// As [`decode_one`](Self::decode_one), for the most frequent case: a short message that has
    /// arrived whole.
    #[inline(always)]
    pub(super) fn decode_short(&mut self) -> Option<Message> {
        if !self.undecoded || !matches!(self.phase, Phase::Open) {
            return None;
        }
        let mut rest = self.input.bytes();
        let message = self.decoder.decode_short(&mut rest)?;
        let left = rest.len();
        self.input.keep(left);
        self.active = true;
        Some(message)
    }

    /// Decodes up to the next step for a hook. Returns `None` if there is no further one for now.
    pub(super) fn decode_one(&mut self) -> Option<Step> {
        if !self.undecoded && self.input.is_empty() {
            return None;
        }
        while matches!(
            self.phase,
            Phase::Open | Phase::Broken | Phase::Closing { .. }
        ) {
            let mut rest = self.input.bytes();
            let decoded = self.decoder.decode(&mut rest);
            let left = rest.len();
            self.input.keep(left);
            match decoded {
                Ok(Some(event)) => {
                    let step = self.event(event);
                    // The number of hooks in a turn does not bound frames that reach no hook.
                    let is_over =
                        self.reads >= MOST_READS && matches!(self.phase, Phase::Closing { .. });
                    if step.is_some() || is_over {
                        return step;
                    }
                }
                Ok(None) => {
                    self.undecoded = false;
                    if matches!(self.phase, Phase::Broken) {
                        self.lost();
                    }
                    if self.hold_unfinished() {
                        self.keep_begun();
                        return None;
                    }
                    self.decoder.forget_unfinished();
                    self.hold_unfinished();
                    self.violates(Violation::overloaded());
                }
                Err(violation) => self.violates(violation),
            }
        }
        // This client's further bytes are not decoded.
        self.undecoded = false;
        self.input.clear();
        None
    }

    /// Counts the partial message that the decoder holds. Returns whether all connections together
    /// may hold that much.
    #[inline]
    fn hold_unfinished(&mut self) -> bool {
        let bytes = self.decoder.unfinished();
        bytes == self.unfinished.bytes() || self.unfinished.hold(bytes).is_ok()
    }

    /// Remembers since when the partial message has been arriving.
    #[inline]
    fn keep_begun(&mut self) {
        if self.unfinished.bytes() == 0 {
            self.not_late(|late| late.begun = None);
        } else {
            let elapsed = self.elapsed();
            self.late().begun.get_or_insert(elapsed);
        }
    }

    /// Handles a broken rule: messages before it are answered first, within the time of a close.
    fn violates(&mut self, violation: Violation) {
        if matches!(self.phase, Phase::Open) {
            self.phase = Phase::Violated {
                violation: Box::new(violation),
                deadline: self.close_deadline(),
            };
        } else {
            self.violated(violation);
        }
    }

    /// Returns whether the client's messages still reach hooks: not once this side has closed.
    fn is_heard(&self) -> bool {
        let closed_here = self.lifeline.as_ref().is_some_and(PeerEvents::closed_here);
        !closed_here && matches!(self.phase, Phase::Open | Phase::Broken)
    }

    /// Returns whether enough messages wait for their hooks. One message may always wait, whatever
    /// the limits.
    fn is_full(&self) -> bool {
        let most = self.limits().max_inbound.get();
        let bytes = self.limits().max_message_size.get().saturating_mul(2);
        let (waiting, waiting_bytes) = self.inbound.len();
        waiting > 0 && (waiting >= most || waiting_bytes >= bytes)
    }

    /// Returns whether the socket is left unread because there is no room.
    pub(super) fn is_paused(&self) -> bool {
        self.is_full() || self.undecoded || !self.input.is_empty()
    }

    /// Returns the step for a hook that the event becomes, if any.
    fn event(&mut self, event: Event) -> Option<Step> {
        let step = match event {
            Event::Message(message) => {
                self.active = true;
                self.not_late(|late| late.begun = None);
                let step = Step::Message(message);
                if self.is_heard() {
                    return Some(step);
                }
                let weight = u8::try_from(step.weight()).unwrap_or(u8::MAX);
                self.reads = self.reads.saturating_add(weight);
                return None;
            }
            Event::Ping(data) => {
                if self.limits().auto_pong {
                    self.outbox.answer_ping(data.clone());
                }
                Step::Ping(data)
            }
            Event::Pong(data) => {
                self.outbox.ponged(&data);
                self.not_late(|late| late.slow = false);
                Step::Pong(data)
            }
            Event::Close(frame) => {
                self.client_closed(frame);
                return None;
            }
        };
        if !self.controls.admits(self.elapsed()) {
            let text = "too many control frames";
            self.violated(Violation::new(CloseCode::POLICY, text));
            return None;
        }
        self.is_heard().then_some(step)
    }

    /// Queues a step for its hook.
    #[cold]
    pub(super) fn enqueue(&mut self, step: Step) {
        let most = self.limits().max_inbound.get();
        self.inbound.push(step, most);
    }

    fn client_closed(&mut self, frame: Option<CloseFrame>) {
        // This side may have closed a moment ago: then this is the answer.
        self.load(&mut hold(&Arc::clone(&self.outlet)));
        let ours = match &self.phase {
            Phase::Closing { frame, .. } => Some(CloseFrame::clone(frame)),
            _ => None,
        };
        match ours {
            Some(ours) => self.end(Closed::by_us(&ours, ClosedBy::Server, true)),
            None => {
                let mut closed = Closed::by_client(frame.as_ref());
                // Then it gets no answer.
                closed.clean &= !matches!(self.phase, Phase::Broken);
                self.end(closed);
                self.outbox.close_with(frame);
            }
        }
        let was_open = matches!(self.phase, Phase::Open);
        self.flush_and_end();
        if let Phase::Flushing { settled, .. } = &mut self.phase {
            *settled = was_open;
        }
    }

    /// Fails the connection if the client broke a rule.
    pub(super) fn fail_violated(&mut self) {
        if let Phase::Violated { .. } = self.phase
            && let Phase::Violated { violation, .. } =
                std::mem::replace(&mut self.phase, Phase::Open)
        {
            self.violated(*violation);
        }
    }

    /// Closes with the code of the broken rule. Nothing more is decoded.
    fn violated(&mut self, violation: Violation) {
        if matches!(self.phase, Phase::Broken) {
            // The close frame cannot be sent.
            return self.lost();
        }
        // If this side closed a moment ago, that is how it ended, and no hook hears of more.
        self.load(&mut hold(&Arc::clone(&self.outlet)));
        let frame = match &self.phase {
            Phase::Closing { frame, .. } => CloseFrame::clone(frame),
            _ => {
                let frame = CloseFrame::new(violation.code(), violation.reason());
                self.outbox.close_with(Some(frame.clone()));
                let error = Error::protocol(violation);
                self.inbound.push(Step::Failed(error), 1);
                frame
            }
        };
        self.end(Closed::by_us(&frame, ClosedBy::Server, false));
        self.flush_and_end();
    }

    /// Notes that a write failed: the connection is lost once the messages that were read have
    /// reached their hooks.
    pub(super) fn broken(&mut self) {
        if !matches!(self.phase, Phase::Open) || (self.input.is_empty() && !self.undecoded) {
            return self.lost();
        }
        self.phase = Phase::Broken;
        self.has_ended = true;
        self.outbox.end();
    }

    /// Notes that the stream ended or failed.
    pub(super) fn lost(&mut self) {
        // A close of this side that could not be written any more came first all the same.
        let ours = match &self.phase {
            Phase::Closing { frame, .. } => Some(CloseFrame::clone(frame)),
            _ => self.outbox.unsent_close(),
        };
        self.end(match ours {
            Some(frame) => Closed::by_us(&frame, ClosedBy::Server, false),
            None => Closed::lost(ClosedBy::Network),
        });
        self.phase = Phase::Done;
    }

    /// Returns whether the drop that follows, and nothing before it, ends the stream so that the
    /// client reads all that was written to it and then the end (RFC 6455 section 7.1.1: the server
    /// is the first to close).
    ///
    /// To close a socket on which something is unread, or still arrives, resets the connection, and a
    /// reset destroys what is on its way to the client. Here neither is: the client's close frame was
    /// the first to be sent, nothing may follow it (section 5.5.1) but answers to pings that reach the
    /// client before our close frame does (section 5.5.2), of which none is outstanding, and this read
    /// finds nothing that did. Nor has a write had to wait for the client. What the system has taken
    /// for one that reads no more it keeps without this server, which gives up after `close_timeout`,
    /// until `TCP_USER_TIMEOUT`: see [`tune`](crate::tune). In every other case the writing side is
    /// ended and the rest read. And while a hook runs no drop follows.
    pub(super) fn is_dropped_in_order(&mut self, outlet: &mut Outlet<I>) -> bool {
        let settled = matches!(self.phase, Phase::Flushing { settled: true, .. });
        if !(self.alone && self.ends_on_drop && settled) || self.outbox.awaits_answer() {
            return false;
        }
        let waker = waker_ref(&self.outbox);
        let mut cx = Context::from_waker(&waker);
        let read = self.input.fill(|room| outlet.io.poll_read(&mut cx, room));
        self.input.clear();
        !matches!(read, Poll::Ready(Ok(1..)))
    }

    /// Reads and discards, after our end, until the client ends too.
    pub(super) fn linger(&mut self, outlet: &mut Outlet<I>) {
        let Phase::Lingering { read, .. } = &mut self.phase else {
            return;
        };
        let waker = waker_ref(&self.outbox);
        let mut cx = Context::from_waker(&waker);
        while *read <= LINGER_BYTES {
            if self.reads >= MOST_READS {
                self.outbox.set_readable();
                return;
            }
            self.outbox.take_readable();
            let more = self.input.fill(|room| outlet.io.poll_read(&mut cx, room));
            self.input.clear();
            match more {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => break,
                Poll::Ready(Ok(count)) => *read += count,
            }
            self.reads += 1;
        }
        self.phase = Phase::Done;
    }
}

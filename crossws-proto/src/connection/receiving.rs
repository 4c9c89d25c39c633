//! In: from bytes to steps.

use std::time::Duration;

use crossws_core::adapter::{ControlFrame, PeerEvents};
use crossws_core::{CloseFrame, Closed, ClosedBy, Error};

use super::{Change, Connection, MOST_READS, Phase, Queue, Step, admits_inbound};
use crate::frame::{Event, Violation};
use crate::reasons;

/// Most bytes read and discarded after the close. Unread bytes would turn our FIN into a reset
/// that destroys the close frame on its way, and a client in the middle of a large message sends
/// all of it first. It costs no memory, and `close_timeout` bounds the time.
const LINGER_BYTES: u32 = 64 << 20;

/// Most reads after a failed write: at 64 KiB each as many bytes as after a close. A client that ends
/// only its reading side may send without an end.
pub(super) const BROKEN_READS: u16 = 1024;

impl<Q: Queue> Connection<Q> {
    /// Returns whether received bytes are decoded, and this turn may read more.
    #[inline]
    pub fn wants_read(&self) -> bool {
        let reads = matches!(self.phase, Phase::Open | Phase::Closing(_));
        self.used < MOST_READS && (reads || self.must_read())
    }

    /// Returns whether a read must be tried although nothing tells that there is anything to read: a
    /// write has failed, and what the client sent before its end is heard first.
    pub fn must_read(&self) -> bool {
        matches!(self.phase, Phase::Broken { reads: 1.. })
    }

    /// Notes that a read has found nothing for now.
    pub fn read_nothing(&mut self) {
        if self.must_read() {
            self.lost();
        }
    }

    /// Returns whether a write has failed, so that only what the client sent before is still heard.
    pub fn is_broken(&self) -> bool {
        matches!(self.phase, Phase::Broken { .. })
    }

    /// Ends a [broken](Self::is_broken) connection at once. Messages that wait reach no hook.
    pub fn abandon(&mut self) {
        self.inbound.clear();
        self.lose(true);
    }

    /// Returns whether received bytes are [discarded](Self::discarded), and this turn may read more:
    /// after this side's end, until the client ends too.
    pub fn wants_discard(&self) -> bool {
        self.used < MOST_READS && self.is_lingering()
    }

    /// Returns whether received bytes are only discarded.
    pub fn is_lingering(&self) -> bool {
        matches!(self.phase, Phase::Lingering { .. })
    }

    /// Returns whether steps wait for their hooks, so that the input is read
    /// [ahead](Self::read_ahead).
    #[inline]
    pub fn has_waiting(&self) -> bool {
        !self.inbound.is_empty()
    }

    /// Returns whether bytes that can be read now have room: the turn is over, or the end of this side,
    /// which followed the reading, has made room. `readable` if there may be such bytes.
    #[inline]
    pub fn reads_on(&self, readable: bool) -> bool {
        match self.phase {
            Phase::Open | Phase::Closing(_) => !self.is_full() && (self.undecoded || readable),
            Phase::Broken { reads } => !self.is_full() && (self.undecoded || reads > 0),
            Phase::Lingering { .. } => readable,
            _ => false,
        }
    }

    /// Notes that bytes were read, which the next input begins with.
    #[inline]
    pub fn received(&mut self) {
        self.used += 1;
        self.heard = true;
        self.undecoded = true;
        if let Phase::Broken { reads } = &mut self.phase {
            *reads = reads.saturating_sub(1);
        }
    }

    /// Returns whether bytes were received since the time was last looked at.
    pub fn has_heard(&self) -> bool {
        self.heard
    }

    /// Notes that this many bytes were read and discarded, after this side's end.
    pub fn discarded(&mut self, count: usize) {
        self.used += 1;
        if let Phase::Lingering { discarded, .. } = &mut self.phase {
            *discarded = discarded.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
            if *discarded > LINGER_BYTES {
                self.lost();
            }
        }
    }

    /// Notes that the driver is about to let other tasks run.
    pub fn end_turn(&mut self) {
        self.used = 0;
    }

    /// Decodes while a hook runs, until enough messages wait for the next hooks. Returns whether all of
    /// the input is decoded, so that more may be read.
    pub fn read_ahead(&mut self, input: &mut &mut [u8], now: impl Fn() -> Duration) -> bool {
        while !self.is_full() {
            match self.decode(input, &now) {
                Some(step) => self.enqueue(step),
                None => break,
            }
        }
        !self.undecoded
    }

    /// Decodes up to the next step for a hook. Returns `None` if there is no further one for now.
    pub(super) fn decode(
        &mut self,
        input: &mut &mut [u8],
        now: &impl Fn() -> Duration,
    ) -> Option<Step> {
        if !self.undecoded {
            return None;
        }
        while self.phase.decodes() {
            match self.decoder.decode(input) {
                Ok(Some(event)) => {
                    let step = self.event(event, now);
                    // The number of hooks in a turn does not bound frames that reach no hook.
                    let is_over =
                        self.used >= MOST_READS && matches!(self.phase, Phase::Closing(_));
                    if step.is_some() || is_over {
                        return step;
                    }
                }
                Ok(None) => {
                    self.undecoded = false;
                    if matches!(self.phase, Phase::Broken { reads: 0 }) {
                        self.lost();
                    }
                    if self.hold_unfinished() {
                        self.keep_begun(now);
                        return None;
                    }
                    self.decoder.forget_unfinished();
                    self.hold_unfinished();
                    self.violates(Violation::overloaded(), now);
                }
                Err(violation) => self.violates(violation, now),
            }
        }
        // This client's further bytes are not decoded.
        self.undecoded = false;
        *input = &mut [];
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
    fn keep_begun(&mut self, now: &impl Fn() -> Duration) {
        if self.unfinished.bytes() == 0 {
            self.delays.end(|late| late.begun = None);
        } else {
            self.delays.begin().begun.get_or_insert_with(now);
        }
    }

    /// Returns the step for a hook that the event becomes, if any.
    fn event(&mut self, event: Event, now: &impl Fn() -> Duration) -> Option<Step> {
        let step = match event {
            Event::Message(message) => {
                self.active = true;
                self.delays.end(|late| late.begun = None);
                let step = Step::Message(message);
                if self.is_heard() {
                    return Some(step);
                }
                let weight = u8::try_from(step.weight()).unwrap_or(u8::MAX);
                self.used = self.used.saturating_add(weight);
                return None;
            }
            Event::Ping(data) => {
                if self.limits().auto_pong {
                    // While the connection is closing, none is sent.
                    let _ = self.outbox().control(ControlFrame::Pong(data.clone()));
                }
                Step::Ping(data)
            }
            Event::Pong(data) => {
                self.outbox().ponged(&data);
                self.delays.end(|late| late.slow = false);
                Step::Pong(data)
            }
            Event::Close(frame) => {
                self.client_closed(frame, now());
                return None;
            }
        };
        let now = now();
        if !self.controls.admits(now) {
            self.fail(reasons::too_many_control_frames(), now);
            return None;
        }
        self.is_heard().then_some(step)
    }

    /// Returns whether the client's messages still reach hooks: not once this side has closed.
    fn is_heard(&self) -> bool {
        !self.is_closed_here() && matches!(self.phase, Phase::Open | Phase::Broken { .. })
    }

    /// Returns whether the peer was closed by a call of this side.
    pub(super) fn is_closed_here(&self) -> bool {
        self.events.as_ref().is_some_and(PeerEvents::closed_here)
    }

    /// Returns whether enough messages wait for their hooks.
    pub(super) fn is_full(&self) -> bool {
        let (messages, bytes) = self.inbound.len();
        !admits_inbound(self.limits(), messages, bytes)
    }

    /// Queues a step for its hook.
    #[cold]
    pub(super) fn enqueue(&mut self, step: Step) {
        let most = self.limits().max_inbound.get();
        self.inbound.push(step, most);
    }

    fn client_closed(&mut self, frame: Option<CloseFrame>, now: Duration) {
        // This side may have closed a moment ago: then this is the answer.
        self.heed_urgent(now);
        let was_open = self.is_open();
        let closed = match &self.phase {
            Phase::Closing(closing) => Closed::by_us(&closing.what, ClosedBy::Server, true),
            _ => {
                let mut closed = Closed::by_client(frame.as_ref());
                // Then it gets no answer.
                closed.clean &= !self.is_broken();
                self.outbox().close_with(frame);
                closed
            }
        };
        let deadline = self.close_deadline(now);
        self.change(Change::Ended {
            closed,
            deadline,
            settled: was_open,
        });
    }

    /// Handles a broken rule: messages before it are answered first, within the time of a close.
    fn violates(&mut self, violation: Violation, now: &impl Fn() -> Duration) {
        let now = now();
        if self.is_open() {
            let deadline = self.close_deadline(now);
            self.change(Change::Broke(violation, deadline));
        } else {
            self.fail(violation, now);
        }
    }

    /// Closes with the code of the rule that was broken before.
    pub(super) fn fail_violated(&mut self, now: Duration) {
        if let Phase::Violated(violated) = &self.phase {
            self.fail(violated.what.clone(), now);
        }
    }

    /// Closes with the code of a broken rule. Nothing more is decoded.
    fn fail(&mut self, violation: Violation, now: Duration) {
        if self.is_broken() {
            // The close frame cannot be sent.
            return self.lost();
        }
        // If this side closed a moment ago, that is how it ended, and no hook hears of more.
        self.heed_urgent(now);
        let frame = match &self.phase {
            Phase::Closing(closing) => closing.what.clone(),
            Phase::Open | Phase::Violated(_) => {
                let frame = CloseFrame::new(violation.code(), violation.reason());
                self.outbox().close_with(Some(frame.clone()));
                self.inbound
                    .push(Step::Failed(Error::protocol(violation)), 1);
                frame
            }
            _ => return,
        };
        self.end(Closed::by_us(&frame, ClosedBy::Server, false), now);
    }
}

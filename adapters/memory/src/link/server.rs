//! The server's end of a link: the operations of the transport and the pump.

use std::task::Context;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use crossws_core::adapter::{MeterCell, Receipt};
use crossws_core::{
    CloseCode, CloseFrame, Closed, ClosedBy, ControlError, Message, SendError, SendOptions, Sent,
};

use super::{Answer, Link, State};
use crate::outbox::Outbox;
use crate::{ConnectError, Frame};

/// The operations of the transport.
impl Link {
    pub(crate) fn send(&self, message: Message, options: &SendOptions) -> Result<Sent, SendError> {
        let now = self.clock.now();
        let deadline = self.close_deadline();
        self.tell_driver(|state| {
            if !state.is_open() {
                return Err(SendError::Closed(message));
            }
            if state.discards(options) {
                return Ok(Sent::Dropped);
            }
            state.relieve(message.len(), now);
            let result = state.outbox.push(message, options.replaces(), now);
            state.heed_overflow(now, deadline);
            match result {
                Ok(_) => Ok(Sent::Queued {
                    bytes: state.outbox.bytes(),
                }),
                Err(full) => Err(SendError::Full(full.message)),
            }
        })
    }

    pub(crate) fn publish(&self, message: &Message, options: &SendOptions) -> Receipt {
        let now = self.clock.now();
        let deadline = self.close_deadline();
        let mut state = self.lock();
        if !state.is_open() {
            return Receipt::closed();
        }
        if state.discards(options) {
            return Receipt::discarded(true);
        }
        state.relieve(message.len(), now);
        let result = state.outbox.push(message.clone(), options.replaces(), now);
        state.heed_overflow(now, deadline);
        match result {
            Ok(0) => Receipt::queued(state.driver.is_some()),
            Ok(dropped) => Receipt::replaced(dropped, state.driver.is_some()),
            Err(full) => Receipt::full(full.dropped),
        }
    }

    pub(crate) fn wake_driver(&self) {
        self.tell_driver(|_| ());
    }

    /// Queues a close frame, and awaits the client's.
    pub(crate) fn close(&self, frame: CloseFrame) {
        let now = self.clock.now();
        let deadline = self.close_deadline();
        self.tell_driver(|state| {
            if state.is_open() {
                state.push_close(Some(frame.clone()), now, deadline);
                state.closing = Some(frame);
            }
        });
    }

    pub(crate) fn terminate(&self) {
        self.tell_driver(|state| {
            state.closed.get_or_insert(Closed::lost(ClosedBy::Server));
        });
        self.end();
    }

    pub(crate) fn ping(&self, data: Bytes) -> Result<(), ControlError> {
        self.control(|outbox, now| {
            if outbox.has_ping() {
                return Err(ControlError::Busy);
            }
            outbox.push_control(Frame::Ping(data), now);
            Ok(())
        })
    }

    pub(crate) fn pong(&self, data: Bytes) -> Result<(), ControlError> {
        self.control(|outbox, now| {
            outbox.push_pong(data, now);
            Ok(())
        })
    }

    fn control(
        &self,
        push: impl FnOnce(&mut Outbox, Duration) -> Result<(), ControlError>,
    ) -> Result<(), ControlError> {
        let now = self.clock.now();
        self.tell_driver(|state| match state.is_open() {
            true => push(&mut state.outbox, now),
            false => Err(ControlError::Closed),
        })
    }

    pub(crate) fn wall(&self) -> SystemTime {
        self.clock.wall()
    }

    pub(crate) fn buffered(&self) -> usize {
        self.lock().outbox.bytes()
    }

    /// Whether one more message of this length leaves half of each bound free, or nothing waits.
    pub(crate) fn has_room(&self, len: usize) -> bool {
        let state = self.lock();
        !state.outbox.has_messages() || !state.outbox.would_be_half(len)
    }

    pub(crate) fn meter(&self) -> &MeterCell {
        &self.meter
    }

    /// A pong has arrived.
    pub(crate) fn ponged(&self, data: &[u8]) {
        if let Some(meter) = self.meter.get() {
            meter.ponged(data, self.clock.now());
        }
    }

    pub(crate) fn dropped(&self) -> u64 {
        let state = self.lock();
        state.outbox.dropped() + state.skipped
    }
}

/// The result of a write, and how far the connection's end has come.
pub(crate) struct Progress {
    /// Whether frames were written.
    pub(crate) wrote: bool,
    /// Whether the queue became shorter.
    pub(crate) shrunk: bool,
    /// Whether the queue was written to its end after many bytes had piled up.
    pub(crate) drained: bool,
    /// Messages that the queue's policy has discarded so far.
    pub(crate) dropped: u64,
    /// Volatile messages that were discarded so far.
    pub(crate) skipped: u64,
    /// How the connection ended, as soon as that is known.
    pub(crate) closed: Option<Closed>,
    /// Whether it ended because the client does not read.
    pub(crate) overflowed: bool,
    /// Whether the connection has been dropped.
    pub(crate) over: bool,
}

/// The operations of the pump.
impl Link {
    /// Wakes the pump at the next change.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        let old = self.lock().driver.replace(cx.waker().clone());
        drop(old);
    }

    pub(crate) fn answer(&self, answer: Result<Answer, ConnectError>) {
        self.tell_reader(|state| state.answer = Some(answer));
    }

    /// Takes the next frame from the network. After this side has closed, it returns only the
    /// client's close frame.
    pub(crate) fn receive(&self) -> Option<Frame> {
        let mut state = self.lock();
        if state.closed.is_some() {
            return None;
        }
        while let Some(frame) = state.network.pop_front() {
            if state.closing.is_none() || matches!(frame, Frame::Close(_)) {
                return Some(frame);
            }
        }
        None
    }

    pub(crate) fn network_is_empty(&self) -> bool {
        self.lock().network.is_empty()
    }

    pub(crate) fn vanished(&self) -> bool {
        self.lock().vanished
    }

    /// Returns whether neither side has closed and the client is present.
    pub(crate) fn is_open(&self) -> bool {
        let state = self.lock();
        state.is_open() && !state.vanished
    }

    /// Handles the client's close frame: replies to it, unless it is the reply to ours.
    pub(crate) fn close_heard(&self, frame: Option<CloseFrame>) {
        let now = self.clock.now();
        let deadline = self.close_deadline();
        let mut state = self.lock();
        state.network.clear();
        match state.closing.clone() {
            Some(ours) => {
                let closed = Closed::by_us(&ours, ClosedBy::Server, true);
                state.closed.get_or_insert(closed);
            }
            None if state.closed.is_none() => {
                state.closed = Some(Closed::by_client(frame.as_ref()));
                state.push_close(frame, now, deadline);
            }
            None => {}
        }
    }

    /// Ends a connection that cannot go on: queues the close frame, and does not wait for a reply.
    pub(crate) fn fail(&self, frame: CloseFrame, by: ClosedBy) {
        let now = self.clock.now();
        let deadline = self.close_deadline();
        self.lock().fail(frame, by, now, deadline);
    }

    pub(crate) fn answer_ping(&self, data: Bytes) {
        let now = self.clock.now();
        let mut state = self.lock();
        if state.is_open() {
            state.outbox.answer_ping(data, now);
        }
    }

    /// Returns whether the client has so much left to read that its next message, of this length,
    /// must wait.
    pub(crate) fn is_congested(&self, next: usize) -> bool {
        let state = self.lock();
        state.is_open() && !state.vanished && state.outbox.is_congested(next)
    }

    /// Returns when the link next has something to do on its own.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        let state = self.lock();
        match state.close_by {
            Some(close_by) => Some(close_by),
            None => state.outbox.next_due(),
        }
    }

    /// Writes what the client takes, and checks how far the end has come.
    pub(crate) fn progress(&self) -> Progress {
        let now = self.clock.now();
        let deadline = self.close_deadline();
        let (progress, reader) = {
            let mut state = self.lock();
            let bytes = state.outbox.bytes();
            if state.is_open() {
                state.outbox.expire(now);
                state.heed_overflow(now, deadline);
            }
            let (mut wrote, mut drained) = state.write(now);
            if let Some(early) = state.relieved.take() {
                wrote = true;
                drained |= early;
            }
            state.see_end(now);
            let progress = Progress {
                wrote,
                shrunk: state.outbox.bytes() < bytes,
                drained,
                dropped: state.outbox.dropped(),
                skipped: state.skipped,
                overflowed: state.outbox.overflowed(),
                closed: state.closed.clone(),
                over: state.over,
            };
            let reader = match wrote || state.over {
                true => state.reader.take(),
                false => None,
            };
            (progress, reader)
        };
        if let Some(reader) = reader {
            reader.wake();
        }
        progress
    }

    /// Drops the connection: the client observes its end after the frames that it has received.
    pub(crate) fn end(&self) {
        self.tell_reader(State::end);
    }
}

impl State {
    fn is_open(&self) -> bool {
        self.closing.is_none() && self.closed.is_none() && !self.over
    }

    fn push_close(&mut self, frame: Option<CloseFrame>, now: Duration, deadline: Duration) {
        let frame = frame.filter(CloseFrame::has_code);
        self.outbox.push_control(Frame::Close(frame), now);
        self.close_by = Some(deadline);
    }

    fn fail(&mut self, frame: CloseFrame, by: ClosedBy, now: Duration, deadline: Duration) {
        if self.is_open() {
            self.closed = Some(Closed::by_us(&frame, by, false));
            self.push_close(Some(frame), now, deadline);
        }
    }

    /// Discards a volatile message that would have to wait. Returns whether it did. A message into
    /// an empty queue counts as written, as into the buffer of a socket.
    fn discards(&mut self, options: &SendOptions) -> bool {
        let discards = options.is_volatile() && !self.reads && self.outbox.has_messages();
        self.skipped += u64::from(discards);
        discards
    }

    /// Closes the connection of a slow consumer, whose queue has been discarded.
    fn heed_overflow(&mut self, now: Duration, deadline: Duration) {
        if self.outbox.overflowed() {
            let frame = CloseFrame::new(CloseCode::TRY_AGAIN, "slow consumer");
            self.fail(frame, ClosedBy::Server, now, deadline);
        }
    }

    /// Writes a queue that has no room for a message of this length, if the client reads: only a
    /// client that does not read is slow. The pump notifies the tasks that wait for the queue.
    fn relieve(&mut self, next: usize, now: Duration) {
        if self.outbox.is_congested(next) {
            let (wrote, drained) = self.write(now);
            if wrote {
                *self.relieved.get_or_insert_default() |= drained;
            }
        }
    }

    /// Passes all queued frames to the client, if it reads.
    fn write(&mut self, now: Duration) -> (bool, bool) {
        if !self.reads || self.over || self.vanished || self.outbox.is_empty() {
            return (false, false);
        }
        let (frames, drained) = self.outbox.take();
        for frame in frames {
            if let Some(meter) = self.meter.get() {
                match &frame {
                    Frame::Message(message) => meter.sent(1, message.len()),
                    Frame::Ping(data) => meter.pinged(data.clone(), now),
                    Frame::Pong(_) | Frame::Close(_) => {}
                }
            }
            self.deliver(frame);
        }
        (true, drained)
    }

    fn see_end(&mut self, now: Duration) {
        let timed_out = self.close_by.is_some_and(|at| at <= now);
        let lost = self.vanished && self.network.is_empty();
        if timed_out || lost {
            // The client's time is over, or the client is gone: what it has not taken or sent is
            // dropped.
            let closed = match &self.closing {
                Some(ours) => Closed::by_us(ours, ClosedBy::Server, false),
                None => Closed::lost(ClosedBy::Network),
            };
            self.closed.get_or_insert(closed);
            self.end();
        } else if self.closed.is_some() && self.outbox.is_empty() {
            // Everything was exchanged and written.
            self.end();
        }
    }

    fn end(&mut self) {
        self.over = true;
        self.outbox.clear();
        self.network.clear();
    }
}

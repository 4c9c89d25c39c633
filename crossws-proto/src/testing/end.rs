use std::io::IoSlice;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use crossws_core::adapter::Receipt;
use crossws_core::{CloseFrame, Closed, Message};

use super::VirtualTime;
use super::pipe::{Pipe, Read};
use crate::connection::{Connection, Step, Transmit};
use crate::frame::Opcode;
use crate::outbox::{Batch, Framing, Outbox};

/// One end of a [`Pair`](super::Pair): a connection with its driver.
#[derive(Debug)]
#[non_exhaustive]
pub struct End<F: Framing> {
    /// The pipe that it reads.
    pub incoming: Pipe,
    /// Its hook does not return: further steps wait.
    pub busy: bool,
    /// The steps that its hooks ran, in their order. The last is [`Step::Closed`].
    pub steps: Vec<Step>,
    /// What the stream had to do last.
    pub last: Transmit,
    connection: Connection<Outbox<F, VirtualTime>>,
    writing: Batch<F>,
    /// Was read, and is not decoded.
    input: Vec<u8>,
    has_closed: bool,
}

impl<F: Framing> End<F> {
    pub(super) fn new(connection: Connection<Outbox<F, VirtualTime>>) -> Self {
        Self {
            incoming: Pipe::default(),
            busy: false,
            steps: Vec::new(),
            last: Transmit::Nothing,
            connection,
            writing: Batch::default(),
            input: Vec::new(),
            has_closed: false,
        }
    }

    /// Returns the connection.
    pub fn connection(&self) -> &Connection<Outbox<F, VirtualTime>> {
        &self.connection
    }

    /// Returns the queue.
    pub fn outbox(&self) -> &Outbox<F, VirtualTime> {
        self.connection.queue()
    }

    /// Returns how the connection ended: see [`Connection::closed`].
    pub fn closed(&self) -> Closed {
        self.connection.closed()
    }

    /// Queues a message. If it is one too many for a client that takes nothing, the queue closes.
    pub fn send(&self, message: impl Into<Message>) -> Receipt {
        let message = message.into();
        let frame = Self::frame(Opcode::from(&message), message.as_bytes());
        let receipt = self.outbox().enqueue(frame.len(), |batch| {
            batch.push_encoded(frame, 1);
        });
        if receipt.settle {
            // Only the end itself writes.
            self.outbox().settle(|_| Some(false));
        }
        receipt
    }

    /// Queues a close frame, as the last thing.
    pub fn close(&self, frame: impl Into<CloseFrame>) {
        self.outbox().close_with(Some(frame.into()));
    }

    /// Encodes a frame as this end sends it.
    pub fn frame(opcode: Opcode, payload: &[u8]) -> Bytes {
        let mut frame = BytesMut::new();
        assert!(F::put_control(&mut frame, opcode, payload), "no randomness");
        frame.freeze()
    }

    /// Puts bytes into the pipe that this end reads, whatever they are.
    pub fn receive(&mut self, now: Duration, bytes: &[u8]) {
        self.incoming.push(now, bytes.iter());
    }

    /// Returns the messages that reached hooks.
    pub fn messages(&self) -> Vec<&Message> {
        let messages = self.steps.iter().filter_map(|step| match step {
            Step::Message(message) => Some(message),
            _ => None,
        });
        messages.collect()
    }

    /// Does what can be done now. Returns whether there was anything.
    pub(super) fn turn(&mut self, outgoing: &mut Pipe, now: Duration) -> bool {
        let mut any = false;
        while self.read(now) {
            any = true;
        }
        self.connection.tell();
        while self.write(outgoing, now) {
            any = true;
        }
        let deadline = self.connection.poll_timeout(now, || SystemTime::UNIX_EPOCH);
        if deadline.is_some_and(|deadline| deadline <= now) {
            self.connection.handle_timeout(now);
            any = true;
        }
        self.connection.end_transmit();
        self.connection.end_turn();
        if self.connection.is_over() {
            // The stream is dropped.
            outgoing.end(now);
            self.incoming.reset();
        }
        any
    }

    /// Decodes, and reads once. Returns whether there was anything.
    fn read(&mut self, now: Duration) -> bool {
        let decoded = self.decode(now);
        let discards = self.connection.wants_discard();
        // What was read before may have to wait for hooks.
        if !discards && (!self.input.is_empty() || !self.connection.wants_read()) {
            return decoded;
        }
        match self.incoming.read(now) {
            Read::Bytes(bytes) if discards => self.connection.discarded(bytes.len()),
            Read::Bytes(bytes) => {
                self.connection.received();
                self.input.extend(bytes);
            }
            Read::End => self.connection.lost(),
            Read::Nothing if self.connection.must_read() => self.connection.read_nothing(),
            Read::Nothing => return decoded,
        }
        true
    }

    fn decode(&mut self, now: Duration) -> bool {
        let before = (self.steps.len(), self.input.len());
        let mut rest = &mut self.input[..];
        if self.busy {
            self.connection.read_ahead(&mut rest, || now);
        }
        while !self.busy
            && !self.has_closed
            && let Some(step) = self.connection.next(&mut rest, || now)
        {
            self.has_closed = matches!(step, Step::Closed);
            self.steps.push(step);
        }
        let left = rest.len();
        self.input.drain(..self.input.len() - left);
        before != (self.steps.len(), self.input.len())
    }

    /// Writes once. Returns whether that changed anything.
    fn write(&mut self, outgoing: &mut Pipe, now: Duration) -> bool {
        self.last = self.connection.poll_transmit(&mut self.writing, || now);
        match self.last {
            Transmit::Write => {
                let mut slices = [IoSlice::new(&[]); 16];
                let count = self.writing.slices(&mut slices);
                match outgoing.write(now, &slices[..count]) {
                    Ok(0) => {
                        self.outbox().must_wait();
                        self.connection.write_waits(now);
                        return false;
                    }
                    Ok(count) => {
                        self.writing.advance(count);
                        self.outbox().written(&self.writing);
                        self.connection.wrote();
                    }
                    Err(_) => self.connection.write_failed(),
                }
            }
            Transmit::Shutdown => {
                outgoing.end(now);
                self.connection.shut(self.input.len(), now);
                self.input.clear();
            }
            Transmit::Abort => outgoing.reset(),
            Transmit::Flush | Transmit::Nothing => return false,
        }
        true
    }

    /// Returns when something can next be done, if nothing else happens before.
    pub(super) fn next_event(&mut self, now: Duration) -> Option<Duration> {
        if self.connection.is_over() {
            return None;
        }
        let deadline = self.connection.poll_timeout(now, || SystemTime::UNIX_EPOCH);
        let arrival = self.incoming.next_arrival(now);
        [deadline, arrival].into_iter().flatten().min()
    }
}

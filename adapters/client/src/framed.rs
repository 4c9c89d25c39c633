//! A connection over bytes: drives the `Connection` of `crossws-proto`, as the servers do.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use crossws_core::{Closed, ClosedBy, Hub, Limit, Limits, MaybeSend, Message, Overflow};
use crossws_proto::connection::{Connection, Step, Transmit};
use crossws_proto::deflate::Deflater;
use crossws_proto::frame::{ClientFrame, Decoder, MAX_MASKED_HEADER, Opcode};
use crossws_proto::outbox::{Batch, Clock, Outbox};
use crossws_proto::sync::Mutex;

use crate::platform::Socket;
use crate::shared::Shared;

/// The size of a read.
const READ: usize = 64 << 10;

/// At most about this much is encoded before it is written: a message more.
const BATCH: usize = 64 << 10;

/// Most slices in one write.
const SLICES: usize = 32;

/// Most writes in one turn.
const MOST_WRITES: usize = 64;

thread_local! {
    /// What a read goes into. An idle connection owns no buffer.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A stream, as the adapters' `Io`.
pub(crate) trait Pipe: MaybeSend {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>])
    -> Poll<io::Result<usize>>;

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// An outbox without a meter and publishers needs no time.
pub(crate) struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

type ClientConnection = Connection<Outbox<ClientFrame, NoClock>>;

/// Drives a [`Connection`] on a stream.
pub(crate) struct Framed<P> {
    pipe: P,
    connection: ClientConnection,
    deflater: Option<Arc<Mutex<Deflater>>>,
    /// Bytes that arrived and are not decoded, from `decoded` on.
    input: Vec<u8>,
    decoded: usize,
    /// Taken out of the outbox, and not yet written.
    writing: Batch<ClientFrame>,
    /// The last read found something: there may be more.
    readable: bool,
    /// The close that a handle asked for is queued.
    closing: bool,
}

impl<P: Pipe> Framed<P> {
    /// `early` arrived with the response.
    pub(crate) fn new(
        pipe: P,
        decoder: Decoder,
        deflater: Option<Deflater>,
        limits: &Limits,
        early: Vec<u8>,
    ) -> Self {
        // The queue that outlives connections has the bounds, and tells the sender. A client has one
        // partial message, no longest life, and a server that may be silent if there are no pings.
        let limits = limits
            .clone()
            .max_buffered(Limit::Unlimited)
            .max_queued(Limit::Unlimited)
            .max_unfinished(Limit::Unlimited)
            .overflow(Overflow::Close)
            .idle_timeout(None)
            .max_lifetime(None);
        let outbox = Arc::new(Outbox::new(&limits, NoClock));
        let hub = Hub::builder().limits(limits).build();
        let mut connection = Connection::client(outbox, hub, decoder);
        let deflater = deflater.map(|deflater| Arc::new(Mutex::new(deflater)));
        connection.compress_in(deflater.clone());
        Self {
            pipe,
            connection,
            deflater,
            input: early,
            decoded: 0,
            writing: Batch::default(),
            readable: true,
            closing: false,
        }
    }

    /// Reads once. Returns a message if there is one to deliver, and whether to read on.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        ready: bool,
        now: Duration,
    ) -> Poll<(Option<Message>, bool)> {
        BUFFER.with_borrow_mut(|buffer| {
            buffer.resize(READ, 0);
            let read = self.pipe.poll_read(cx, buffer);
            self.readable = read.is_ready();
            if read.is_pending() {
                self.connection.read_nothing();
            }
            let count = ready!(read).unwrap_or_else(|error| {
                tracing::debug!(%error, "a client cannot read");
                0
            });
            if count == 0 {
                self.connection.lost();
                return Poll::Ready((None, true));
            }
            if self.connection.is_lingering() {
                self.connection.discarded(count);
                return Poll::Ready((None, true));
            }
            self.connection.received();
            let mut rest = buffer.get_mut(..count).unwrap_or_default();
            let decoded = decode(&mut self.connection, &mut rest, ready, now);
            self.input.extend_from_slice(rest);
            Poll::Ready(decoded)
        })
    }

    /// Decodes a short message that was read before, if it is next. What has been sent need not leave
    /// before it, because it ends no connection, and many answers leave as one write.
    fn take_short(&mut self) -> Option<Message> {
        let mut rest = self.input.get_mut(self.decoded..)?;
        let message = self.connection.next_message(&mut rest)?;
        let left = rest.len();
        self.decoded = self.input.len() - left;
        Some(message)
    }

    /// Decodes what was read before. Returns as [`poll_read`](Self::poll_read).
    fn decode(&mut self, ready: bool, now: Duration) -> (Option<Message>, bool) {
        let mut rest = self.input.get_mut(self.decoded..).unwrap_or_default();
        let decoded = decode(&mut self.connection, &mut rest, ready, now);
        let left = rest.len();
        self.decoded = self.input.len() - left;
        if left == 0 {
            self.forget_input();
        }
        decoded
    }

    fn forget_input(&mut self) {
        self.input = Vec::new();
        self.decoded = 0;
    }

    /// Encodes waiting messages, and queues the close that a handle asked for after all of them.
    fn load(&mut self, shared: &Shared) {
        if self.connection.is_broken() && shared.lock().closing.is_some() {
            return self.connection.abandon();
        }
        if self.closing || !self.connection.is_open() {
            return;
        }
        let mut state = shared.lock();
        let closing = state.closing.clone();
        if state.out.is_empty() && closing.is_none() {
            return;
        }
        let most = match &closing {
            Some(_) => usize::MAX,
            None if self.writing.is_empty() => BATCH,
            None => return,
        };
        let outbox = self.connection.queue();
        let (mut done, waiting) = (Ok(()), state.out_bytes + MAX_MASKED_HEADER);
        let receipt = outbox.enqueue(waiting, |batch| {
            batch.expect(waiting.min(BATCH));
            let end = batch.bytes().saturating_add(most);
            while done.is_ok()
                && batch.bytes() < end
                && let Some(message) = state.pop()
            {
                done = put(batch, &message, self.deflater.as_deref());
            }
        });
        if let Err(error) = done {
            tracing::error!(%error, "a client has no random source");
            return self.connection.lost();
        }
        if let Some(frame) = closing {
            outbox.close_with(Some(frame));
            self.closing = true;
        }
        state.writing = receipt.waiting;
        shared.note_waiting(&state);
    }

    fn poll_write_once(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.writing.slices(&mut slices);
        let slices = slices.get(..count).unwrap_or_default();
        let count = ready!(self.pipe.poll_write(cx, slices))?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.writing.advance(count);
        self.connection.queue().written(&self.writing);
        Poll::Ready(Ok(()))
    }

    /// Writes all that waits. Ready when more can be taken.
    fn poll_transmit(&mut self, cx: &mut Context<'_>, shared: &Shared, now: Duration) -> Poll<()> {
        for _ in 0..MOST_WRITES {
            self.load(shared);
            let next = self.connection.poll_transmit(&mut self.writing, || now);
            let done = match next {
                Transmit::Nothing | Transmit::Abort => return Poll::Pending,
                Transmit::Write => self.poll_write_once(cx),
                Transmit::Flush => self.pipe.poll_flush(cx),
                Transmit::Shutdown => match self.pipe.poll_flush(cx) {
                    Poll::Ready(Ok(())) => self.pipe.poll_shutdown(cx),
                    unflushed => unflushed,
                },
            };
            match (done, next) {
                (Poll::Ready(Err(error)), _) => {
                    tracing::debug!(%error, "a client cannot write");
                    self.connection.write_failed();
                    // What was read before is still delivered.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                (Poll::Ready(Ok(())), Transmit::Write) => self.connection.wrote(),
                (Poll::Ready(Ok(())), Transmit::Shutdown) => {
                    let unread = self.input.len() - self.decoded;
                    self.forget_input();
                    self.connection.shut(unread, now);
                    self.discard(cx, now);
                    return Poll::Pending;
                }
                (Poll::Pending, Transmit::Write) => {
                    self.connection.write_waits(now);
                    return Poll::Pending;
                }
                _ if self.connection.is_open() => return Poll::Ready(()),
                _ => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads and discards, after this side's end, until the server ends too.
    fn discard(&mut self, cx: &mut Context<'_>, now: Duration) {
        while self.connection.wants_discard() && self.poll_read(cx, false, now).is_ready() {}
    }
}

impl<P: Pipe> Socket for Framed<P> {
    fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
        shared: &Shared,
        ready: bool,
        now: Duration,
    ) -> Poll<Message> {
        if ready
            && shared.has_few()
            && let Some(message) = self.take_short()
        {
            return Poll::Ready(message);
        }
        // A broken rule or a close frame may be next: nothing is queued after it.
        self.load(shared);
        let (mut message, mut reads_on) = self.decode(ready, now);
        while message.is_none() && reads_on && self.connection.wants_read() {
            (message, reads_on) = ready!(self.poll_read(cx, ready, now));
        }
        self.discard(cx, now);
        message.map_or(Poll::Pending, Poll::Ready)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, shared: &Shared, now: Duration) -> Poll<()> {
        let done = self.poll_transmit(cx, shared, now);
        self.connection.end_transmit();
        shared.set_writing(self.connection.queue().buffered());
        done
    }

    fn closed(&self) -> Option<Closed> {
        let over = self.connection.is_over() && !self.connection.has_waiting();
        let closed = (over || self.connection.has_closed()).then(|| self.connection.closed())?;
        // A server that has let so much time pass is not given more for its part of the close.
        (over || closed.by == ClosedBy::Timeout).then_some(closed)
    }

    fn poll_timeout(&mut self, now: Duration) -> Option<Duration> {
        // No credentials expire here.
        self.connection.poll_timeout(now, || SystemTime::UNIX_EPOCH)
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.connection.handle_timeout(now);
    }

    fn end_turn(&mut self) -> bool {
        self.connection.end_turn();
        self.connection.reads_on(self.readable)
    }
}

/// Decodes up to a message, if one can be delivered, or else as many as may wait. Returns also whether
/// everything is decoded.
fn decode(
    connection: &mut ClientConnection,
    input: &mut &mut [u8],
    ready: bool,
    now: Duration,
) -> (Option<Message>, bool) {
    if !ready {
        return (None, connection.read_ahead(input, || now));
    }
    if let Some(message) = connection.next_message(input) {
        return (Some(message), false);
    }
    while let Some(step) = connection.next(input, || now) {
        match step {
            Step::Message(message) => return (Some(message), false),
            Step::Closed => break,
            Step::Failed(error) => tracing::debug!(%error, "a server broke a rule"),
            Step::Ping(_) | Step::Pong(_) | Step::Drain => {}
        }
    }
    (None, true)
}

/// Appends a message's frame.
fn put(
    batch: &mut Batch<ClientFrame>,
    message: &Message,
    deflater: Option<&Mutex<Deflater>>,
) -> Result<(), getrandom::Error> {
    let (opcode, payload) = (Opcode::from(message), message.as_bytes());
    if let Some(deflater) = deflater {
        let mut frame = Vec::new();
        if deflater
            .lock()
            .put_masked_frame(opcode, payload, &mut frame)?
        {
            batch.push_encoded(frame.into(), 1);
            return Ok(());
        }
    }
    batch.push_masked(opcode, payload)
}

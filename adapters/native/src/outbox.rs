//! The way out of one connection: what every thread may queue into, and its pump empties.

#[cfg(all(test, crossws_shuttle))]
mod model;

use std::sync::Arc;
use std::task::{Wake, Waker};

use atomic_waker::AtomicWaker;
use bytes::{Bytes, BytesMut};
use crossws_core::{
    Capabilities, CloseCode, CloseFrame, ControlError, DRAIN_MARK, Limits, Message, Overflow,
    Publication, Receipt, SendError, Transport,
};

use crate::batch::Batch;
use crate::frame::{Opcode, ServerFrame, put_close, put_frame};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};

/// Shared between a peer's handles and its pump.
pub(crate) struct Outbox {
    state: Mutex<State>,
    /// The pump's task.
    task: AtomicWaker,
    /// The pump found the outbox empty and sleeps: the next to queue something wakes it.
    asleep: AtomicBool,
    /// The stream may have something to read. Kept apart from other wake-ups, so that a task
    /// that was woken to write does not try to read.
    readable: AtomicBool,
}

struct State {
    batch: Batch,
    /// What the pump has taken and not yet written.
    taken_bytes: usize,
    taken_frames: usize,
    /// The bounds, as in [`Limits`].
    max_bytes: usize,
    max_frames: usize,
    overflow: Overflow,
    /// What is queued is too old, and counts as a full queue.
    stale: bool,
    /// One ping and one pong of ours may wait, and the answer to the client's latest ping
    /// (RFC 6455 section 5.5.3 allows answering only that).
    ping: Option<Bytes>,
    pong: Option<Bytes>,
    answer: Option<Bytes>,
    /// Nothing more is queued; what was is still sent.
    closing: bool,
    /// A close frame that waits to be taken.
    close: Option<Close>,
    overflowed: bool,
    terminated: bool,
    dropped: u64,
    /// More than [`DRAIN_MARK`] bytes had piled up since the outbox was last empty.
    piled_up: bool,
}

/// A close frame to be sent after everything else; `None` for an empty one.
struct Close(Option<CloseFrame>);

/// What the pump learns when it takes.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// This side's close frame: the last of the batch, or of what is still queued.
    pub(crate) close: Option<CloseFrame>,
    /// The queue overflowed: what was taken before is cut to the frame that has begun.
    pub(crate) overflowed: bool,
    /// The connection is to be dropped at once.
    pub(crate) terminated: bool,
}

impl Outbox {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                batch: Batch::default(),
                taken_bytes: 0,
                taken_frames: 0,
                max_bytes: limits.max_buffered.get(),
                max_frames: limits.max_queued.get(),
                overflow: limits.overflow,
                stale: false,
                ping: None,
                pong: None,
                answer: None,
                closing: false,
                close: None,
                overflowed: false,
                terminated: false,
                dropped: 0,
                piled_up: false,
            }),
            task: AtomicWaker::new(),
            asleep: AtomicBool::new(false),
            readable: AtomicBool::new(true),
        })
    }

    /// The pump is being polled: it will look at everything by itself.
    pub(crate) fn attend(&self, waker: &Waker) {
        self.task.register(waker);
        self.asleep.store(false, Ordering::Release);
    }

    /// Whether the stream's waker has been woken since the last time this was asked.
    pub(crate) fn take_readable(&self) -> bool {
        self.readable.swap(false, Ordering::AcqRel)
    }

    /// Reading stopped although there may be more.
    pub(crate) fn set_readable(&self) {
        self.readable.store(true, Ordering::Release);
    }

    /// Queues the answer to a ping; a newer one takes its place.
    pub(crate) fn answer_ping(&self, data: Bytes) {
        let mut state = self.state.lock();
        if !state.closing {
            state.answer = Some(data);
        }
    }

    /// Queues a close frame as the last thing; `None` for one without code. Does nothing if one
    /// was queued before.
    pub(crate) fn close_with(&self, frame: Option<CloseFrame>) {
        let mut state = self.state.lock();
        if !state.closing {
            state.closing = true;
            state.close = Some(Close(frame));
        }
    }

    /// Nothing could be written for as long as the limits allow: the queue counts as full until
    /// something is.
    pub(crate) fn too_old(&self) {
        let mut state = self.state.lock();
        match state.overflow {
            Overflow::DropNewest | Overflow::DropOldest => state.stale = true,
            _ if !state.closing => {
                state.overflow();
            }
            _ => {}
        }
    }

    /// Moves everything queued into `batch`, which must be empty, and says what else is to be
    /// done. When there is nothing the next to queue will wake the pump.
    pub(crate) fn take(&self, batch: &mut Batch) -> Taken {
        let mut state = self.state.lock();
        let mut taken = Taken {
            close: None,
            overflowed: std::mem::take(&mut state.overflowed),
            terminated: state.terminated,
        };
        *batch = std::mem::take(&mut state.batch);
        let (front, count) = state.controls();
        batch.push_front(front, count);
        if let Some(Close(frame)) = state.close.take() {
            let mut buf = BytesMut::new();
            put_close(&mut buf, frame.as_ref());
            batch.push_back(&buf, 1);
            taken.close = frame;
        }
        state.taken_bytes = batch.bytes();
        state.taken_frames = batch.frames();
        if batch.is_empty() && !taken.terminated {
            self.asleep.store(true, Ordering::Release);
        }
        taken
    }

    /// What is to be done at once, while the pump still has a batch to write.
    pub(crate) fn news(&self) -> Taken {
        let mut state = self.state.lock();
        Taken {
            close: state.close.as_ref().and_then(|Close(frame)| frame.clone()),
            overflowed: std::mem::take(&mut state.overflowed),
            terminated: state.terminated,
        }
    }

    /// Queues a ping, unless one waits already.
    pub(crate) fn heartbeat(&self) {
        let mut state = self.state.lock();
        if !state.closing {
            state.ping.get_or_insert_default();
        }
    }

    /// The pump has written: so much of what it took is left.
    pub(crate) fn written(&self, left: &Batch) {
        let mut state = self.state.lock();
        state.taken_bytes = left.bytes();
        state.taken_frames = left.frames();
        state.stale = false;
    }

    /// Whether everything has been written after more than [`DRAIN_MARK`] bytes had piled up;
    /// said once.
    pub(crate) fn take_drained(&self) -> bool {
        let mut state = self.state.lock();
        state.buffered() == 0 && std::mem::take(&mut state.piled_up)
    }

    pub(crate) fn buffered(&self) -> usize {
        self.state.lock().buffered()
    }

    /// Whether the next message, of this length, shall wait until more is written: more than
    /// half of a bound is used, or an answer as long as the message would not fit. Request and
    /// response traffic thus slows its client down instead of overflowing.
    pub(crate) fn is_congested(&self, next: usize) -> bool {
        let state = self.state.lock();
        let buffered = state.buffered();
        buffered > state.max_bytes / 2
            || state.batch.frames() + state.taken_frames > state.max_frames / 2
            || (buffered > 0 && buffered.saturating_add(next) > state.max_bytes)
    }

    fn wake_pump(&self) {
        self.task.wake();
    }

    /// Queues one message, and wakes nobody.
    fn enqueue(&self, len: usize, push: impl FnOnce(&mut Batch)) -> Receipt {
        let mut state = self.state.lock();
        if state.closing {
            return Receipt::closed();
        }
        let mut dropped = 0;
        if state.stale || !state.fits(len) {
            match state.overflow {
                Overflow::DropNewest => {
                    state.dropped += 1;
                    return Receipt::full(1);
                }
                Overflow::DropOldest => {
                    // What the pump has in its hands cannot be taken back. It is left out of
                    // account here, or a blocked pump would turn this into refusing the newest:
                    // at most twice the bounds are used.
                    while (state.stale || !state.fits_behind(len, 0, 0)) && state.batch.drop_first()
                    {
                        dropped += 1;
                    }
                    if !state.fits_behind(len, 0, 0) {
                        dropped += 1;
                        state.dropped += dropped;
                        return Receipt::full(dropped);
                    }
                    state.dropped += dropped;
                }
                _ => {
                    let lost = state.overflow() + 1;
                    state.dropped += 1;
                    return Receipt::full(lost);
                }
            }
        }
        push(&mut state.batch);
        state.piled_up |= state.buffered() > DRAIN_MARK;
        let wake = self.asleep.swap(false, Ordering::AcqRel);
        Receipt::replaced(dropped, wake)
    }
}

impl State {
    fn buffered(&self) -> usize {
        self.batch.bytes() + self.taken_bytes
    }

    fn fits(&self, len: usize) -> bool {
        self.fits_behind(len, self.taken_bytes, self.taken_frames)
    }

    /// Whether a message fits, if so much is before the batch. One always fits where nothing
    /// waits: its size is the application's own choice, and no sign of a slow client.
    fn fits_behind(&self, len: usize, bytes: usize, frames: usize) -> bool {
        let (bytes, frames) = (self.batch.bytes() + bytes, self.batch.frames() + frames);
        bytes == 0 || (bytes.saturating_add(len) <= self.max_bytes && frames < self.max_frames)
    }

    /// Answers how many messages were discarded.
    fn overflow(&mut self) -> u64 {
        let lost = self.batch.frames() as u64;
        self.dropped += lost;
        self.batch = Batch::default();
        self.closing = true;
        self.overflowed = true;
        let frame = CloseFrame::new(CloseCode::TRY_AGAIN, "slow consumer");
        self.close = Some(Close(Some(frame)));
        lost
    }

    /// The control frames that wait, encoded, and how many they are.
    fn controls(&mut self) -> (BytesMut, usize) {
        let mut buf = BytesMut::new();
        let mut count = 0;
        for (opcode, data) in [
            (Opcode::Pong, self.answer.take()),
            (Opcode::Pong, self.pong.take()),
            (Opcode::Ping, self.ping.take()),
        ] {
            if let Some(data) = data {
                put_frame(&mut buf, opcode, &data);
                count += 1;
            }
        }
        (buf, count)
    }
}

/// The stream's waker: notes that there is something to read, then wakes the pump.
impl Wake for Outbox {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.set_readable();
        self.task.wake();
    }
}

/// What native transports can do.
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
    .with(Capabilities::RAW_HTTP);

/// [`Transport`] over an outbox.
pub(crate) struct NativeTransport(pub(crate) Arc<Outbox>);

impl Transport for NativeTransport {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn send(&self, message: Message) -> Result<(), SendError> {
        let opcode = Opcode::from(&message);
        // The handle is cloned, not the payload, so that a refused message can be handed back.
        let payload = message.bytes();
        let receipt = self
            .0
            .enqueue(payload.len(), |batch| batch.push(opcode, payload));
        if receipt.wake {
            self.0.wake_pump();
        }
        match receipt {
            Receipt { queued: true, .. } => Ok(()),
            Receipt { dropped: 0, .. } => Err(SendError::Closed(message)),
            _ => Err(SendError::Full(message)),
        }
    }

    fn publish(&self, publication: &Publication) -> Receipt {
        let frame = publication.encoded::<ServerFrame>();
        self.0.enqueue(publication.message().len(), |batch| {
            batch.push_encoded(frame);
        })
    }

    fn wake(&self) {
        self.0.wake_pump();
    }

    fn close(&self, frame: CloseFrame) {
        self.0.close_with(Some(frame));
        self.0.wake_pump();
    }

    fn terminate(&self) {
        let mut state = self.0.state.lock();
        state.closing = true;
        state.terminated = true;
        drop(state);
        self.0.wake_pump();
    }

    fn ping(&self, data: Bytes) -> Result<(), ControlError> {
        self.control(data, |state| &mut state.ping)
    }

    fn pong(&self, data: Bytes) -> Result<(), ControlError> {
        self.control(data, |state| &mut state.pong)
    }

    fn buffered_amount(&self) -> usize {
        self.0.buffered()
    }

    fn dropped(&self) -> u64 {
        self.0.state.lock().dropped
    }
}

impl NativeTransport {
    fn control(
        &self,
        data: Bytes,
        slot: impl FnOnce(&mut State) -> &mut Option<Bytes>,
    ) -> Result<(), ControlError> {
        let mut state = self.0.state.lock();
        if state.closing {
            return Err(ControlError::Closed);
        }
        let slot = slot(&mut state);
        if slot.is_some() {
            return Err(ControlError::Busy);
        }
        *slot = Some(data);
        drop(state);
        self.0.wake_pump();
        Ok(())
    }
}

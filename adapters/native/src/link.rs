//! The socket side of one connection: everything of the pump that does not run hooks.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use crossws_core::{
    CloseCode, CloseFrame, Closed, ClosedBy, Due, Error, Lifeline, Limits, Liveness, Message,
    PeerId,
};

use crate::batch::Batch;
use crate::engine::{Engine, Event, Tungstenite, Violation};
use crate::io::Io;
use crate::outbox::{Outbox, Taken};
use crate::runtime::Runtime;
use crate::timer::{Timer, later};

/// How much one read takes. The buffer belongs to the thread, so that an idle connection owns
/// none.
const SCRATCH: usize = 64 << 10;

/// Most slices in one write: a burst of small messages is one slice, a large payload two.
const SLICES: usize = 32;

/// Most bytes read and discarded after the close, so that unread data does not turn our FIN into
/// a reset that destroys the close frame on its way.
const LINGER_BYTES: usize = 64 << 10;

thread_local! {
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
}

/// What arrived and waits for its hook.
pub(crate) enum Inbound {
    Message(Message),
    Ping(Bytes),
    Pong(Bytes),
    Failed(Error),
}

impl Inbound {
    fn len(&self) -> usize {
        match self {
            Self::Message(message) => message.len(),
            Self::Ping(data) | Self::Pong(data) => data.len(),
            Self::Failed(_) => 0,
        }
    }
}

/// How far the connection's end has come.
enum Phase {
    Open,
    /// Our close frame is sent, or on its way; the client's is awaited.
    Closing {
        frame: CloseFrame,
        deadline: Instant,
    },
    /// Both sides have said what there was to say: the rest is written, then the writing side
    /// ended.
    Flushing {
        deadline: Instant,
    },
    /// Our end is sent; the client's is awaited.
    Lingering {
        deadline: Instant,
        read: usize,
    },
    Done,
}

pub(crate) struct Link<I, R: Runtime> {
    io: I,
    runtime: R,
    outbox: Arc<Outbox>,
    /// Wakes the pump and notes that there is something to read.
    read_waker: Waker,
    lifeline: Option<Lifeline>,
    limits: Limits,

    engine: Tungstenite,
    /// Read, and not yet decoded.
    backlog: BytesMut,
    /// The engine may hold decodable bytes of its own.
    undecoded: bool,
    inbound: VecDeque<Inbound>,
    inbound_bytes: usize,
    controls: Controls,

    writing: Batch,
    unflushed: bool,
    /// Since when nothing could be written although something waits.
    stalled: Option<Instant>,

    start: Instant,
    liveness: Liveness,
    timer: Timer<R>,

    phase: Phase,
    /// Set as soon as it is known how the connection ended.
    closed: Option<Closed>,
}

impl<I: Io, R: Runtime> Link<I, R> {
    pub(crate) fn new(
        io: I,
        early: BytesMut,
        outbox: Arc<Outbox>,
        runtime: R,
        limits: Limits,
        id: PeerId,
    ) -> Self {
        let start = runtime.now();
        Self {
            io,
            read_waker: Waker::from(Arc::clone(&outbox)),
            outbox,
            lifeline: None,
            engine: Tungstenite::new(&limits),
            backlog: early,
            undecoded: true,
            inbound: VecDeque::new(),
            inbound_bytes: 0,
            controls: Controls::new(start),
            writing: Batch::default(),
            unflushed: false,
            stalled: None,
            start,
            liveness: Liveness::new(&limits, id, Duration::ZERO),
            timer: Timer::new(),
            phase: Phase::Open,
            closed: None,
            limits,
            runtime,
        }
    }

    pub(crate) fn attach(&mut self, lifeline: Lifeline) {
        self.lifeline = Some(lifeline);
    }

    /// Closes a connection that got its 101 but could not join.
    pub(crate) fn refuse(&mut self, frame: CloseFrame) {
        self.outbox.close_with(Some(frame.clone()));
        self.end(Closed::by_us(&frame, ClosedBy::Server, false));
        self.flush_and_end();
    }

    /// Runs a hook's future, and the socket beside it.
    pub(crate) async fn beside<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|cx| {
            // What the hook queues is written below, or before the task sleeps: nobody need
            // wake it for that.
            self.outbox.attend(cx.waker());
            let output = future.as_mut().poll(cx);
            if output.is_pending() {
                self.poll(cx);
            }
            output
        })
        .await
    }

    /// Runs the socket alone until the connection is over.
    pub(crate) async fn finish(mut self) {
        std::future::poll_fn(|cx| {
            self.poll(cx);
            match self.phase {
                Phase::Done => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
    }

    /// The next of what arrived. While the outbox is half full, messages wait.
    pub(crate) fn next_inbound(&mut self) -> Option<Inbound> {
        let next = self.inbound.front()?;
        if matches!(next, Inbound::Message(_))
            && self.closed.is_none()
            && self.outbox.is_congested()
        {
            return None;
        }
        let next = self.inbound.pop_front()?;
        self.inbound_bytes -= next.len();
        if self.inbound.is_empty() {
            // An idle connection owns no queue.
            self.inbound = VecDeque::new();
        }
        Some(next)
    }

    /// Decodes more of what was read before, without touching the socket.
    pub(crate) fn refill(&mut self) {
        if matches!(self.phase, Phase::Open | Phase::Closing { .. }) {
            self.decode_backlog();
        }
    }

    /// Whether the connection is ending, and nothing more will arrive.
    pub(crate) fn is_ending(&self) -> bool {
        self.closed.is_some() && self.inbound.is_empty()
    }

    pub(crate) fn take_drained(&mut self) -> bool {
        self.writing.is_empty() && self.closed.is_none() && self.outbox.take_drained()
    }

    pub(crate) fn closed(&self) -> Closed {
        self.closed
            .clone()
            .unwrap_or_else(|| Closed::lost(ClosedBy::Network))
    }

    /// Does everything that can be done now, and sees to a wake-up for the rest.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        self.outbox.attend(cx.waker());
        self.read();
        self.write(cx);
        // What was read may have ended the connection, and the end of the writing may have
        // brought the next phase.
        while self.keep_time(cx) {
            self.write(cx);
        }
    }

    // ---- in

    fn read(&mut self) {
        loop {
            match self.phase {
                Phase::Open | Phase::Closing { .. } => {}
                Phase::Lingering { .. } => return self.linger(),
                Phase::Flushing { .. } | Phase::Done => return,
            }
            if !self.decode_backlog() || !self.outbox.take_readable() || !self.read_once() {
                return;
            }
        }
    }

    /// Decodes what was read before. Answers whether all of it is decoded, so that more may be
    /// read.
    fn decode_backlog(&mut self) -> bool {
        if self.undecoded || !self.backlog.is_empty() {
            let backlog = std::mem::take(&mut self.backlog);
            let mut rest = &backlog[..];
            self.decode(&mut rest);
            let rest = rest.len();
            self.keep(backlog, rest);
        }
        self.backlog.is_empty() && !self.undecoded
    }

    /// Keeps the last `rest` bytes of a backlog for later.
    fn keep(&mut self, mut backlog: BytesMut, rest: usize) {
        if rest > 0 {
            backlog.advance(backlog.len() - rest);
            self.backlog = backlog;
        }
    }

    /// Reads once. Answers whether another read may give more.
    fn read_once(&mut self) -> bool {
        READ.with_borrow_mut(|scratch| {
            let mut cx = Context::from_waker(&self.read_waker);
            match self.io.poll_read(&mut cx, scratch) {
                Poll::Pending => false,
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => {
                    self.lost();
                    false
                }
                Poll::Ready(Ok(count)) => {
                    // Not woken until a read has found nothing: there may be more.
                    self.outbox.set_readable();
                    self.liveness.heard(self.elapsed());
                    let mut rest = scratch.get(..count).unwrap_or_default();
                    self.undecoded = true;
                    self.decode(&mut rest);
                    self.backlog.extend_from_slice(rest);
                    true
                }
            }
        })
    }

    /// Decodes until more bytes are needed or enough messages wait.
    fn decode(&mut self, input: &mut &[u8]) {
        while matches!(self.phase, Phase::Open | Phase::Closing { .. }) {
            if self.is_full() {
                return;
            }
            match self.engine.decode(input) {
                Ok(Some(event)) => self.event(event),
                Ok(None) => {
                    self.undecoded = false;
                    return;
                }
                Err(violation) => self.violated(violation),
            }
        }
        // Nothing more is wanted from this client.
        self.undecoded = false;
        *input = &[];
    }

    /// Whether enough messages wait for their hooks.
    fn is_full(&self) -> bool {
        let most = self.limits.max_inbound.get();
        let bytes = self.limits.max_message_size.get().saturating_mul(2);
        self.inbound.len() >= most || self.inbound_bytes >= bytes
    }

    fn event(&mut self, event: Event) {
        let inbound = match event {
            Event::Message(message) => Inbound::Message(message),
            Event::Ping(data) => {
                self.outbox.answer_ping(data.clone());
                Inbound::Ping(data)
            }
            Event::Pong(data) => Inbound::Pong(data),
            Event::Close(frame) => return self.client_closed(frame),
        };
        if !matches!(inbound, Inbound::Message(_))
            && !self.controls.admit(self.runtime.now(), &self.limits)
        {
            return self.violated(Violation {
                code: CloseCode::POLICY,
                text: "too many control frames".to_owned(),
            });
        }
        // A peer that this side closed has nothing more to say.
        let closed_here = self.lifeline.as_ref().is_some_and(Lifeline::closed_here);
        if !closed_here && matches!(self.phase, Phase::Open) {
            self.inbound_bytes += inbound.len();
            self.inbound.push_back(inbound);
        }
    }

    fn client_closed(&mut self, frame: Option<CloseFrame>) {
        let ours = match &self.phase {
            Phase::Closing { frame, .. } => Some(frame.clone()),
            _ => None,
        };
        match ours {
            Some(ours) => self.end(Closed::by_us(&ours, ClosedBy::Server, true)),
            None => {
                self.end(Closed::by_client(frame.as_ref()));
                self.outbox.close_with(frame);
            }
        }
        self.flush_and_end();
    }

    /// The client broke a rule: it is told which, and heard no more.
    fn violated(&mut self, violation: Violation) {
        let frame = match &self.phase {
            Phase::Closing { frame, .. } => frame.clone(),
            _ => {
                let frame = CloseFrame::new(violation.code, reason(violation.code));
                self.outbox.close_with(Some(frame.clone()));
                let error = Error::protocol(violation);
                self.inbound.push_back(Inbound::Failed(error));
                frame
            }
        };
        self.end(Closed::by_us(&frame, ClosedBy::Server, false));
        self.flush_and_end();
    }

    /// The stream ended or failed.
    fn lost(&mut self) {
        let closed = match &self.phase {
            Phase::Closing { frame, .. } => Closed::by_us(frame, ClosedBy::Server, false),
            _ => Closed::lost(ClosedBy::Network),
        };
        self.end(closed);
        self.phase = Phase::Done;
    }

    /// After our end: reads and forgets until the client ends too.
    fn linger(&mut self) {
        let Phase::Lingering { read, .. } = &mut self.phase else {
            return;
        };
        let over = READ.with_borrow_mut(|scratch| {
            let mut cx = Context::from_waker(&self.read_waker);
            loop {
                match self.io.poll_read(&mut cx, scratch) {
                    Poll::Pending => return false,
                    Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => return true,
                    Poll::Ready(Ok(count)) => *read += count,
                }
                if *read > LINGER_BYTES {
                    return true;
                }
            }
        });
        if over {
            self.phase = Phase::Done;
        }
    }

    // ---- out

    fn write(&mut self, cx: &mut Context<'_>) {
        loop {
            if matches!(self.phase, Phase::Lingering { .. } | Phase::Done) {
                return;
            }
            self.load();
            if matches!(self.phase, Phase::Done) {
                return;
            }
            if self.writing.is_empty() {
                self.stalled = None;
                if self.poll_flush(cx) && matches!(self.phase, Phase::Flushing { .. }) {
                    self.end_writing(cx);
                }
                return;
            }
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.writing.slices(&mut slices);
            let slices = slices.get(..count).unwrap_or_default();
            match self.io.poll_write_vectored(cx, slices) {
                Poll::Pending => {
                    self.stalled.get_or_insert(self.runtime.now());
                    return;
                }
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => return self.lost(),
                Poll::Ready(Ok(count)) => {
                    self.writing.advance(count);
                    self.outbox.written(&self.writing);
                    self.unflushed = true;
                    self.stalled = None;
                    if let Some(lifeline) = &self.lifeline {
                        lifeline.drained();
                    }
                }
            }
        }
    }

    /// Takes what is queued, when everything taken before is written, and acts on what the
    /// outbox has to say.
    fn load(&mut self) {
        if !self.writing.is_empty() {
            let news = self.outbox.news();
            self.heed(&news);
            if news.overflowed {
                // The frame that has begun is finished; its successors are gone, and the close
                // frame follows.
                let lost = self.writing.keep_begun();
                self.outbox.written(&self.writing);
                tracing::debug!(lost, "discarded what a slow consumer had not taken");
            }
        }
        if self.writing.is_empty() && !matches!(self.phase, Phase::Done) {
            let taken = self.outbox.take(&mut self.writing);
            self.heed(&taken);
        }
    }

    fn heed(&mut self, taken: &Taken) {
        if taken.terminated {
            self.end(Closed::lost(ClosedBy::Server));
            self.io.abort();
            self.phase = Phase::Done;
        } else if taken.overflowed {
            let frame = CloseFrame::new(CloseCode::TRY_AGAIN, "slow consumer");
            self.end(Closed::by_us(&frame, ClosedBy::Server, false));
            self.forget_inbound();
            self.flush_and_end();
        } else if let (Some(frame), Phase::Open) = (&taken.close, &self.phase) {
            self.forget_inbound();
            self.phase = Phase::Closing {
                frame: frame.clone(),
                deadline: later(self.runtime.now(), self.limits.close_timeout),
            };
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> bool {
        if self.unflushed {
            match self.io.poll_flush(cx) {
                Poll::Pending => return false,
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(_)) => {
                    self.lost();
                    return false;
                }
            }
        }
        true
    }

    fn end_writing(&mut self, cx: &mut Context<'_>) {
        match self.io.poll_shutdown(cx) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => {
                self.phase = Phase::Lingering {
                    deadline: later(self.runtime.now(), self.limits.close_timeout),
                    read: self.backlog.len(),
                };
                self.backlog = BytesMut::new();
                self.linger();
            }
            Poll::Ready(Err(_)) => self.phase = Phase::Done,
        }
    }

    // ---- time

    /// Acts on what is due. Answers whether there is something to write for it.
    fn keep_time(&mut self, cx: &mut Context<'_>) -> bool {
        let deadline = self.deadline();
        if self.timer.poll(&self.runtime, deadline, cx).is_pending() {
            return false;
        }
        if !matches!(self.phase, Phase::Open) {
            // The client had its time: whatever it has not taken or said is given up.
            self.lost();
            self.io.abort();
            return false;
        }
        let now = self.runtime.now();
        if self.age_limit().is_some_and(|limit| limit <= now) {
            self.stalled = None;
            self.outbox.overflow();
            return true;
        }
        if !self.inbound.is_empty() || self.undecoded {
            // While this side does not read, silence says nothing about the client.
            self.liveness.heard(self.elapsed());
        }
        while let Some(due) = self.liveness.poll(self.elapsed()) {
            match due {
                Due::Silent => {
                    let frame = CloseFrame::new(CloseCode::TIMEOUT, "silent for too long");
                    self.outbox.close_with(Some(frame.clone()));
                    self.end(Closed::by_us(&frame, ClosedBy::Timeout, false));
                    self.flush_and_end();
                }
                Due::Expired => {
                    let frame = CloseFrame::new(CloseCode::RESTART, "connection expired");
                    self.outbox.close_with(Some(frame));
                    self.announce_end();
                }
                _ => self.outbox.heartbeat(),
            }
        }
        true
    }

    fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Open => {
                let due = self.liveness.next_due().map(|due| later(self.start, due));
                [due, self.age_limit()].into_iter().flatten().min()
            }
            Phase::Closing { deadline, .. }
            | Phase::Flushing { deadline }
            | Phase::Lingering { deadline, .. } => Some(deadline),
            Phase::Done => None,
        }
    }

    /// When what waits to be written is too old.
    fn age_limit(&self) -> Option<Instant> {
        Some(later(self.stalled?, self.limits.max_queue_age?))
    }

    fn elapsed(&self) -> Duration {
        self.runtime.now().saturating_duration_since(self.start)
    }

    // ---- the end

    /// It is known how the connection ended. The first to know is right.
    fn end(&mut self, closed: Closed) {
        self.closed.get_or_insert(closed);
        self.announce_end();
    }

    /// The peer leaves every list, and whoever waits for its end is told.
    fn announce_end(&mut self) {
        if let Some(lifeline) = &self.lifeline {
            lifeline.ended();
        }
    }

    fn flush_and_end(&mut self) {
        if !matches!(self.phase, Phase::Done) {
            self.phase = Phase::Flushing {
                deadline: later(self.runtime.now(), self.limits.close_timeout),
            };
        }
    }

    fn forget_inbound(&mut self) {
        self.inbound = VecDeque::new();
        self.inbound_bytes = 0;
    }
}

/// What the client is told besides the code.
fn reason(code: CloseCode) -> &'static str {
    match code {
        CloseCode::TOO_BIG => "message too big",
        CloseCode::INVALID => "invalid UTF-8",
        CloseCode::POLICY => "too many control frames",
        _ => "protocol error",
    }
}

/// Control frames within the current second.
struct Controls {
    since: Instant,
    count: usize,
}

impl Controls {
    fn new(now: Instant) -> Self {
        Self {
            since: now,
            count: 0,
        }
    }

    fn admit(&mut self, now: Instant, limits: &Limits) -> bool {
        if now.saturating_duration_since(self.since) >= Duration::from_secs(1) {
            *self = Self::new(now);
        }
        self.count += 1;
        limits.max_control_rate.allows(self.count)
    }
}

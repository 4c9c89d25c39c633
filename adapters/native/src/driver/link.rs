//! The socket side of one connection: every part of the pump that does not run hooks.

mod alarm;
mod inbound;
mod input;
mod reading;
mod timing;
mod writing;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use crossws_core::adapter::{Accepted, ControlRate, Liveness, Notice, PeerEvents, Unfinished};
use crossws_core::{
    CloseFrame, Closed, ClosedBy, DropCause, Dropped, Error, Hooks, Limits, Message, Settings,
};
use pin_project_lite::pin_project;

use self::alarm::Alarm;
use self::inbound::Inbound;
use self::input::Input;
use crate::driver::outlet::Outlet;
use crate::driver::pace::{self, Grown};
use crate::driver::task_handle::TaskHandle;
use crate::runtime::Runtime;
use crate::runtime::io::Io;
use crossws_proto::deflate::Deflater;
use crossws_proto::engine::{Decoder, Violation};
use crossws_proto::sync::Mutex;

/// A message counts once more in a turn for each this many bytes: a message of a few bytes on the
/// wire may inflate to the largest that is allowed.
const TURN_BYTES: usize = 64 << 10;

/// The next step for the hooks.
pub(crate) enum Step {
    Message(Message),
    Ping(Bytes),
    Pong(Bytes),
    Failed(Error),
    Notice(Notice),
    Drain,
    /// The connection is ending, and nothing more will arrive.
    Closed,
}

impl Step {
    /// Returns how many bytes of the client's data the step holds.
    fn len(&self) -> usize {
        match self {
            Self::Message(message) => message.len(),
            Self::Ping(data) | Self::Pong(data) => data.len(),
            Self::Failed(_) | Self::Notice(_) | Self::Drain | Self::Closed => 0,
        }
    }

    /// Returns how often the step counts in a turn besides once.
    pub(crate) fn weight(&self) -> u32 {
        u32::try_from(self.len() / TURN_BYTES).unwrap_or(u32::MAX - 1)
    }
}

/// How far the connection's end has come. Deadlines are in the connection's time. Values that only
/// an end needs are boxed: an open connection owns a pointer.
enum Phase {
    Open,
    /// Nothing can be written any more. Messages that were read still reach their hooks.
    Broken,
    /// The client broke a rule: nothing more is decoded. The client gets the close frame once its
    /// earlier messages are answered.
    Violated {
        violation: Box<Violation>,
        deadline: Duration,
    },
    /// Our close frame is sent or queued; the client's is awaited.
    Closing {
        frame: Box<CloseFrame>,
        deadline: Duration,
    },
    /// Both close frames are exchanged: the rest is written, then the writing side ends.
    Flushing {
        deadline: Duration,
        /// Nothing more will come from the client, and it has taken everything so far.
        settled: bool,
    },
    /// Our end is sent; the client's is awaited.
    Lingering {
        deadline: Duration,
        read: usize,
    },
    Done,
}

/// The delays that a connection is timing.
#[derive(Default, PartialEq)]
struct Late {
    /// Since when no write has succeeded although bytes wait.
    stalled: Option<Duration>,
    /// The queue was reported as too old; it is reported again only after a write.
    age_said: bool,
    /// Since when a message has been arriving.
    begun: Option<Duration>,
    /// A write has had to wait for the client since its last pong.
    slow: bool,
}

pub(crate) struct Link<I, R: Runtime> {
    outlet: Arc<Mutex<Outlet<I>>>,
    runtime: R,
    outbox: Arc<TaskHandle>,
    lifeline: Option<PeerEvents>,
    /// The settings, which the peers of the route share.
    settings: Arc<Settings>,
    /// How much of a partial message the decoder holds, counted against the hub's limit.
    unfinished: Unfinished,

    decoder: Decoder,
    input: Input,
    /// The decoder may hold decodable bytes of its own.
    undecoded: bool,
    inbound: Inbound,
    controls: ControlRate,

    /// The context in which this connection compresses. It is freed when the connection goes idle.
    deflater: Option<Arc<Mutex<Deflater>>>,
    /// The running delays. Boxed, because an idle connection has none.
    late: Option<Box<Late>>,
    /// A heartbeat's ping is queued. The client's time begins when the ping is written.
    ping_due: bool,

    start: Instant,
    liveness: Liveness,
    /// How many reads this turn has had; bytes that reach no hook count by their size, too.
    reads: u8,
    /// Bytes were read since the time was last looked at.
    heard: bool,
    /// A message was decoded since then.
    active: bool,
    /// Publications were left for the next write.
    deferred: bool,
    /// Must be reported outside the lock: bytes were written.
    wrote: bool,
    /// Must be reported outside the lock: the connection is ending.
    has_ended: bool,
    alarm: Alarm<R>,

    /// A drop ends the stream in order.
    ends_on_drop: bool,
    /// A message of the client has reached its hook.
    has_spoken: bool,
    /// The queues that the last hook let grow: the turn is over, and the connection waits for them.
    grown: Option<Box<Grown>>,
    /// No further hook runs: the link is dropped when it is done.
    alone: bool,
    phase: Phase,
    /// The connection is over and its resources are released, although a hook may still run.
    let_go: bool,
    /// How the connection ended. Set as soon as that is known.
    closed: Option<Box<Closed>>,
}

impl<I: Io, R: Runtime> Link<I, R> {
    pub(crate) fn new<H: Hooks + ?Sized>(
        outlet: Arc<Mutex<Outlet<I>>>,
        early: BytesMut,
        outbox: Arc<TaskHandle>,
        runtime: R,
        accepted: &Accepted<H>,
        decoder: Decoder,
    ) -> Self {
        let start = runtime.now();
        let settings = Arc::clone(accepted.settings());
        let limits = &settings.limits;
        Self {
            outlet,
            outbox,
            lifeline: None,
            decoder,
            input: Input::new(&early),
            undecoded: true,
            inbound: Inbound::default(),
            controls: ControlRate::new(limits.max_control_rate),
            deflater: None,
            late: None,
            ping_due: false,
            start,
            liveness: Liveness::new(limits, accepted.id(), Duration::ZERO),
            reads: 0,
            heard: false,
            active: false,
            deferred: false,
            wrote: false,
            has_ended: false,
            alarm: Alarm::new(),
            ends_on_drop: false,
            has_spoken: false,
            grown: None,
            alone: false,
            phase: Phase::Open,
            let_go: false,
            closed: None,
            settings,
            unfinished: Unfinished::new(accepted.hub().clone()),
            runtime,
        }
    }

    /// Ensures that the compression context is freed when the connection goes idle.
    pub(crate) fn compress_in(&mut self, deflater: Option<Arc<Mutex<Deflater>>>) {
        self.deflater = deflater;
    }

    /// Sets what a drop does to the stream.
    pub(crate) fn ends_on_drop(&mut self, ends_on_drop: bool) {
        self.ends_on_drop = ends_on_drop;
    }

    pub(crate) fn attach(&mut self, lifeline: PeerEvents) {
        self.lifeline = Some(lifeline);
    }

    /// Closes a connection that got its 101 but could not join.
    pub(crate) fn refuse(&mut self, frame: CloseFrame) {
        self.outbox.close_with(Some(frame.clone()));
        self.end(Closed::by_us(&frame, ClosedBy::Server, false));
        self.flush_and_end();
    }

    /// Runs a hook's future, and the socket concurrently.
    pub(crate) fn beside<F>(&mut self, future: F) -> Beside<'_, I, R, F> {
        Beside { link: self, future }
    }

    /// Returns whether a hook has let other connections' queues grow, so that the turn is over and
    /// [`pace`](Self::pace) must be called before the next message.
    #[inline]
    pub(crate) fn must_pace(&self) -> bool {
        self.grown.is_some()
    }

    /// Returns whether the next step is a message that must wait for clients to whom its hook may
    /// write, so that [`pace`](Self::pace) must be called.
    #[inline]
    pub(crate) fn must_wait_for_others(&mut self, next: &Step) -> bool {
        let is_message = matches!(next, Step::Message(_));
        let first = is_message && !std::mem::replace(&mut self.has_spoken, true);
        let others = self.lifeline.as_ref();
        is_message && others.is_some_and(|others| others.must_wait(first))
    }

    /// Waits for the clients that were sent more than they take. The socket runs meanwhile.
    pub(crate) async fn pace(&mut self) {
        let mut grown = self.grown.take();
        let Some(others) = self.lifeline.clone() else {
            return;
        };
        let others = move || others.must_wait(true);
        if !pace::must_wait(&mut grown) && !others() {
            return;
        }
        let wait = pace::wait(grown, others, self.runtime.clone());
        self.beside(Box::pin(wait)).await;
    }

    /// Runs the socket alone until the connection is over. The drop of the link follows.
    pub(crate) async fn finish(&mut self) {
        self.alone = true;
        std::future::poll_fn(|cx| {
            self.poll(cx);
            match self.phase {
                Phase::Done => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
    }

    /// As [`next`](Self::next), for the most frequent case: a short message before which nothing
    /// waits.
    #[inline(always)]
    pub(crate) fn next_message(&mut self) -> Option<Message> {
        let others_first = self.closed.is_some()
            || !self.inbound.is_empty()
            || self.outbox.has_piled_up()
            || self.outbox.is_congested(Decoder::MAX_SHORT);
        if others_first {
            return None;
        }
        self.decode_short()
    }

    /// Returns the next step, if there is one. While the client does not take its answers, its
    /// messages wait.
    pub(crate) fn next(&mut self) -> Option<Step> {
        if self.closed.is_none() && self.outbox.take_drained() {
            return Some(Step::Drain);
        }
        if !self.inbound.is_empty() {
            return self.next_waiting();
        }
        // Straight to its hook: nothing waits before it.
        match self.decode_one() {
            Some(next) if self.must_wait(&next) => self.enqueue(next),
            Some(next) => return Some(next),
            None => {
                self.fail_violated();
                self.tell();
                return self.next_waiting();
            }
        }
        None
    }

    fn next_waiting(&mut self) -> Option<Step> {
        let Some(next) = self.inbound.front() else {
            return self.closed.as_ref().map(|_| Step::Closed);
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
                self.closed.is_none()
                    && !matches!(self.phase, Phase::Broken)
                    && self.outbox.is_congested(message.len())
            }
            _ => false,
        }
    }

    pub(crate) fn closed(&self) -> Closed {
        match &self.closed {
            Some(closed) => Closed::clone(closed),
            None => Closed::lost(ClosedBy::Network),
        }
    }

    /// Does everything that can be done now while a hook runs, and arranges a wake-up for the rest.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        self.attend(cx);
        self.read_ahead();
        self.tell();
        self.poll_rest(cx);
        if self.end_turn() {
            cx.waker().wake_by_ref();
        }
    }

    /// Registers the task that is polling the link.
    pub(crate) fn attend(&self, cx: &Context<'_>) {
        self.outbox.attend(cx.waker());
    }

    /// Reads once: the first half of a turn, while no hook runs. Returns whether that may bring a
    /// step for a hook.
    pub(crate) fn poll_read(&mut self) -> bool {
        let read = self.read();
        self.tell();
        read
    }

    /// Returns whether the second half waits for the next poll, for which the caller wakes the
    /// task: bytes were read, and only publications wait to be written. Other ready tasks may be
    /// about to publish more, and all of it leaves in one write.
    pub(crate) fn defers_rest(&mut self) -> bool {
        let defers = self.heard
            && !self.deferred
            && matches!(self.phase, Phase::Open)
            && self.outbox.has_only_published();
        if defers {
            self.deferred = true;
            self.input.park();
        }
        defers
    }

    /// Writes, and acts on deadlines: the second half of a turn.
    pub(crate) fn poll_rest(&mut self, cx: &mut Context<'_>) {
        self.deferred = false;
        self.input.park();
        self.write(cx);
        // What was read may have ended the connection, and the end of the writing may have
        // brought the next phase.
        while self.keep_time(cx) {
            self.write(cx);
        }
        self.wrote |= self.outbox.take_relieved();
        if self.outbox.has_lost() {
            self.tell_lost();
        }
        self.tell();
        if matches!(self.phase, Phase::Done) && !std::mem::replace(&mut self.let_go, true) {
            self.outbox.end();
        }
    }

    /// Notes that the task is about to let other tasks run. Returns whether the task must be woken
    /// at once, because it may read more: the stream wakes it only after a read that found nothing.
    pub(crate) fn end_turn(&mut self) -> bool {
        self.reads = 0;
        self.reads_on()
    }

    // ---- the end

    /// Records how the connection ended. The first record counts.
    fn end(&mut self, closed: Closed) {
        self.closed.get_or_insert_with(|| Box::new(closed));
        self.has_ended = true;
    }

    /// Reports what has become of the connection. Not called where the event is noticed, because
    /// the stream is locked there and a report may run any code.
    fn tell(&mut self) {
        let wrote = std::mem::take(&mut self.wrote);
        let has_ended = std::mem::take(&mut self.has_ended);
        if let Some(lifeline) = &self.lifeline {
            if wrote {
                lifeline.drained();
            }
            if has_ended {
                // The peer leaves every list, and the tasks that wait for its end are woken.
                lifeline.ended();
            }
        }
    }

    /// Reports discarded messages to the peer.
    #[cold]
    fn tell_lost(&self) {
        let Some(lifeline) = &self.lifeline else {
            return;
        };
        let lost = self.outbox.take_lost();
        let causes = [
            (lost.overflow, DropCause::Overflow(self.limits().overflow)),
            (lost.volatile, DropCause::Volatile),
        ];
        for (messages, cause) in causes {
            if messages > 0 {
                lifeline.dropped(Dropped::new(messages.into(), cause));
            }
        }
    }

    fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// Returns when the client's time for its part of the close is over.
    fn close_deadline(&self) -> Duration {
        self.elapsed().saturating_add(self.limits().close_timeout)
    }

    fn flush_and_end(&mut self) {
        if !matches!(self.phase, Phase::Done) {
            self.phase = Phase::Flushing {
                deadline: self.close_deadline(),
                settled: false,
            };
        }
    }
}

impl<I, R: Runtime> Drop for Link<I, R> {
    fn drop(&mut self) {
        self.alarm.cancel(&self.outbox, self.start);
        // Handles of the peer may live on, and must not keep unread topics in memory.
        self.outbox.end();
    }
}

pin_project! {
    /// See [`Link::beside`]. A type of its own: an `async fn` would hold the hook's future twice.
    pub(crate) struct Beside<'a, I, R: Runtime, F> {
        link: &'a mut Link<I, R>,
        #[pin]
        future: F,
    }
}

impl<I: Io, R: Runtime, F: Future> Future for Beside<'_, I, R, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        // The hook's output is written below, or before the task sleeps: it needs no wake-up.
        this.link.outbox.stay_awake();
        pace::begin_hook(this.link.unfinished.hub());
        let output = this.future.poll(cx);
        if let Some(grown) = pace::end_hook() {
            pace::add(&mut this.link.grown, grown);
        }
        if output.is_pending() {
            this.link.poll(cx);
        }
        output
    }
}

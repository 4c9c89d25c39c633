//! The socket side of one connection: drives a [`Connection`] on a stream, concurrently with hooks.

mod alarm;
mod input;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use bytes::BytesMut;
use crossws_core::adapter::{Accepted, PeerEvents};
use crossws_core::{CloseFrame, Closed, Hooks, Message};
use crossws_proto::connection::{Connection, Queue, Step, Transmit};
use crossws_proto::deflate::Deflater;
use crossws_proto::frame::{Decoder, ServerFrame};
use crossws_proto::outbox::Outbox;
use crossws_proto::sync::Mutex;
use futures_task::waker_ref;
use pin_project_lite::pin_project;

use self::alarm::Alarm;
use self::input::Input;
use crate::driver::outlet::{Outlet, hold};
use crate::driver::pace::{self, Grown};
use crate::driver::task_handle::{ProcessClock, TaskHandle};
use crate::runtime::Runtime;
use crate::runtime::io::Io;

/// Most writes in one turn, before the clock is looked at and other tasks run: other tasks may
/// publish meanwhile without an end.
const MOST_WRITES: usize = 64;

pub(crate) struct Link<I, R: Runtime> {
    connection: Connection<TaskHandle>,
    outlet: Arc<Mutex<Outlet<I>>>,
    input: Input,
    runtime: R,
    start: Instant,
    alarm: Alarm<R>,
    /// The queues that the last hook let grow: the turn is over, and the connection waits for them.
    grown: Option<Box<Grown>>,
    /// Publications were left for the next write.
    deferred: bool,
    /// A message of the client has reached its hook.
    has_spoken: bool,
    /// A drop ends the stream in order.
    ends_on_drop: bool,
    /// No further hook runs: the link is dropped when it is done.
    alone: bool,
}

impl Queue for TaskHandle {
    type Framing = ServerFrame;
    type Clock = ProcessClock;

    #[inline]
    fn outbox(&self) -> &Outbox<ServerFrame, ProcessClock> {
        self
    }
}

impl<I: Io, R: Runtime> Link<I, R> {
    pub(crate) fn new<H: Hooks + ?Sized>(
        outlet: Arc<Mutex<Outlet<I>>>,
        early: BytesMut,
        handle: Arc<TaskHandle>,
        runtime: R,
        accepted: &Accepted<H>,
        decoder: Decoder,
    ) -> Self {
        Self {
            connection: Connection::new(handle, accepted, decoder),
            outlet,
            input: Input::new(&early),
            start: runtime.now(),
            alarm: Alarm::new(),
            grown: None,
            deferred: false,
            has_spoken: false,
            ends_on_drop: false,
            alone: false,
            runtime,
        }
    }

    /// Ensures that the compression context is freed when the connection goes idle.
    pub(crate) fn compress_in(&mut self, deflater: Option<Arc<Mutex<Deflater>>>) {
        self.connection.compress_in(deflater);
    }

    /// Sets what a drop does to the stream.
    pub(crate) fn ends_on_drop(&mut self, ends_on_drop: bool) {
        self.ends_on_drop = ends_on_drop;
    }

    pub(crate) fn attach(&mut self, events: PeerEvents) {
        self.connection.attach(events);
    }

    /// Closes a connection that got its 101 but could not join.
    pub(crate) fn refuse(&mut self, frame: CloseFrame) {
        self.connection.refuse(frame, self.elapsed());
    }

    pub(crate) fn closed(&self) -> Closed {
        self.connection.closed()
    }

    // ---- with hooks

    /// Runs a hook's future, and the socket concurrently.
    pub(crate) fn beside<F>(&mut self, future: F) -> Beside<'_, I, R, F> {
        Beside { link: self, future }
    }

    /// Runs the socket alone until the connection is over. The drop of the link follows.
    pub(crate) async fn finish(&mut self) {
        self.alone = true;
        std::future::poll_fn(|cx| {
            self.poll(cx);
            match self.connection.is_over() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Does everything that can be done now while a hook runs, and arranges a wake-up for the rest.
    fn poll(&mut self, cx: &mut Context<'_>) {
        self.attend(cx);
        self.read_ahead();
        self.connection.tell();
        self.poll_rest(cx);
        if self.end_turn() {
            cx.waker().wake_by_ref();
        }
    }

    /// Registers the task that is polling the link.
    pub(crate) fn attend(&self, cx: &Context<'_>) {
        self.handle().attend(cx.waker());
    }

    /// Notes that the task is about to let other tasks run. Returns whether the task must be woken
    /// at once, because it may read more: the stream wakes it only after a read that found nothing.
    pub(crate) fn end_turn(&mut self) -> bool {
        self.connection.end_turn();
        self.connection.reads_on(self.handle().is_readable())
    }

    // ---- in

    /// As [`next`](Self::next), for the most frequent case: a short message before which nothing
    /// waits.
    #[inline(always)]
    pub(crate) fn next_message(&mut self) -> Option<Message> {
        let mut rest = self.input.bytes();
        let message = self.connection.next_message(&mut rest)?;
        let left = rest.len();
        self.input.keep(left);
        Some(message)
    }

    /// Returns the next step, if there is one.
    pub(crate) fn next(&mut self) -> Option<Step> {
        if self.connection.is_idle() {
            return None;
        }
        let (runtime, start) = (&self.runtime, self.start);
        let mut rest = self.input.bytes();
        let step = self.connection.next(&mut rest, || since(runtime, start));
        let left = rest.len();
        self.input.keep(left);
        step
    }

    /// Reads once, while no hook runs: the first half of a turn. Returns whether that may bring a step
    /// for a hook.
    pub(crate) fn poll_read(&mut self) -> bool {
        let read = if self.connection.has_waiting() {
            // The messages wait for the client, which may still ping, answer and leave.
            self.read_ahead();
            false
        } else {
            self.linger();
            self.read_once()
        };
        self.connection.tell();
        read
    }

    /// Reads and decodes while a hook runs, until enough messages wait for the next hooks.
    fn read_ahead(&mut self) {
        self.linger();
        loop {
            let (runtime, start) = (&self.runtime, self.start);
            let mut rest = self.input.bytes();
            let decoded = self
                .connection
                .read_ahead(&mut rest, || since(runtime, start));
            let left = rest.len();
            self.input.keep(left);
            if !(decoded && self.read_once()) {
                return;
            }
        }
    }

    /// Reads once. Returns whether there is anything to decode.
    fn read_once(&mut self) -> bool {
        if !self.connection.wants_read() || !self.handle().take_readable() {
            return false;
        }
        match self.fill(&mut hold(&Arc::clone(&self.outlet))) {
            Poll::Pending => false,
            Poll::Ready(0) => {
                self.connection.lost();
                false
            }
            Poll::Ready(_) => {
                // The stream wakes the task only after a read has found nothing: there may be more.
                self.handle().set_readable();
                self.connection.received();
                true
            }
        }
    }

    /// Reads and discards, after our end, until the client ends too.
    fn linger(&mut self) {
        if self.connection.is_lingering() {
            self.discard(&mut hold(&Arc::clone(&self.outlet)));
        }
    }

    fn discard(&mut self, outlet: &mut Outlet<I>) {
        while self.connection.wants_discard() {
            self.handle().take_readable();
            let read = self.fill(outlet);
            self.input.clear();
            match read {
                Poll::Pending => return,
                Poll::Ready(0) => self.connection.lost(),
                Poll::Ready(count) => self.connection.discarded(count),
            }
        }
        // The turn is over, and there may be more.
        self.handle().set_readable();
    }

    /// Fills the input with one read. Returns 0 if the stream ended or failed.
    fn fill(&mut self, outlet: &mut Outlet<I>) -> Poll<usize> {
        let waker = waker_ref(self.connection.queue());
        let mut cx = Context::from_waker(&waker);
        let read = self.input.fill(|room| outlet.io.poll_read(&mut cx, room));
        read.map(Result::unwrap_or_default)
    }

    // ---- out

    /// Returns whether the second half waits for the next poll, for which the caller wakes the
    /// task: bytes were read, and only publications wait to be written. Other ready tasks may be
    /// about to publish more, and all of it leaves in one write.
    pub(crate) fn defers_rest(&mut self) -> bool {
        let defers = self.connection.has_heard()
            && !self.deferred
            && self.connection.is_open()
            && self.handle().has_only_published();
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
        self.connection.end_transmit();
    }

    fn write(&mut self, cx: &mut Context<'_>) {
        let outlet = Arc::clone(&self.outlet);
        let outlet = &mut *hold(&outlet);
        for _ in 0..MOST_WRITES {
            let (runtime, start) = (&self.runtime, self.start);
            let now = || since(runtime, start);
            let next = self.connection.poll_transmit(&mut outlet.writing, now);
            let done = match next {
                Transmit::Nothing => return,
                Transmit::Abort => return outlet.io.abort(),
                Transmit::Write => outlet.poll_write(cx, self.connection.queue()),
                Transmit::Flush | Transmit::Shutdown => outlet.poll_flush(cx),
            };
            match (done, next) {
                (Poll::Ready(Err(_)), _) => return self.connection.write_failed(),
                (Poll::Ready(Ok(())), Transmit::Write) => self.connection.wrote(),
                (Poll::Pending, Transmit::Write) => {
                    return self.connection.write_waits(self.elapsed());
                }
                (Poll::Ready(Ok(())), Transmit::Shutdown) => return self.shut_down(outlet, cx),
                _ => return,
            }
        }
        // At once, after the other ready tasks.
        cx.waker().wake_by_ref();
    }

    fn shut_down(&mut self, outlet: &mut Outlet<I>, cx: &mut Context<'_>) {
        if self.is_dropped_in_order(outlet) {
            return self.connection.lost();
        }
        match outlet.io.poll_shutdown(cx) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => {
                let unread = self.input.len();
                self.input.clear();
                self.connection.shut(unread, self.elapsed());
                self.discard(outlet);
            }
            Poll::Ready(Err(_)) => self.connection.lost(),
        }
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
    fn is_dropped_in_order(&mut self, outlet: &mut Outlet<I>) -> bool {
        if !(self.alone && self.ends_on_drop && self.connection.is_settled()) {
            return false;
        }
        let read = self.fill(outlet);
        self.input.clear();
        !matches!(read, Poll::Ready(1..))
    }

    // ---- time

    /// Acts on passed deadlines. Returns whether there is something to write for them.
    fn keep_time(&mut self, cx: &mut Context<'_>) -> bool {
        if self.connection.is_over() {
            self.alarm.cancel(self.connection.queue(), self.start);
            return false;
        }
        let elapsed = self.elapsed();
        let deadline = self.connection.poll_timeout(elapsed, SystemTime::now);
        let handle = self.connection.queue();
        let due = self
            .alarm
            .poll(handle, &self.runtime, self.start, elapsed, deadline, cx);
        if due.is_ready() {
            self.connection.handle_timeout(self.elapsed());
        }
        due.is_ready()
    }

    fn elapsed(&self) -> Duration {
        since(&self.runtime, self.start)
    }

    // ---- pace

    /// Returns whether a hook has let other connections' queues grow, so that the turn is over and
    /// [`pace`](Self::pace) must be called before the next message.
    #[inline]
    pub(crate) fn must_pace(&self) -> bool {
        self.grown.is_some()
    }

    /// Returns whether the next step is a message that must wait for clients to whom its hook may
    /// write, so that [`pace`](Self::pace) must be called.
    #[inline]
    pub(crate) fn must_wait_for_others(&mut self, is_message: bool) -> bool {
        let first = is_message && !std::mem::replace(&mut self.has_spoken, true);
        let others = self.connection.events();
        is_message && others.is_some_and(|others| others.must_wait(first))
    }

    /// Waits for the clients that were sent more than they take. The socket runs meanwhile.
    pub(crate) async fn pace(&mut self) {
        let mut grown = self.grown.take();
        let Some(others) = self.connection.events().cloned() else {
            return;
        };
        let others = move || others.must_wait(true);
        if !pace::must_wait(&mut grown) && !others() {
            return;
        }
        let wait = pace::wait(grown, others, self.runtime.clone());
        self.beside(Box::pin(wait)).await;
    }
}

impl<I, R: Runtime> Link<I, R> {
    #[inline]
    fn handle(&self) -> &TaskHandle {
        self.connection.queue()
    }
}

/// Returns the connection's time.
#[inline]
fn since<R: Runtime>(runtime: &R, start: Instant) -> Duration {
    runtime.now().saturating_duration_since(start)
}

impl<I, R: Runtime> Drop for Link<I, R> {
    fn drop(&mut self) {
        self.alarm.cancel(self.connection.queue(), self.start);
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
        this.link.handle().stay_awake();
        pace::begin_hook(this.link.connection.hub());
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

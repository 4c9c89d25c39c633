//! The socket side of one connection: drives a [`Connection`] on a stream, concurrently with hooks.
//!
//! A turn of the socket has four verbs. [`decode`](Link::decode) finds the next step in the bytes that
//! are there, [`read`](Link::read) gets more, [`write`](Link::write) sends what is queued, and
//! [`keep_time`](Link::keep_time) acts on deadlines. [`turn`](Link::turn) runs them while no hook runs,
//! and [`turn_beside`](Link::turn_beside) while one does.

mod input;
mod pacing;
mod reading;
mod timing;
mod writing;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossws_core::adapter::Accepted;
use crossws_core::{CloseFrame, Hooks};
use crossws_proto::connection::{Connection, Queue, Step};
use crossws_proto::frame::{Decoder, ServerFrame};
use crossws_proto::outbox::Outbox;
use crossws_proto::sync::Mutex;
use pin_project_lite::pin_project;

use self::input::Input;
use crate::driver::outlet::Outlet;
use crate::driver::pace::{self, Grown};
use crate::driver::task_handle::{ProcessClock, TaskHandle};
use crate::driver::timer::Timer;
use crate::runtime::Runtime;
use crate::runtime::io::Io;

pub(crate) struct Link<I, R: Runtime> {
    pub(super) connection: Connection<TaskHandle>,
    outlet: Arc<Mutex<Outlet<I>>>,
    input: Input,
    runtime: R,
    start: Instant,
    timer: Timer<R>,
    /// The queues that the last hook let grow: the turn is over, and the connection waits for them.
    grown: Option<Box<Grown>>,
    /// Publications were left for the next write.
    deferred: bool,
    /// A message of the client has reached its hook.
    has_spoken: bool,
    /// No further hook runs, and the drop that follows ends the stream in order.
    ends_on_drop: bool,
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
        early: Bytes,
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
            timer: Timer::new(),
            grown: None,
            deferred: false,
            has_spoken: false,
            ends_on_drop: false,
            runtime,
        }
    }

    /// Closes a connection that got its 101 but could not join.
    pub(crate) fn refuse(&mut self, frame: CloseFrame) {
        self.connection.refuse(frame, self.elapsed());
    }

    /// Runs a hook's future, and the socket concurrently.
    pub(crate) fn beside<F>(&mut self, future: F) -> Beside<'_, I, R, F> {
        Beside { link: self, future }
    }

    /// Runs the socket alone until the connection is over. The drop of the link follows, and may end the
    /// stream in order.
    pub(crate) async fn finish(&mut self, ends_on_drop: bool) {
        self.ends_on_drop = ends_on_drop;
        std::future::poll_fn(|cx| {
            self.turn_beside(cx);
            match self.connection.is_over() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Runs the socket up to the next step for a hook. `None` if there is none for now.
    ///
    /// Everything that can be read is decoded before anything is written, so that a burst of requests
    /// leaves as one burst of replies.
    pub(crate) fn turn(&mut self, cx: &mut Context<'_>) -> Option<Step> {
        if let Some(step) = self.decode() {
            return Some(step);
        }
        self.attend(cx);
        while self.read() {
            if let Some(step) = self.decode() {
                return Some(step);
            }
        }
        if self.defers_write() {
            // At once, after the other ready tasks.
            cx.waker().wake_by_ref();
            return None;
        }
        self.write(cx);
        self.decode()
    }

    /// Runs the socket while no step is taken: a hook runs, or the last one has.
    fn turn_beside(&mut self, cx: &mut Context<'_>) {
        self.attend(cx);
        self.read_ahead();
        self.write(cx);
        self.end_turn(cx);
    }

    /// Runs the socket's second half alone: other tasks must run before more is read.
    pub(crate) fn turn_out(&mut self, cx: &mut Context<'_>) {
        self.attend(cx);
        self.write(cx);
        cx.waker().wake_by_ref();
    }

    /// Registers the task that is polling the link.
    fn attend(&self, cx: &Context<'_>) {
        self.handle().attend(cx.waker());
    }

    /// Notes that the task is about to let other tasks run. Wakes the task at once if it may read more:
    /// the stream wakes it only after a read that found nothing.
    pub(crate) fn end_turn(&mut self, cx: &Context<'_>) {
        self.connection.end_turn();
        if self.connection.reads_on(self.handle().is_readable()) {
            cx.waker().wake_by_ref();
        }
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
            this.link.turn_beside(cx);
        }
        output
    }
}

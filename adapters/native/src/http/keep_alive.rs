//! How long an HTTP connection may wait for its next request, and for the rest of that request's
//! head.
//!
//! hyper has one time for both, which begins at the end of a response.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use http_body::Body;
use http_body_util::BodyExt;
use http_body_util::combinators::MapErr;

use crate::driver::timer::{Timer, later};
use crate::runtime::Runtime;
use crate::server::head::HeadLimits;

/// The state of an HTTP connection. Cheap to clone: its stream, its service and its bodies update
/// it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Activity(Arc<AtomicUsize>);

/// The last two bits of an [`Activity`]; the others count how often it has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The service has a request, or its response is being written.
    Serving = 0,
    /// The response is complete, and nothing of the next request has arrived.
    Idle = 1,
    /// A part of the next request's head has arrived.
    Head = 2,
}

impl Activity {
    /// Records that bytes were read.
    pub(crate) fn received(&self) {
        if self.phase() == Phase::Idle {
            self.enter(Phase::Head);
        }
    }

    /// Records that bytes were written. A response that its client reads slowly is not complete
    /// when its body is.
    pub(crate) fn sent(&self) {
        if self.phase() == Phase::Idle {
            self.enter(Phase::Idle);
        }
    }

    /// Records that the service was called.
    pub(crate) fn called(&self) {
        self.enter(Phase::Serving);
    }

    fn enter(&self, phase: Phase) {
        // Only the connection's task writes.
        let changes = self.0.load(Ordering::Relaxed) >> 2;
        let next = (changes.wrapping_add(1) << 2) | phase as usize;
        self.0.store(next, Ordering::Relaxed);
    }

    fn phase(&self) -> Phase {
        match self.0.load(Ordering::Relaxed) & 3 {
            1 => Phase::Idle,
            2 => Phase::Head,
            _ => Phase::Serving,
        }
    }
}

/// The deadlines that follow from a connection's activity.
pub(crate) struct KeepAlive<R: Runtime> {
    activity: Activity,
    /// The activity that `deadline` was computed from.
    seen: usize,
    deadline: Option<Instant>,
    timer: Timer<R>,
}

impl<R: Runtime> KeepAlive<R> {
    /// Creates the deadlines of a connection whose first head has been read, but not by hyper. If
    /// hyper needs more of that head, a deadline applies to it too.
    pub(crate) fn new(activity: Activity) -> Self {
        activity.enter(Phase::Head);
        Self {
            activity,
            seen: 0,
            deadline: None,
            timer: Timer::new(),
        }
    }

    /// Ready when the connection has waited too long. Call it after each poll of the connection.
    pub(crate) fn poll(
        &mut self,
        runtime: &R,
        limits: &HeadLimits,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let now = runtime.now();
        let activity = self.activity.0.load(Ordering::Relaxed);
        if activity != self.seen {
            self.seen = activity;
            self.deadline = match self.activity.phase() {
                Phase::Serving => None,
                Phase::Idle => Some(later(now, limits.keep_alive)),
                Phase::Head => Some(later(now, limits.timeout)),
            };
        }
        self.timer.poll(runtime, now, self.deadline, cx)
    }
}

struct End(Activity);

impl Drop for End {
    fn drop(&mut self) {
        self.0.enter(Phase::Idle);
    }
}

/// Returns a response's body, with whose end the connection becomes idle.
pub(crate) fn served<B: Body>(
    body: B,
    activity: Activity,
) -> MapErr<B, impl FnMut(B::Error) -> B::Error> {
    // Owned by the closure, and so dropped with the body.
    let end = End(activity);
    body.map_err(move |error| {
        let _ = &end;
        error
    })
}

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::driver::task_handle::TaskHandle;
use crate::driver::timer::{Timer, later};
use crate::driver::timers::Timers;
use crate::runtime::Runtime;

/// When a connection's task is woken for its deadlines. The server's timers wake it; a connection
/// without a server has a timer of its own. Set for the nearest deadline, and not moved when that
/// one moves away.
pub(super) struct Alarm<R: Runtime> {
    /// The timers of the connection's server.
    timers: Option<Timers>,
    /// The time for which it is set, in nanoseconds of the connection's time.
    at: u64,
    own: Timer<R>,
}

const NEVER: u64 = u64::MAX;

impl<R: Runtime> Alarm<R> {
    pub(super) fn new(timers: Option<Timers>) -> Self {
        Self {
            timers,
            at: NEVER,
            own: Timer::new(),
        }
    }

    /// Arranges a wake-up of the outbox's task at `deadline` or before. Ready if the deadline has
    /// passed. Times are the connection's, which began at `start`.
    pub(super) fn poll(
        &mut self,
        outbox: &Arc<TaskHandle>,
        runtime: &R,
        start: Instant,
        elapsed: Duration,
        deadline: Option<Duration>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(deadline) = deadline.map(nanos) else {
            self.cancel(outbox, start);
            return Poll::Pending;
        };
        let elapsed = nanos(elapsed);
        if deadline <= elapsed {
            return Poll::Ready(());
        }
        let stands = self.at <= deadline && elapsed < self.at;
        if stands && self.wakes(cx) {
            return Poll::Pending;
        }
        self.set(outbox, runtime, start, elapsed, deadline, cx)
    }

    /// Returns whether the alarm wakes this task.
    fn wakes(&self, cx: &Context<'_>) -> bool {
        match &self.timers {
            Some(timers) => timers.is_driven(),
            None => self.own.wakes(cx.waker()),
        }
    }

    #[cold]
    fn set(
        &mut self,
        outbox: &Arc<TaskHandle>,
        runtime: &R,
        start: Instant,
        elapsed: u64,
        deadline: u64,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let old = (self.at != NEVER).then(|| moment(start, self.at));
        let at = moment(start, deadline);
        if let Some(timers) = &self.timers
            && timers.set(outbox, old, at)
        {
            self.at = deadline;
            return Poll::Pending;
        }
        let now = moment(start, elapsed);
        let polled = self.own.poll(runtime, now, Some(at), cx);
        self.at = match self.own.armed() {
            // It may stay armed for an earlier time.
            Some(armed) if armed != at => nanos(armed.saturating_duration_since(start)),
            Some(_) => deadline,
            None => NEVER,
        };
        polled
    }

    /// Cancels the wake-up.
    pub(super) fn cancel(&mut self, outbox: &Arc<TaskHandle>, start: Instant) {
        if self.at != NEVER {
            if let Some(timers) = &self.timers {
                timers.cancel(outbox, moment(start, self.at));
            }
            self.at = NEVER;
            self.own = Timer::new();
        }
    }
}

fn moment(start: Instant, nanos: u64) -> Instant {
    later(start, Duration::from_nanos(nanos))
}

/// Converts a time to nanoseconds. A time beyond the range becomes five centuries.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).map_or(NEVER - 1, |nanos| nanos.min(NEVER - 1))
}

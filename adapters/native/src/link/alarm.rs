use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::outbox::Outbox;
use crate::runtime::Runtime;
use crate::timer::{Timer, later};

/// When a connection's task is woken for what is due: its server's timers see to it, and where there
/// are none one of its own. Set for the nearest deadline, and not moved when that one moves away.
pub(super) struct Alarm<R: Runtime> {
    /// For when it is set in the server's timers, in nanoseconds of the connection's time.
    at: u64,
    own: Timer<R>,
}

const NEVER: u64 = u64::MAX;

impl<R: Runtime> Alarm<R> {
    pub(super) fn new() -> Self {
        Self {
            at: NEVER,
            own: Timer::new(),
        }
    }

    /// Sees to a wake-up of the outbox's task at `deadline` or before; `now` is the runtime's. Ready
    /// if it has passed. Deadlines are times of the connection, which began at `start`.
    pub(super) fn poll(
        &mut self,
        outbox: &Arc<Outbox>,
        runtime: &R,
        start: Instant,
        now: Instant,
        deadline: Option<Duration>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(deadline) = deadline else {
            self.cancel(outbox, start);
            return Poll::Pending;
        };
        let elapsed = now.saturating_duration_since(start);
        if deadline <= elapsed {
            return Poll::Ready(());
        }
        if let Some(timers) = outbox.timers() {
            let deadline = nanos(deadline);
            if self.at <= deadline && nanos(elapsed) < self.at && timers.is_driven() {
                return Poll::Pending;
            }
            let old = self.set(start);
            self.at = deadline;
            if let Some(at) = self.set(start)
                && timers.set(outbox, old, at)
            {
                return Poll::Pending;
            }
            self.at = NEVER;
        }
        self.own.poll(runtime, now, Some(later(start, deadline)), cx)
    }

    /// Nobody is to be woken any more.
    pub(super) fn cancel(&mut self, outbox: &Arc<Outbox>, start: Instant) {
        if let Some(at) = self.set(start)
            && let Some(timers) = outbox.timers()
        {
            timers.cancel(outbox, at);
        }
        *self = Self::new();
    }

    /// For when it is set in the server's timers.
    fn set(&self, start: Instant) -> Option<Instant> {
        (self.at != NEVER).then(|| later(start, Duration::from_nanos(self.at)))
    }
}

/// Not never: in five centuries at the latest.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).map_or(NEVER - 1, |nanos| nanos.min(NEVER - 1))
}

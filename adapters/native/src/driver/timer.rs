use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crossws_proto::connection::excuse;
use pin_project_lite::pin_project;

use crate::runtime::Runtime;

/// One timer for all deadlines of a task: armed for the nearest, and not moved when that one moves
/// away, which is what every arriving byte does to it. A pointer while it is not armed.
pub(crate) struct Timer<R: Runtime>(Option<Pin<Box<Armed<R::Sleep>>>>);

pin_project! {
    struct Armed<S> {
        at: Instant,
        #[pin]
        sleep: S,
    }
}

impl<R: Runtime> Timer<R> {
    pub(crate) fn new() -> Self {
        Self(None)
    }

    /// Returns whether the timer is armed for a time up to `deadline`, which has not come.
    pub(crate) fn is_armed(&self, now: Instant, deadline: Option<Instant>) -> bool {
        let armed = self.0.as_ref().zip(deadline);
        armed.is_some_and(|(armed, deadline)| now < armed.at && armed.at <= deadline)
    }

    /// Arranges a wake-up at `deadline` or before; `now` is the runtime's time. Ready if the
    /// deadline has passed.
    pub(crate) fn poll(
        &mut self,
        runtime: &R,
        mut now: Instant,
        deadline: Option<Instant>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(deadline) = deadline else {
            self.0 = None;
            return Poll::Pending;
        };
        loop {
            if deadline <= now {
                return Poll::Ready(());
            }
            let armed = match &mut self.0 {
                Some(armed) if armed.at <= deadline => armed,
                none => none.insert(Box::pin(Armed {
                    at: deadline,
                    sleep: runtime.sleep(deadline - now),
                })),
            };
            if armed.as_mut().project().sleep.poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.0 = None;
            now = runtime.now();
        }
    }
}

/// Returns `now` plus a duration, or a time in the far future if the duration is beyond the clock's
/// range.
pub(crate) fn later(now: Instant, by: Duration) -> Instant {
    const DECADES: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
    now.checked_add(by).unwrap_or(now + DECADES)
}

/// Runs a future for at most a duration, and returns the value of `late` if the future is not done
/// by then. The time counts from the poll that finds the future unfinished: a future that is done
/// at once reads no clock. An end that is found late is [excused](excuse) once.
pub(crate) fn within<R: Runtime, F: Future, L: FnOnce() -> F::Output>(
    runtime: &R,
    time: Duration,
    future: F,
    late: L,
) -> Within<'_, R, F, L> {
    Within {
        runtime,
        time,
        future,
        armed: None,
        is_excused: false,
        late: Some(late),
    }
}

pin_project! {
    /// See [`within`]. A type of its own: an `async fn` would hold the future twice.
    pub(crate) struct Within<'a, R: Runtime, F, L> {
        runtime: &'a R,
        time: Duration,
        #[pin]
        future: F,
        armed: Option<(Instant, Timer<R>)>,
        is_excused: bool,
        late: Option<L>,
    }
}

impl<R: Runtime, F: Future, L: FnOnce() -> F::Output> Future for Within<'_, R, F, L> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(output);
        }
        let now = this.runtime.now();
        let (deadline, timer) = this
            .armed
            .get_or_insert_with(|| (later(now, *this.time), Timer::new()));
        ready!(timer.poll(this.runtime, now, Some(*deadline), cx));
        let now = this.runtime.now();
        if !*this.is_excused
            && let Some(more) = excuse(now.saturating_duration_since(*deadline))
        {
            *this.is_excused = true;
            *deadline = later(now, more);
            ready!(timer.poll(this.runtime, now, Some(*deadline), cx));
        }
        match this.late.take() {
            Some(late) => Poll::Ready(late()),
            // Polled again after its end, against the rules.
            None => Poll::Pending,
        }
    }
}

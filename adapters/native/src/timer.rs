use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::runtime::Runtime;

/// One timer for all of a connection's deadlines: armed for the nearest, and not moved when that
/// one moves away, which is what every arriving byte does to it.
pub(crate) struct Timer<R: Runtime> {
    sleep: Option<(Instant, Pin<Box<R::Sleep>>)>,
}

impl<R: Runtime> Timer<R> {
    pub(crate) fn new() -> Self {
        Self { sleep: None }
    }

    /// Sees to a wake-up at `deadline` or before. Ready if it has passed.
    pub(crate) fn poll(
        &mut self,
        runtime: &R,
        deadline: Option<Instant>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(deadline) = deadline else {
            self.sleep = None;
            return Poll::Pending;
        };
        loop {
            let now = runtime.now();
            if deadline <= now {
                return Poll::Ready(());
            }
            match &mut self.sleep {
                Some((at, sleep)) if *at <= deadline => {
                    if sleep.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    self.sleep = None;
                }
                sleep => *sleep = Some((deadline, Box::pin(runtime.sleep(deadline - now)))),
            }
        }
    }
}

/// A point in time, or one that nobody will see if a configured duration is beyond the clock's
/// reach.
pub(crate) fn later(now: Instant, by: Duration) -> Instant {
    const DECADES: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
    now.checked_add(by).unwrap_or(now + DECADES)
}

/// Runs a future until a deadline. `None` when it was not done by then.
pub(crate) async fn until<R: Runtime, F: Future>(
    runtime: &R,
    deadline: Instant,
    mut future: Pin<&mut F>,
) -> Option<F::Output> {
    let mut timer = Timer::<R>::new();
    std::future::poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        timer
            .poll(runtime, Some(deadline), cx)
            .map(|()| None::<F::Output>)
    })
    .await
}

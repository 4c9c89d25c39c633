use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use crate::bounds::{BoxFuture, MaybeSend, MaybeSync};

/// The time and the tasks of an adapter, lent to a hub for code that runs outside of a connection,
/// such as an event stream. See [`Hub::background`](crate::Hub::background).
pub trait Background: MaybeSend + MaybeSync + 'static {
    /// Returns the time since a fixed moment. Monotonic; virtual in tests.
    fn now(&self) -> Duration;

    /// Returns the time of the wall clock, by which credentials end. By default the system's.
    fn wall_clock(&self) -> SystemTime {
        SystemTime::now()
    }

    /// Returns what the wall clock would show if it had never been set: see
    /// [`Transport::steady`](crate::adapter::Transport::steady). By default the wall clock itself.
    fn steady_clock(&self) -> SystemTime {
        self.wall_clock()
    }

    /// Returns a timer that ends after this time, and not before it has passed by
    /// [`now`](Self::now).
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;

    /// Runs a future to its end, concurrently with the caller. A server that drops its connections
    /// when its grace is over drops the future too, if it knows of it.
    fn spawn(&self, future: BoxFuture<'static, ()>);
}

/// Runs a future for at most this time. `None` if it has not ended by then.
///
/// # Cancel safety
/// Dropping it drops the future.
pub async fn within<F: Future>(
    background: &dyn Background,
    time: Duration,
    future: F,
) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut timer = None;
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        let timer = timer.get_or_insert_with(|| background.sleep(time));
        timer.as_mut().poll(cx).map(|()| None)
    })
    .await
}

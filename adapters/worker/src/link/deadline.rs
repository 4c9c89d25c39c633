use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The longest wait in milliseconds. The platform's timers count milliseconds in a signed 32-bit
/// number.
pub(crate) const LONGEST: u64 = 24 * 3600 * 1000;

/// Returns the time in milliseconds since the epoch. The platform's clock moves only with its
/// events, which is exact enough for everything that is measured here.
pub(crate) fn now() -> u64 {
    // A time since the epoch: positive, and far below the type's limit.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let now = worker::js_sys::Date::now() as u64;
    now
}

/// Returns the same time, typed.
pub(crate) fn wall_clock() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(now())
}

/// Runs a future for at most this time. Returns `None` when the time is over.
pub(crate) async fn within<F: Future>(time: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut delay = pin!(worker::Delay::from(time));
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        delay.as_mut().poll(cx).map(|()| None)
    })
    .await
}

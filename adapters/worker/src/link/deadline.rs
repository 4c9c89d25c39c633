use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossws_core::adapter;

use crate::background::background;

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
    adapter::within(&*background(), time, future).await
}

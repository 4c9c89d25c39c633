use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

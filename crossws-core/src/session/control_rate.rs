use std::time::Duration;

use crate::hub::settings::limits::Limit;

/// Counts a peer's control frames within a second. It is a state machine like
/// [`Liveness`](crate::adapter::Liveness), to which an adapter passes the time.
#[derive(Debug, Clone)]
pub struct ControlRate {
    /// A limit above what a second has room for is as good as none.
    most: u32,
    count: u32,
    /// In nanoseconds.
    since: u64,
}

impl ControlRate {
    /// Admits at most this many control frames a second, as in `Limits::max_control_rate`.
    pub fn new(most: Limit) -> Self {
        Self {
            most: u32::try_from(most.get()).unwrap_or(u32::MAX),
            count: 0,
            since: 0,
        }
    }

    /// Counts one more. Returns whether it is within the limit. Times are durations since any fixed
    /// point.
    pub fn admits(&mut self, now: Duration) -> bool {
        const SECOND: u64 = 1_000_000_000;
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        if now.saturating_sub(self.since) >= SECOND {
            self.since = now;
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.count <= self.most
    }
}

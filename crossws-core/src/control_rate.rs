use std::time::Duration;

use crate::Limit;

/// Counts a peer's control frames within a second: a state machine like
/// [`Liveness`](crate::Liveness), which an adapter feeds with the time.
#[derive(Debug, Clone)]
pub struct ControlRate {
    most: usize,
    /// In nanoseconds.
    since: u64,
    count: usize,
}

impl ControlRate {
    /// At most this many a second, as in `Limits::max_control_rate`.
    pub fn new(most: Limit) -> Self {
        Self {
            most: most.get(),
            since: 0,
            count: 0,
        }
    }

    /// Counts one more; answers whether it is within the limit. Times are durations since any
    /// fixed point.
    pub fn admits(&mut self, now: Duration) -> bool {
        const SECOND: u64 = 1_000_000_000;
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        if now.saturating_sub(self.since) >= SECOND {
            self.since = now;
            self.count = 0;
        }
        self.count += 1;
        self.count <= self.most
    }
}

use std::time::Duration;

use crate::Limit;

/// Counts a peer's control frames within a second: a state machine like
/// [`Liveness`](crate::Liveness), which an adapter feeds with the time.
#[derive(Debug, Clone)]
pub struct ControlRate {
    most: Limit,
    since: Duration,
    count: usize,
}

impl ControlRate {
    /// At most this many a second, as in `Limits::max_control_rate`.
    pub fn new(most: Limit) -> Self {
        Self {
            most,
            since: Duration::ZERO,
            count: 0,
        }
    }

    /// Counts one more; answers whether it is within the limit. Times are durations since any
    /// fixed point.
    pub fn admits(&mut self, now: Duration) -> bool {
        if now.saturating_sub(self.since) >= Duration::from_secs(1) {
            self.since = now;
            self.count = 0;
        }
        self.count += 1;
        self.most.allows(self.count)
    }
}

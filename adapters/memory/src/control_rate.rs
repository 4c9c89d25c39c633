use std::time::Duration;

use crossws_core::Limit;

/// Counts a client's control frames within one second of (virtual) time.
pub(crate) struct ControlRate {
    most: Limit,
    since: Duration,
    count: usize,
}

impl ControlRate {
    pub(crate) fn new(most: Limit) -> Self {
        Self {
            most,
            since: Duration::ZERO,
            count: 0,
        }
    }

    /// Counts one more; whether it is within the limit.
    pub(crate) fn admits(&mut self, now: Duration) -> bool {
        if now.saturating_sub(self.since) >= Duration::from_secs(1) {
            self.since = now;
            self.count = 0;
        }
        self.count += 1;
        self.most.allows(self.count)
    }
}

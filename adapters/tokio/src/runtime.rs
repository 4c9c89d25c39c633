use std::time::{Duration, Instant};

use crossws_native::Runtime;

/// tokio's timers. Must be used inside a tokio runtime with its time driver enabled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tokio;

impl Runtime for Tokio {
    type Sleep = tokio::time::Sleep;

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        tokio::time::sleep(duration)
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

use std::time::{Duration, Instant};

/// The one door to a runtime: everything the pump needs besides a stream. It spawns nothing: a
/// connection is one future, and the adapter decides where it runs.
///
/// A value, not a feature: several runtimes may serve in one process.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A timer.
    type Sleep: Future<Output = ()> + Send + 'static;

    /// A timer that ends after this time.
    fn sleep(&self, duration: Duration) -> Self::Sleep;

    /// The time by which the timers go. Monotonic; virtual in tests.
    fn now(&self) -> Instant;
}

use std::time::Duration;

/// How connections over event streams behave, besides the limits that all connections have.
#[derive(Debug, Clone)]
pub(crate) struct TransportSettings {
    /// How long a connection waits for its client to come back.
    pub(crate) grace: Duration,
    /// The most bytes that were written and may be asked for again.
    pub(crate) retained: usize,
    pub(crate) keep_alive: Duration,
    pub(crate) padding: usize,
    pub(crate) retry: Option<Duration>,
}

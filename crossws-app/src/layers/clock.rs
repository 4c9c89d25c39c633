use std::sync::OnceLock;
use std::time::Duration;

use crossws_core::Hub;

/// The time of the adapter that serves the layer's routes: virtual in tests.
#[derive(Debug, Default)]
pub(super) struct Clock(OnceLock<Hub>);

impl Clock {
    /// Must be called when the routes start.
    pub(super) fn start(&self, hub: &Hub) {
        // A layer of two servers has the time of the first.
        self.0.get_or_init(|| hub.clone());
    }

    /// Returns the time since a fixed moment; `None` if the adapter lends none.
    pub(super) fn now(&self) -> Option<Duration> {
        Some(self.0.get()?.background()?.now())
    }
}

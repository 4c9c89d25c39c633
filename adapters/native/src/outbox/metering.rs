//! What passes through an outbox, counted where somebody wants to know.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crossws_core::adapter::{Meter, MeterCell};

use super::{Controls, Outbox};
use crate::outbox::batch::Batch;

impl Outbox {
    /// Where the connection's traffic is counted.
    pub(crate) fn meter(&self) -> &MeterCell {
        &self.meter
    }

    /// Counts what was taken, but for the control frames in it.
    #[cold]
    pub(super) fn count_taken(meter: &Meter, controls: &Controls, batch: &Batch) {
        if let Some(data) = &controls.ping {
            meter.pinged(data.clone(), since_start());
        }
        meter.sent(
            batch.frames().saturating_sub(controls.count),
            batch.bytes().saturating_sub(controls.bytes),
        );
    }

    /// The client has answered a ping, or sent a pong unasked.
    pub(crate) fn ponged(&self, data: &[u8]) {
        self.answered();
        if let Some(meter) = self.meter.get() {
            meter.ponged(data, since_start());
        }
    }
}

/// The time since this process first asked for it.
fn since_start() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

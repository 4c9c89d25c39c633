//! What passes through an outbox, counted where somebody wants to know.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossws_core::adapter::{Meter, MeterCell};

use super::Outbox;
use crate::outbox::batch::Batch;

impl Outbox {
    /// Where the connection's traffic is counted.
    pub(crate) fn meter(&self) -> &MeterCell {
        &self.meter
    }

    /// The client has answered a ping, or sent a pong unasked.
    pub(crate) fn ponged(&self, data: &[u8]) {
        self.answered();
        if let Some(meter) = self.meter.get() {
            meter.ponged(data, since_start());
        }
    }
}

/// Counts what was taken, but for so many control frames of so many bytes.
#[cold]
pub(super) fn count(meter: &Meter, batch: &Batch, controls: (usize, usize)) {
    meter.sent(
        batch.frames().saturating_sub(controls.0),
        batch.bytes().saturating_sub(controls.1),
    );
}

/// A ping was taken to be written.
pub(super) fn pinged(meter: &Meter, data: Bytes) {
    meter.pinged(data, since_start());
}

/// The time since this process first asked for it.
fn since_start() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

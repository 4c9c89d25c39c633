//! Counts the traffic of an outbox, if the application meters the connection.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossws_core::adapter::{Meter, MeterCell};

use super::Outbox;
use crate::outbox::batch::Batch;

impl Outbox {
    /// Returns where the connection's traffic is counted.
    pub(crate) fn meter(&self) -> &MeterCell {
        &self.meter
    }

    /// Notes a pong of the client, asked for or not.
    pub(crate) fn ponged(&self, data: &[u8]) {
        self.answered();
        if let Some(meter) = self.meter.get() {
            meter.ponged(data, since_start());
        }
    }
}

/// Counts the taken frames, except the control frames, whose number and bytes are given.
#[cold]
pub(super) fn count(meter: &Meter, batch: &Batch, controls: (usize, usize)) {
    meter.sent(
        batch.frames().saturating_sub(controls.0),
        batch.bytes().saturating_sub(controls.1),
    );
}

/// Notes that a ping was taken to be written.
pub(super) fn pinged(meter: &Meter, data: Bytes) {
    meter.pinged(data, since_start());
}

/// Returns the time since this process first asked for it.
fn since_start() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

//! Counts the traffic of an outbox, if the application meters the connection.

use crossws_core::adapter::{Meter, MeterCell};

use super::{Batch, Clock, Framing, Outbox};

impl<F: Framing, C: Clock> Outbox<F, C> {
    /// Returns where the connection's traffic is counted.
    pub fn meter(&self) -> &MeterCell {
        &self.meter
    }

    /// Notes a pong of the client, asked for or not.
    pub fn ponged(&self, data: &[u8]) {
        self.answered();
        if let Some(meter) = self.meter.get() {
            meter.ponged(data, self.clock.now());
        }
    }
}

/// Counts the taken frames, except the control frames, whose number and bytes are given.
#[cold]
pub(super) fn count<F: Framing>(meter: &Meter, batch: &Batch<F>, controls: (usize, usize)) {
    meter.sent(
        batch.frames().saturating_sub(controls.0),
        batch.bytes().saturating_sub(controls.1),
    );
}

use std::sync::Arc;
use std::time::SystemTime;

use crossws_core::adapter::{Hibernation, MeterCell, Publication, Receipt, Snapshot, Transport};
use crossws_core::{
    Capabilities, CloseFrame, ClosedBy, Message, PersistError, SendError, SendOptions, Sent,
};

use crate::durable::alarm::Alarm;
use crate::link::deadline;
use crate::link::socket::Socket;
use crate::link::timer::Timer;
use crate::link::watch::epoch_millis;

/// The capabilities of a peer in a Durable Object. The platform sends no control frames of the
/// application, reports no buffered amount, and a panic ends the whole instance.
pub const DURABLE_CAPABILITIES: Capabilities = PLAIN_CAPABILITIES
    .without(Capabilities::HANDLER)
    .with(Capabilities::PUBSUB)
    .with(Capabilities::HIBERNATION)
    .with(Capabilities::SHARED_HUB);

/// The capabilities of a peer in a plain Worker: as in an object, but without topics, with a hub
/// for each connection, and without sleep.
pub const PLAIN_CAPABILITIES: Capabilities = Capabilities::BINARY
    .with(Capabilities::CLOSE_CODE)
    .with(Capabilities::SUBPROTOCOL)
    .with(Capabilities::HANDLER)
    .with(Capabilities::CONCURRENT_WRITE)
    .with(Capabilities::EXPIRY);

/// One connection's outbound half: the platform queues.
pub(crate) struct WorkerTransport {
    pub(crate) socket: Arc<Socket>,
    pub(crate) capabilities: Capabilities,
    pub(crate) clock: Clock,
    pub(crate) meter: MeterCell,
}

impl WorkerTransport {
    /// Counts a message that the platform has taken.
    fn count(&self, bytes: usize) {
        if let Some(meter) = self.meter.get() {
            meter.sent(1, bytes);
        }
    }
}

/// What runs a connection's deadlines.
pub(crate) enum Clock {
    /// An object, which may sleep in between.
    Alarm(Arc<Alarm>),
    /// The connection's own task.
    Timer(Arc<Timer>),
}

impl Clock {
    /// Ensures that passed deadlines are acted on at this time or before.
    fn by(&self, at: u64) {
        match self {
            Self::Alarm(alarm) => alarm.by(at),
            Self::Timer(timer) => timer.wake(),
        }
    }
}

impl Transport for WorkerTransport {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn send(&self, message: Message, _: &SendOptions) -> Result<Sent, SendError> {
        match self.socket.send(&message) {
            Ok(()) => {
                self.count(message.len());
                Ok(Sent::Written)
            }
            Err(_) => Err(SendError::Closed(message)),
        }
    }

    fn publish(&self, publication: &Publication) -> Receipt {
        match self.socket.publish(publication) {
            Ok(()) => {
                self.count(publication.message().len());
                Receipt::queued(false)
            }
            Err(_) => Receipt::closed(),
        }
    }

    /// The platform writes by itself: what waits are deadlines.
    fn wake(&self) {
        if let Clock::Timer(timer) = &self.clock {
            timer.wake();
        }
    }

    fn now(&self) -> SystemTime {
        deadline::wall_clock()
    }

    fn close(&self, frame: CloseFrame) {
        let until = self.socket.close_deadline(deadline::now());
        self.socket.close(frame, ClosedBy::Server, Some(until));
        self.clock.by(until);
    }

    fn terminate(&self) {
        self.socket.terminate();
    }

    fn meter(&self) -> Option<&MeterCell> {
        Some(&self.meter)
    }

    fn hibernation(&self) -> Option<&dyn Hibernation> {
        let hibernates = self.capabilities.contains(Capabilities::HIBERNATION);
        hibernates.then_some(self)
    }
}

impl Hibernation for WorkerTransport {
    fn persist(&self, snapshot: Snapshot) -> Result<(), PersistError> {
        self.socket.persist(snapshot)
    }

    fn wake_at(&self, at: SystemTime) {
        self.clock.by(epoch_millis(at));
    }
}

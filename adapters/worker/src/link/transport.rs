use std::sync::Arc;
use std::time::SystemTime;

use crossws_core::adapter::{Publication, Receipt, Snapshot, Transport};
use crossws_core::{
    Capabilities, CloseFrame, ClosedBy, Message, PersistError, SendError, SendOptions, Sent,
};

use crate::durable::alarm::Alarm;
use crate::link::deadline;
use crate::link::socket::Socket;
use crate::link::timer::Timer;
use crate::link::watch::epoch_millis;

/// What a peer in a Durable Object can do. There are no control frames of one's own, no
/// buffered amount, and a panic takes the whole instance along.
pub const DURABLE_CAPABILITIES: Capabilities = PLAIN_CAPABILITIES
    .without(Capabilities::HANDLER)
    .with(Capabilities::PUBSUB)
    .with(Capabilities::HIBERNATION)
    .with(Capabilities::SHARED_HUB);

/// What a peer in a plain Worker can do: as in an object, without topics, a hub for each
/// connection, and without sleep.
pub const PLAIN_CAPABILITIES: Capabilities = Capabilities::BINARY
    .with(Capabilities::CLOSE_CODE)
    .with(Capabilities::SUBPROTOCOL)
    .with(Capabilities::HANDLER)
    .with(Capabilities::CONCURRENT_WRITE)
    .with(Capabilities::EXPIRY);

/// One connection's way out: the platform queues.
pub(crate) struct WorkerTransport {
    pub(crate) socket: Arc<Socket>,
    pub(crate) capabilities: Capabilities,
    pub(crate) clock: Clock,
}

/// Who keeps a connection's time.
pub(crate) enum Clock {
    /// An object, that sleeps in between.
    Alarm(Arc<Alarm>),
    /// The connection's own task.
    Timer(Arc<Timer>),
}

impl Clock {
    /// Sees to it that somebody looks at what is due at this time or before.
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
            Ok(()) => Ok(Sent::Written),
            Err(_) => Err(SendError::Closed(message)),
        }
    }

    fn publish(&self, publication: &Publication) -> Receipt {
        match self.socket.publish(publication) {
            Ok(()) => Receipt::queued(false),
            Err(_) => Receipt::closed(),
        }
    }

    fn wake(&self) {}

    fn now(&self) -> SystemTime {
        deadline::wall_clock()
    }

    fn renewed(&self, until: Option<SystemTime>) {
        if let Some(until) = until {
            self.clock.by(epoch_millis(until));
        }
    }

    fn close(&self, frame: CloseFrame) {
        let until = self.socket.close_deadline(deadline::now());
        self.socket.close(frame, ClosedBy::Server, Some(until));
        self.clock.by(until);
    }

    fn terminate(&self) {
        self.socket.terminate();
    }

    fn persist(&self, snapshot: Snapshot) -> Result<(), PersistError> {
        self.socket.persist(snapshot)
    }
}

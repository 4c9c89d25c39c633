use std::sync::Arc;

use crossws_core::{
    Capabilities, CloseFrame, ClosedBy, Message, PersistError, Publication, Receipt, SendError,
    Snapshot, Transport,
};

use crate::alarm::Alarm;
use crate::deadline;
use crate::socket::Socket;

/// What a peer in a Durable Object can do. There are no control frames of one's own, no
/// buffered amount, and a panic takes the whole instance along.
pub const DURABLE_CAPABILITIES: Capabilities = PLAIN_CAPABILITIES
    .without(Capabilities::HANDLER)
    .with(Capabilities::PUBSUB)
    .with(Capabilities::HIBERNATION);

/// What a peer in a plain Worker can do: as in an object, without topics, and without sleep.
pub const PLAIN_CAPABILITIES: Capabilities = Capabilities::BINARY
    .with(Capabilities::CLOSE_CODE)
    .with(Capabilities::SUBPROTOCOL)
    .with(Capabilities::HANDLER)
    .with(Capabilities::CONCURRENT_WRITE);

/// One connection's way out: the platform queues.
pub(crate) struct WorkerTransport {
    pub(crate) socket: Arc<Socket>,
    pub(crate) capabilities: Capabilities,
    /// What ends the wait for the client's answer to our close; `None` where nothing is stored.
    pub(crate) alarm: Option<(Arc<Alarm>, u64)>,
}

impl Transport for WorkerTransport {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn send(&self, message: Message) -> Result<(), SendError> {
        match self.socket.send(&message) {
            Ok(()) => Ok(()),
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

    fn close(&self, frame: CloseFrame) {
        let until = self.alarm.as_ref().map(|(alarm, timeout)| {
            let until = deadline::now().saturating_add(*timeout);
            alarm.by(until);
            until
        });
        self.socket.close(frame, ClosedBy::Server, until);
    }

    fn terminate(&self) {
        self.socket.terminate();
    }

    fn persist(&self, snapshot: Snapshot) -> Result<(), PersistError> {
        self.socket.persist(snapshot)
    }
}

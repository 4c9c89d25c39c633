use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use crossws_core::{
    Capabilities, CloseFrame, ControlError, Feed, Lag, Message, Publication, Receipt, Room,
    SendError, Transport, Wire,
};

use crate::frame::{Opcode, ServerFrame};
use crate::handshake::Agreed;
use crate::outbox::Outbox;

/// What native transports can do.
pub const CAPABILITIES: Capabilities = Capabilities::PUBSUB
    .with(Capabilities::BINARY)
    .with(Capabilities::CLOSE_CODE)
    .with(Capabilities::TERMINATE)
    .with(Capabilities::PING)
    .with(Capabilities::HEARTBEAT)
    .with(Capabilities::DRAIN)
    .with(Capabilities::REMOTE_ADDR)
    .with(Capabilities::SUBPROTOCOL)
    .with(Capabilities::HANDLER)
    .with(Capabilities::PANIC)
    .with(Capabilities::SHUTDOWN)
    .with(Capabilities::CONCURRENT_WRITE)
    .with(Capabilities::RAW_HTTP)
    .with(Capabilities::COMPRESSION)
    .with(Capabilities::EXPIRY)
    .with(Capabilities::SHARED_HUB);

/// [`Transport`] over an outbox.
pub(crate) struct NativeTransport {
    outbox: Arc<Outbox>,
    /// What was negotiated, as in the answer's header.
    extensions: Box<str>,
    capabilities: Capabilities,
}

impl Transport for NativeTransport {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn send(&self, message: Message) -> Result<(), SendError> {
        let payload = message.as_bytes();
        let receipt = self.outbox.enqueue(payload.len(), |batch| {
            batch.push(Opcode::from(&message), payload);
        });
        if receipt.wake {
            self.outbox.wake_pump();
        }
        match receipt {
            Receipt { queued: true, .. } => Ok(()),
            Receipt { dropped: 0, .. } => Err(SendError::Closed(message)),
            _ => Err(SendError::Full(message)),
        }
    }

    /// A policy that discards messages must know each of them; otherwise the pump fetches them.
    fn wire(&self) -> Option<Wire> {
        self.outbox
            .reads_logs()
            .then(|| Wire::new::<ServerFrame>(0))
    }

    fn publish(&self, publication: &Publication) -> Receipt {
        let frame = publication.encoded(Wire::new::<ServerFrame>(0));
        self.outbox.enqueue(publication.message().len(), |batch| {
            batch.push_encoded(frame, 1);
        })
    }

    fn news(&self, feed: Feed, first: usize) -> Result<Room, Feed> {
        self.outbox.announce(feed, first)
    }

    fn lags(&self, lag: Lag) -> Result<Room, u64> {
        self.outbox.lags(lag)
    }

    fn wake(&self) {
        self.outbox.wake_pump();
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn close(&self, frame: CloseFrame) {
        self.outbox.close_with(Some(frame));
        self.outbox.wake_pump();
    }

    fn terminate(&self) {
        self.outbox.terminate();
        self.outbox.wake_pump();
    }

    fn ping(&self, data: Bytes) -> Result<(), ControlError> {
        self.control(Opcode::Ping, data)
    }

    fn pong(&self, data: Bytes) -> Result<(), ControlError> {
        self.control(Opcode::Pong, data)
    }

    fn extensions(&self) -> &str {
        &self.extensions
    }

    fn buffered_amount(&self) -> usize {
        self.outbox.buffered()
    }

    fn dropped(&self) -> u64 {
        self.outbox.dropped()
    }
}

impl NativeTransport {
    pub(crate) fn new(outbox: Arc<Outbox>, agreed: &Agreed) -> Self {
        Self {
            outbox,
            extensions: agreed.extensions().into(),
            capabilities: agreed.engine().capabilities(),
        }
    }

    fn control(&self, opcode: Opcode, data: Bytes) -> Result<(), ControlError> {
        self.outbox.control(opcode, data)?;
        self.outbox.wake_pump();
        Ok(())
    }
}

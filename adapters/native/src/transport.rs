use std::sync::Arc;

use bytes::Bytes;
use crossws_core::{
    Capabilities, CloseFrame, ControlError, Feed, Lag, Message, Publication, Receipt, Room,
    SendError, Transport, Wire,
};

use crate::frame::{Opcode, ServerFrame};
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
    .with(Capabilities::RAW_HTTP);

/// [`Transport`] over an outbox.
pub(crate) struct NativeTransport(pub(crate) Arc<Outbox>);

impl Transport for NativeTransport {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn send(&self, message: Message) -> Result<(), SendError> {
        let payload = message.as_bytes();
        let receipt = self.0.enqueue(payload.len(), |batch| {
            batch.push(Opcode::from(&message), payload);
        });
        if receipt.wake {
            self.0.wake_pump();
        }
        match receipt {
            Receipt { queued: true, .. } => Ok(()),
            Receipt { dropped: 0, .. } => Err(SendError::Closed(message)),
            _ => Err(SendError::Full(message)),
        }
    }

    /// A policy that discards messages must know each of them; otherwise the pump fetches them.
    fn wire(&self) -> Option<Wire> {
        self.0.reads_logs().then(|| Wire::new::<ServerFrame>(0))
    }

    fn publish(&self, publication: &Publication) -> Receipt {
        let frame = publication.encoded(Wire::new::<ServerFrame>(0));
        self.0.enqueue(publication.message().len(), |batch| {
            batch.push_encoded(frame, 1);
        })
    }

    fn news(&self, feed: Feed, first: usize) -> Result<Room, Feed> {
        self.0.announce(feed, first)
    }

    fn lags(&self, lag: Lag) -> Result<Room, u64> {
        self.0.lags(lag)
    }

    fn wake(&self) {
        self.0.wake_pump();
    }

    fn close(&self, frame: CloseFrame) {
        self.0.close_with(Some(frame));
        self.0.wake_pump();
    }

    fn terminate(&self) {
        self.0.terminate();
        self.0.wake_pump();
    }

    fn ping(&self, data: Bytes) -> Result<(), ControlError> {
        self.control(Opcode::Ping, data)
    }

    fn pong(&self, data: Bytes) -> Result<(), ControlError> {
        self.control(Opcode::Pong, data)
    }

    fn buffered_amount(&self) -> usize {
        self.0.buffered()
    }

    fn dropped(&self) -> u64 {
        self.0.dropped()
    }
}

impl NativeTransport {
    fn control(&self, opcode: Opcode, data: Bytes) -> Result<(), ControlError> {
        self.0.control(opcode, data)?;
        self.0.wake_pump();
        Ok(())
    }
}

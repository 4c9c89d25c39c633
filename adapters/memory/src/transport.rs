use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use crossws_core::adapter::{MeterCell, Publication, Receipt, Transport};
use crossws_core::{Capabilities, CloseFrame, ControlError, Message, SendError, SendOptions, Sent};

use crate::link::Link;

/// The capabilities of this adapter: everything but raw HTTP.
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
    .with(Capabilities::EXPIRY)
    .with(Capabilities::SHARED_HUB)
    .with(Capabilities::ROUTES)
    .with(Capabilities::RETAINED);

/// One connection's outbound half. `publish` queues and wakes no task: it runs under the topic's
/// lock.
pub(crate) struct MemoryTransport(pub(crate) Arc<Link>);

impl Transport for MemoryTransport {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn send(&self, message: Message, options: &SendOptions) -> Result<Sent, SendError> {
        self.0.send(message, options)
    }

    fn publish(&self, publication: &Publication) -> Receipt {
        // Nothing to encode: a message in memory is its own wire format.
        self.0.publish(publication.message(), publication.options())
    }

    fn wake(&self) {
        self.0.wake_driver();
    }

    fn now(&self) -> SystemTime {
        self.0.wall()
    }

    fn close(&self, frame: CloseFrame) {
        self.0.close(frame);
    }

    fn terminate(&self) {
        self.0.terminate();
    }

    fn ping(&self, data: Bytes) -> Result<(), ControlError> {
        self.0.ping(data)
    }

    fn pong(&self, data: Bytes) -> Result<(), ControlError> {
        self.0.pong(data)
    }

    fn buffered_amount(&self) -> usize {
        self.0.buffered()
    }

    fn dropped(&self) -> u64 {
        self.0.dropped()
    }

    fn has_room(&self, len: usize) -> bool {
        self.0.has_room(len)
    }

    fn meter(&self) -> Option<&MeterCell> {
        Some(self.0.meter())
    }
}

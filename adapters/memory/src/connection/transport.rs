use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use crossws_core::adapter::{MeterCell, OutboundQueue, Publication, Receipt, Settled, Transport};
use crossws_core::{Capabilities, CloseFrame, ControlError, Message, SendError, SendOptions, Sent};

use crossws_proto::connection::Queue;
use crossws_proto::deflate::Deflater;
use crossws_proto::frame::Opcode;
use crossws_proto::handshake::Agreed;
use crossws_proto::outbox::{self, Encoder};
use crossws_proto::sync::Mutex;

use crate::connection::task_handle::Wire;

/// The capabilities of this adapter: everything but raw HTTP and raw streams.
pub const CAPABILITIES: Capabilities = outbox::CAPABILITIES;

/// One connection's outbound half.
pub(crate) struct MemoryTransport {
    wire: Arc<Wire>,
    encoder: Encoder,
    /// The negotiated extensions, as in the response's header.
    extensions: Box<str>,
}

impl MemoryTransport {
    pub(crate) fn new(wire: Arc<Wire>, agreed: &Agreed) -> Self {
        Self {
            encoder: Encoder::new(agreed, wire.outbox()),
            extensions: agreed.extensions().into(),
            wire,
        }
    }

    /// Returns the connection's own compression context, if it may have one.
    pub(crate) fn deflater(&self) -> Option<Arc<Mutex<Deflater>>> {
        self.encoder.deflater()
    }

    fn control(&self, opcode: Opcode, data: Bytes) -> Result<(), ControlError> {
        self.wire.outbox().control(opcode, data)?;
        self.wire.wake();
        Ok(())
    }
}

impl Transport for MemoryTransport {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn extensions(&self) -> &str {
        &self.extensions
    }

    fn send(&self, message: Message, options: &SendOptions) -> Result<Sent, SendError> {
        let outbox = self.wire.outbox();
        let receipt = self.encoder.send(outbox, &message, options);
        if receipt.wake {
            self.wire.wake();
        }
        let settled = match receipt.settle {
            true => self.settle(),
            false => Settled::default(),
        };
        match receipt {
            _ if settled.closed => Err(SendError::Full(message)),
            Receipt { queued: true, .. } if outbox.buffered() == 0 => Ok(Sent::Written),
            _ => receipt
                .with_waiting(outbox.buffered())
                .into_sent(message, options),
        }
    }

    fn publish(&self, publication: &Publication) -> Receipt {
        self.encoder.publish(self.wire.outbox(), publication)
    }

    fn settle(&self) -> Settled {
        let mut settled = self.wire.outbox().settle(|_| self.wire.flush());
        if settled.wrote || settled.closed {
            self.wire.wake();
        }
        // Time stands still: no publisher waits for a client.
        settled.behind = false;
        settled
    }

    fn wake(&self) {
        self.wire.wake();
    }

    fn now(&self) -> SystemTime {
        self.wire.link().wall()
    }

    fn close(&self, frame: CloseFrame) {
        self.wire.outbox().close_with(Some(frame));
    }

    fn terminate(&self) {
        self.wire.outbox().terminate();
        self.wire.wake();
    }

    fn ping(&self, data: Bytes) -> Result<(), ControlError> {
        self.control(Opcode::Ping, data)
    }

    fn pong(&self, data: Bytes) -> Result<(), ControlError> {
        self.control(Opcode::Pong, data)
    }

    fn queue(&self) -> Option<&dyn OutboundQueue> {
        Some(self.wire.outbox())
    }

    fn meter(&self) -> Option<&MeterCell> {
        Some(self.wire.outbox().meter())
    }
}

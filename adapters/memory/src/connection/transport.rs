use std::sync::Arc;
use std::time::SystemTime;

use crossws_core::adapter::{
    ControlFrame, MeterCell, OutboundQueue, Publication, Receipt, Settled, Transport,
};
use crossws_core::{Capabilities, CloseFrame, ControlError, Message, SendError, SendOptions, Sent};

use crossws_proto::connection::Queue;
use crossws_proto::deflate::Deflater;
use crossws_proto::handshake::Agreed;
use crossws_proto::outbox::{self, Encoder};
use crossws_proto::sync::Mutex;

use crate::connection::task_handle::TaskHandle;

/// The capabilities of this adapter: everything but raw HTTP and raw streams.
pub const CAPABILITIES: Capabilities = outbox::CAPABILITIES;

/// One connection's outbound half.
pub(crate) struct MemoryTransport {
    handle: Arc<TaskHandle>,
    encoder: Encoder,
    /// The negotiated extensions, as in the response's header.
    extensions: Box<str>,
}

impl MemoryTransport {
    pub(crate) fn new(handle: Arc<TaskHandle>, agreed: &Agreed) -> Self {
        Self {
            encoder: Encoder::new(agreed, handle.outbox()),
            extensions: agreed.extensions().into(),
            handle,
        }
    }

    /// Returns the connection's own compression context, if it may have one.
    pub(crate) fn deflater(&self) -> Option<Arc<Mutex<Deflater>>> {
        self.encoder.deflater()
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
        let outbox = self.handle.outbox();
        let receipt = self.encoder.send(outbox, &message, options);
        if receipt.wake {
            self.handle.wake();
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
        self.encoder.publish(self.handle.outbox(), publication)
    }

    fn settle(&self) -> Settled {
        let mut settled = self.handle.outbox().settle(|_| self.handle.flush());
        if settled.wrote || settled.closed {
            self.handle.wake();
        }
        // Time stands still: no publisher waits for a client.
        settled.behind = false;
        settled
    }

    fn wake(&self) {
        self.handle.wake();
    }

    fn now(&self) -> SystemTime {
        self.handle.socket().clock().wall()
    }

    fn close(&self, frame: CloseFrame) {
        self.handle.outbox().close_with(Some(frame));
    }

    fn terminate(&self) {
        self.handle.outbox().terminate();
        self.handle.wake();
    }

    fn control(&self, frame: ControlFrame) -> Result<(), ControlError> {
        self.handle.outbox().control(frame)?;
        self.handle.wake();
        Ok(())
    }

    fn queue(&self) -> Option<&dyn OutboundQueue> {
        Some(self.handle.outbox())
    }

    fn meter(&self) -> Option<&MeterCell> {
        Some(self.handle.outbox().meter())
    }
}

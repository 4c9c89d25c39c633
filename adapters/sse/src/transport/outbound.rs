use std::sync::Arc;
use std::time::SystemTime;

use crossws_core::adapter::{
    Allowance, Background, Cursor, LogReader, MeterCell, OutboundQueue, Publication, Receipt,
    Settled, Transport, Wire,
};
use crossws_core::{Bytes, Capabilities, CloseFrame, Message, SendError, SendOptions, Sent};

use crossws_proto::outbox::{self, depends_on_the_client, send_to_slow};

use crate::transport::connection::Connection;
use crate::transport::frame::EventFrame;

/// The capabilities of connections over event streams. There are no pings and no heartbeat, because
/// comments are not answered, and no subprotocols, because a browser's `EventSource` offers none.
pub const CAPABILITIES: Capabilities = outbox::CAPABILITIES
    .without(Capabilities::PING)
    .without(Capabilities::HEARTBEAT)
    .without(Capabilities::SUBPROTOCOL)
    .without(Capabilities::RAW_FRAMES)
    .without(Capabilities::COMPRESSION);

/// [`Transport`] over a connection's outbox.
pub(crate) struct EventTransport {
    pub(crate) connection: Arc<Connection>,
    pub(crate) background: Arc<dyn Background>,
    pub(crate) capabilities: Capabilities,
}

impl EventTransport {
    fn enqueue(&self, message: &Message, options: &SendOptions) -> Receipt {
        let outbox = &self.connection.outbox;
        if depends_on_the_client(options) {
            self.connection.judge();
            let encode = || EventFrame::encode(message);
            if let Some(receipt) = send_to_slow(outbox, options, encode) {
                return receipt;
            }
        }
        let event = EventFrame::encode(message);
        outbox.enqueue(event.len(), |batch| batch.push_encoded(event, 1))
    }
}

impl Transport for EventTransport {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn send(&self, message: Message, options: &SendOptions) -> Result<Sent, SendError> {
        let receipt = self.enqueue(&message, options);
        self.connection.outbox.note_sent();
        if receipt.wake {
            self.wake();
        }
        if receipt.settle && self.settle().closed {
            return Err(SendError::Full(message));
        }
        receipt.into_sent(message, options)
    }

    fn publish(&self, publication: &Publication) -> Receipt {
        let options = publication.options();
        if depends_on_the_client(options) || !self.connection.outbox.reads_logs() {
            return self.enqueue(publication.message(), options);
        }
        publication.with_encoded(Wire::new::<EventFrame>(0), |event| {
            let outbox = &self.connection.outbox;
            outbox.enqueue(event.len(), |batch| batch.push_shared(event, 1))
        })
    }

    fn settle(&self) -> Settled {
        let settled = self
            .connection
            .outbox
            .settle(|_| Some(self.connection.flush()));
        if settled.closed {
            self.connection.wake();
        }
        settled
    }

    fn wake(&self) {
        self.connection.wake_stream();
    }

    fn now(&self) -> SystemTime {
        self.background.wall_clock()
    }

    fn steady(&self) -> SystemTime {
        self.background.steady_clock()
    }

    fn wake_timer(&self) {
        self.connection.wake_pump();
    }

    fn close(&self, frame: CloseFrame) {
        self.connection.outbox.close_with(Some(frame));
        self.connection.wake();
    }

    fn terminate(&self) {
        self.connection.terminate();
    }

    fn queue(&self) -> Option<&dyn OutboundQueue> {
        Some(&self.connection.outbox)
    }

    fn log_reader(&self) -> Option<&dyn LogReader> {
        Some(self)
    }

    fn meter(&self) -> Option<&MeterCell> {
        Some(self.connection.outbox.meter())
    }
}

impl LogReader for EventTransport {
    fn wire(&self) -> Option<Wire> {
        let reads_logs = self.connection.outbox.reads_logs();
        reads_logs.then(|| Wire::new::<EventFrame>(0))
    }

    fn offer(&self, encoded: &Bytes) -> Option<Receipt> {
        self.connection.outbox.offer(encoded)
    }

    fn news(&self, feed: Cursor) -> Result<Allowance, Cursor> {
        self.connection.outbox.announce(feed)
    }

    fn lags(&self) -> Allowance {
        self.connection.outbox.lags()
    }

    fn left(&self) -> Settled {
        match self.connection.outbox.left() {
            true => self.settle(),
            false => Settled::default(),
        }
    }
}

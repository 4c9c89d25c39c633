pub(crate) mod fan_out;
#[cfg(test)]
pub(crate) mod joined;
#[cfg(all(test, crossws_shuttle))]
mod model;

use std::sync::{Arc, Weak};
use std::time::SystemTime;

use bytes::Bytes;
use crossws_core::adapter::{
    Allowance, ControlFrame, Cursor, LogReader, MeterCell, OutboundQueue, PeerEvents, Publication,
    Receipt, Settled, Transport, Wire,
};
use crossws_core::{Capabilities, CloseFrame, ControlError, Message, SendError, SendOptions, Sent};

use crate::driver::outlet::Flush;
use crate::driver::pace;
use crate::driver::server_crew::ServerCrew;
use crate::driver::task_handle::{TaskHandle, steady};
use crate::driver::transport::fan_out::FEW;
use crossws_proto::deflate::Deflater;
use crossws_proto::handshake::Agreed;
use crossws_proto::outbox::{self, Encoder};
use crossws_proto::sync::Mutex;

/// The capabilities of native transports.
pub const CAPABILITIES: Capabilities = outbox::CAPABILITIES
    .with(Capabilities::RAW_HTTP)
    .with(Capabilities::RAW_STREAM);

/// [`Transport`] over an outbox.
pub(crate) struct NativeTransport {
    outbox: Arc<TaskHandle>,
    /// The connection's own task keeps it: a peer's handle keeps no stream open.
    outlet: Option<Weak<dyn Flush>>,
    /// Writes in the task's place. A connection of a foreign server has none.
    crew: Option<Arc<ServerCrew>>,
    /// Boxed, because most connections do not compress.
    compression: Option<Box<Compression>>,
}

/// What the handshake has agreed on.
struct Compression {
    encoder: Encoder,
    /// The negotiated extensions, as in the response's header.
    extensions: Box<str>,
}

/// The encoder of a connection without [`Compression`].
static PLAIN: Encoder = Encoder::Plain;

impl Transport for NativeTransport {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn send(&self, message: Message, options: &SendOptions) -> Result<Sent, SendError> {
        let encoder = self.encoder();
        if let Some(bytes) = encoder.send_at_once(&self.outbox, &message, options) {
            return Ok(Sent::Queued { bytes });
        }
        let receipt = encoder.send(&self.outbox, &message, options);
        self.outbox.note_sent();
        if receipt.queued && !receipt.wake && !receipt.settle {
            return Ok(Sent::Queued {
                bytes: receipt.waiting,
            });
        }
        self.heed(message, options, receipt)
    }

    fn publish(&self, publication: &Publication) -> Receipt {
        self.encoder().publish(&self.outbox, publication)
    }

    fn settle(&self) -> Settled {
        pace::has_grown(&self.outbox);
        self.look_after()
    }

    fn wake(&self) {
        self.outbox.wake();
    }

    fn wake_with(&self, peer: &PeerEvents, others: &mut Vec<PeerEvents>) {
        match self.crew() {
            Some(crew) if others.len() >= FEW => crew.write_for(peer, others),
            _ => self.wake(),
        }
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn steady(&self) -> SystemTime {
        steady()
    }

    fn close(&self, frame: CloseFrame) {
        self.outbox.close_with(Some(frame));
    }

    fn terminate(&self) {
        self.outbox.terminate();
        self.outbox.wake();
    }

    fn control(&self, frame: ControlFrame) -> Result<(), ControlError> {
        self.outbox.control(frame)?;
        self.outbox.wake();
        Ok(())
    }

    fn extensions(&self) -> &str {
        let compression = self.compression.as_ref();
        compression.map_or("", |compression| &compression.extensions)
    }

    fn queue(&self) -> Option<&dyn OutboundQueue> {
        Some(&**self.outbox)
    }

    fn log_reader(&self) -> Option<&dyn LogReader> {
        Some(self)
    }

    fn meter(&self) -> Option<&MeterCell> {
        Some(self.outbox.meter())
    }
}

impl LogReader for NativeTransport {
    /// A policy that discards messages must know each of them. Without one, the pump fetches them,
    /// unless this connection's frames are like no other's.
    fn wire(&self) -> Option<Wire> {
        let reads_logs = self.outbox.reads_logs();
        self.encoder().wire().filter(|_| reads_logs)
    }

    fn offer(&self, encoded: &Bytes) -> Option<Receipt> {
        self.outbox.offer(encoded)
    }

    fn news(&self, feed: Cursor) -> Result<Allowance, Cursor> {
        self.outbox.announce(feed)
    }

    fn lags(&self) -> Allowance {
        pace::has_grown(&self.outbox);
        self.outbox.lags()
    }

    fn left(&self) -> Settled {
        match self.outbox.left() {
            true => self.look_after(),
            false => Settled::default(),
        }
    }
}

impl NativeTransport {
    pub(crate) fn new(outbox: Arc<TaskHandle>, agreed: &Agreed) -> Self {
        let extensions = agreed.extensions();
        let compression = (!extensions.is_empty()).then(|| {
            Box::new(Compression {
                encoder: Encoder::new(agreed, &outbox),
                extensions: extensions.into(),
            })
        });
        Self {
            outbox,
            outlet: None,
            crew: None,
            compression,
        }
    }

    #[inline]
    fn encoder(&self) -> &Encoder {
        let compression = self.compression.as_ref();
        compression.map_or(&PLAIN, |compression| &compression.encoder)
    }

    /// Returns the crew that writes in the connection's place, if it has one.
    pub(crate) fn crew(&self) -> Option<&ServerCrew> {
        self.crew.as_deref()
    }

    /// Lets a crew write in the connection's place.
    pub(crate) fn with_crew(mut self, crew: Option<Arc<ServerCrew>>) -> Self {
        self.crew = crew;
        self
    }

    /// Writes what can be written without waiting, in the caller's task, so that the connection's
    /// own task can sleep on. Returns whether anything was written. Called outside all locks.
    pub(crate) fn flush(&self) -> bool {
        match self.outlet.as_ref().and_then(Weak::upgrade) {
            Some(outlet) => outlet.flush(&self.outbox, false).unwrap_or_default(),
            None => {
                self.outbox.wake();
                false
            }
        }
    }

    /// Writes the queue if it is long, and judges the client if it is too long.
    fn look_after(&self) -> Settled {
        let settled = match self.outlet.as_ref().and_then(Weak::upgrade) {
            Some(outlet) => self
                .outbox
                .settle(|waits| outlet.flush(&self.outbox, waits)),
            None => {
                // The stream is gone: nothing is written any more.
                self.outbox.must_wait();
                self.outbox.settle(|_| Some(false))
            }
        };
        if settled.closed {
            self.outbox.wake();
        }
        settled
    }

    /// Lets other tasks write into this connection's stream.
    pub(crate) fn with_outlet(mut self, outlet: Weak<dyn Flush>) -> Self {
        self.outlet = Some(outlet);
        self
    }

    /// Returns the context in which this connection compresses, if it may have one.
    pub(crate) fn deflater(&self) -> Option<Arc<Mutex<Deflater>>> {
        self.encoder().deflater()
    }

    /// Acts on a receipt.
    fn heed(
        &self,
        message: Message,
        options: &SendOptions,
        receipt: Receipt,
    ) -> Result<Sent, SendError> {
        if receipt.wake {
            self.outbox.wake();
        }
        if receipt.settle {
            let settled = self.settle();
            if settled.closed {
                return Err(SendError::Full(message));
            }
            if settled.wrote {
                // The connection's task wakes the tasks that wait for that.
                self.outbox.wake();
                return Ok(match self.outbox.buffered() {
                    0 => Sent::Written,
                    bytes => Sent::Queued { bytes },
                });
            }
        }
        receipt.into_sent(message, options)
    }
}

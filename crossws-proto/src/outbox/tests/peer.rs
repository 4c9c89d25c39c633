//! A peer of a real hub over an outbox, without a task.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use crossws_core::adapter::{
    Allowance, Cursor, LogReader, OpeningPeer, OutboundQueue, Publication, Receipt, Settled,
    Transport, Wire,
};
use crossws_core::http::Request;
use crossws_core::{
    Capabilities, CloseFrame, HooksBuilder, Hub, Limits, Message, SendError, SendOptions, Sent,
    UpgradeRequest, hooks,
};
use futures_lite::future::block_on;

use crate::frame::ServerFrame;
use crate::handshake::Agreed;
use crate::outbox::{Clock, Encoder};

pub(super) type Outbox = crate::outbox::Outbox<ServerFrame, Stands>;
pub(super) type Batch = crate::outbox::Batch<ServerFrame>;

/// A clock of the thread that the test moves.
pub(super) struct Stands;

thread_local! {
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

impl Clock for Stands {
    fn now(&self) -> Duration {
        NOW.get()
    }
}

pub(super) fn stop_clock_at(millis: u64) {
    NOW.set(Duration::from_millis(millis));
}

pub(super) fn outbox(limits: &Limits) -> Arc<Outbox> {
    Arc::new(Outbox::new(limits, Stands))
}

pub(super) fn join(hub: &Hub) -> (OpeningPeer<HooksBuilder>, Arc<Outbox>) {
    let outbox = outbox(hub.limits());
    let transport = Queue(
        Arc::clone(&outbox),
        Encoder::new(&Agreed::default(), &outbox),
    );
    let request = UpgradeRequest::new(Request::get("/").body(()).unwrap().into_parts().0);
    // Neither waits for anything.
    let claim = block_on(hub.claim(&Arc::new(hooks()), request)).unwrap();
    let accepted = block_on(claim.upgrade()).unwrap();
    (accepted.join(transport).unwrap(), outbox)
}

/// A transport whose stream is gone: every write has to wait.
struct Queue(Arc<Outbox>, Encoder);

impl Transport for Queue {
    fn capabilities(&self) -> Capabilities {
        Capabilities::PUBSUB
    }

    fn send(&self, message: Message, options: &SendOptions) -> Result<Sent, SendError> {
        let receipt = self.1.send(&self.0, &message, options);
        if receipt.settle && self.settle().closed {
            return Err(SendError::Full(message));
        }
        match receipt {
            Receipt { queued: true, .. } => Ok(Sent::Queued {
                bytes: receipt.waiting,
            }),
            Receipt { dropped: 0, .. } => Err(SendError::Closed(message)),
            _ if options.is_volatile() => Ok(Sent::Dropped),
            _ => Err(SendError::Full(message)),
        }
    }

    fn publish(&self, publication: &Publication) -> Receipt {
        self.1.publish(&self.0, publication)
    }

    fn settle(&self) -> Settled {
        self.0.must_wait();
        self.0.settle(|_| Some(false))
    }

    fn wake(&self) {}

    fn close(&self, frame: CloseFrame) {
        self.0.close_with(Some(frame));
    }

    fn terminate(&self) {
        self.0.terminate();
    }

    fn queue(&self) -> Option<&dyn OutboundQueue> {
        Some(&*self.0)
    }

    fn log_reader(&self) -> Option<&dyn LogReader> {
        Some(self)
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}

impl LogReader for Queue {
    fn wire(&self) -> Option<Wire> {
        let reads_logs = self.0.reads_logs();
        self.1.wire().filter(|_| reads_logs)
    }

    fn offer(&self, encoded: &Bytes) -> Option<Receipt> {
        self.0.offer(encoded)
    }

    fn news(&self, feed: Cursor) -> Result<Allowance, Cursor> {
        self.0.announce(feed)
    }

    fn lags(&self) -> Allowance {
        self.0.lags()
    }

    fn left(&self) -> Settled {
        match self.0.left() {
            true => self.settle(),
            false => Settled::default(),
        }
    }
}

pub(crate) mod capabilities;
mod hibernation;
mod log_reader;
mod outbound_queue;
mod receipt;

use std::any::Any;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::bounds::{MaybeSend, MaybeSync};
use crate::error::{ControlError, SendError};
use crate::message::Message;
use crate::message::close::CloseFrame;
use crate::message::send::{SendOptions, Sent};
use crate::peer::events::PeerEvents;
use crate::peer::meter::MeterCell;
use crate::pubsub::publication::Publication;
use crate::transport::capabilities::Capabilities;

pub use self::hibernation::Hibernation;
pub use self::log_reader::LogReader;
pub use self::outbound_queue::OutboundQueue;
pub use self::receipt::{Receipt, Settled};

/// One connection's outbound half, as an adapter provides it: it queues, and never waits.
///
/// What only some transports have is in traits of their own: [`OutboundQueue`], [`LogReader`],
/// [`Hibernation`]. A transport that has none of them is asked for none.
///
/// Publications reach a transport in one of two ways: core passes each of them, or the transport is
/// a [`LogReader`] and reads the topic's log when it is about to write.
///
/// No method may call back into the hub or a peer. `publish` runs while the topic is locked, so that
/// every subscriber sees the same order. It neither writes nor closes. Waking a task belongs into
/// [`wake`](Self::wake); writing and judging belong into [`settle`](Self::settle). Both run after
/// the lock is released.
#[expect(unused_variables, reason = "a default has no use for its arguments")]
pub trait Transport: Any + MaybeSend + MaybeSync {
    /// Returns the transport's capabilities. Constant for its life.
    fn capabilities(&self) -> Capabilities;

    /// Queues a message and ensures that it is written. The options apply. An uncompressed message
    /// must not be compressed. A volatile message that would have to wait for the client is
    /// discarded instead ([`Sent::Dropped`]), as far as the platform tells. If a message with the
    /// same key waits for the client, the older one is removed, if the platform allows that.
    ///
    /// # Errors
    /// [`SendError::Closed`] after `close` or `terminate`, or if the client is gone;
    /// [`SendError::Full`] if the queue's policy refuses.
    fn send(&self, message: Message, options: &SendOptions) -> Result<Sent, SendError>;

    /// Queues a published message, without waking a task; a volatile one is discarded as with
    /// [`send`](Self::send). One call per subscriber, in the topic's order.
    ///
    /// At a [`LogReader`], only messages outside a topic's log arrive here: those to a route
    /// ([`Hub::route`](crate::Hub::route)) or to several topics, or with excluded subscribers, with
    /// a key, and volatile ones. They are [`encoded`](Publication::encoded) once for all of a
    /// format.
    fn publish(&self, publication: &Publication) -> Receipt;

    /// Handles a queue that has grown long. The transport writes what its client takes now, in the
    /// caller's task. If that leaves more than the limits allow, the queue's policy applies. Only a
    /// transport whose client has let a write wait may have too much: a queue that no task has had
    /// the time to write is no sign of a slow client.
    ///
    /// The thread that let the queue grow calls it outside all locks, if a [`Receipt`] or an
    /// [`Allowance`](crate::adapter::Allowance) asked for it. It may take as long as writing the
    /// queue does, and never waits for the client.
    fn settle(&self) -> Settled {
        Settled::default()
    }

    /// Arranges the write of messages that `publish` queued or a [`LogReader`] took, if they asked
    /// for it, and of the frame that `close` asked for.
    fn wake(&self);

    /// Wakes the task that keeps the time, because the result of [`PeerEvents::expires_at`] has
    /// changed. By default it is the one that writes. Not called with [`Hibernation`].
    fn wake_timer(&self) {
        self.wake();
    }

    /// As [`wake`](Self::wake), where `others` must be woken too: their number shows whether it is
    /// cheaper to write for many in one task than to wake each. `peer` is this transport's own.
    /// Called once for each peer, outside all locks, except for those of `others` that an earlier
    /// call has taken out of the list. Their writers must be woken, or written for, as `peer`'s,
    /// and after a [`close`](Self::close) their sessions must be polled.
    ///
    /// By default wakes this transport alone.
    fn wake_with(&self, peer: &PeerEvents, others: &mut Vec<PeerEvents>) {
        self.wake();
    }

    /// Sends a close frame after everything queued, and ends the connection when the client answers
    /// or its time is over. Wakes no task: [`wake`](Self::wake) follows. Called at most once; does
    /// nothing after `terminate`, which another thread may have called just before.
    fn close(&self, frame: CloseFrame);

    /// Drops the connection at once, without a close frame. Unlike [`close`](Self::close) it wakes the
    /// task that does so: no [`wake`](Self::wake) follows.
    fn terminate(&self);

    /// Returns the time of the wall clock that ends credentials. Called only if
    /// [`Capabilities::EXPIRY`] is declared; by default it stands still at the epoch.
    fn now(&self) -> SystemTime {
        UNIX_EPOCH
    }

    /// Returns the time by which [`PeerEvents::expires_at`] is kept: what [`now`](Self::now) would
    /// return if the clock had never been set, so that setting it moves nothing but credentials. By
    /// default the wall clock itself.
    fn steady(&self) -> SystemTime {
        self.now()
    }

    /// Queues a ping or an unsolicited pong of at most 125 bytes.
    ///
    /// # Errors
    /// See [`ControlError`]. By default [`ControlError::Unsupported`].
    fn control(&self, frame: ControlFrame) -> Result<(), ControlError> {
        Err(ControlError::Unsupported)
    }

    /// Returns where this connection's traffic is counted. The transport counts
    /// [sent](crate::adapter::Meter::sent) messages, and pings and pongs if there are any. The
    /// session counts received messages. `None`, the default, for a transport that does not count.
    fn meter(&self) -> Option<&MeterCell> {
        None
    }

    /// Returns the transport's own queue. `None`, the default, if the platform queues and does not
    /// report what waits. Constant.
    fn queue(&self) -> Option<&dyn OutboundQueue> {
        None
    }

    /// Returns the reader of topics' logs. `None`, the default, for a transport to which core
    /// passes every publication with [`publish`](Self::publish). Constant.
    fn log_reader(&self) -> Option<&dyn LogReader> {
        None
    }

    /// Returns what stores the peer, if [`Capabilities::HIBERNATION`] is declared. `None` by
    /// default. Constant.
    fn hibernation(&self) -> Option<&dyn Hibernation> {
        None
    }

    /// Returns the negotiated extensions, as in the response's header; empty if there are none.
    fn extensions(&self) -> &str {
        ""
    }
}

/// A control frame of the application: see [`Transport::control`].
#[expect(clippy::exhaustive_enums, reason = "RFC 6455 has no others")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlFrame {
    /// A ping with this data.
    Ping(Bytes),
    /// A pong with this data.
    Pong(Bytes),
}

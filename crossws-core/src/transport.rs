use std::any::Any;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::adapter::{Allowance, Cursor, MeterCell, PeerEvents, Publication, Snapshot, Wire};
use crate::bounds::{MaybeSend, MaybeSync};
use crate::error::{ControlError, SendError};
use crate::hub::capabilities::Capabilities;
use crate::message::Message;
use crate::message::close::CloseFrame;
use crate::message::send::{SendOptions, Sent};
use crate::peer::snapshot::PersistError;

/// One connection's outbound half, as an adapter provides it: it queues, and never waits.
///
/// Publications reach it in one of two ways, which [`wire`](Transport::wire) selects: core passes
/// each of them, or the transport reads the topic's log when it is about to write.
///
/// No method may call back into the hub or a peer. `publish`, `offer`, `news` and `lags` run while
/// the topic is locked, so that every subscriber sees the same order. They use no [`Cursor`] except
/// for what needs no lock, and neither write nor close. Waking a task belongs into
/// [`wake`](Self::wake); writing and judging belong into [`settle`](Self::settle). Both run after
/// the lock is released.
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

    /// Returns the wire format in which this transport reads its topics' logs by itself:
    /// publications are encoded once, appended to a log that all readers of the format share, and
    /// fetched with [`Backlog::take`](crate::adapter::Backlog::take). Called when the peer joins a
    /// topic. `None`, the default, is for a transport to which core passes every publication with
    /// [`publish`](Self::publish).
    fn wire(&self) -> Option<Wire> {
        None
    }

    /// Queues a published message, without waking a task; a volatile one is discarded as with
    /// [`send`](Self::send). One call per subscriber, in the topic's order.
    ///
    /// With a [`wire`](Self::wire), only messages outside a topic's log arrive here: those to a
    /// route ([`Hub::route`](crate::Hub::route)) or to several topics, or with excluded
    /// subscribers, with a key, and volatile ones. They are [`encoded`](Publication::encoded) once
    /// for all of a format.
    fn publish(&self, publication: &Publication) -> Receipt;

    /// Takes a published message at once, if nothing else waits here: then it is as cheap as a sent
    /// message, and nothing has to be fetched. `encoded` is the whole message in the
    /// [`wire`](Self::wire) format, which all readers share. At most one call per publication, for a
    /// subscriber that has read its topic's log to the end. Wakes no task. With `None`, the message
    /// takes the path of [`news`](Self::news).
    fn offer(&self, encoded: &Bytes) -> Option<Receipt> {
        let _ = encoded;
        None
    }

    /// Notes that a topic's log has news. `feed` reads them, and must be kept until this transport
    /// writes. Only called with a [`wire`](Self::wire), and not again for this topic until the feed
    /// has been read to its end or dropped; meanwhile publications are in the log. Wakes no task.
    /// Returns how much more may be appended to this log before [`lags`](Self::lags) is called.
    ///
    /// # Errors
    /// Returns the feed if the connection is closing: it must not be dropped here.
    fn news(&self, feed: Cursor) -> Result<Allowance, Cursor> {
        Err(feed)
    }

    /// Notes that more was appended to a log that this transport reads than the last allowance;
    /// [`Cursor::at_most`] bounds how much waits there. Returns how much more may be appended
    /// before the next call.
    fn lags(&self) -> Allowance {
        Allowance::default()
    }

    /// Handles a queue that has grown long. The transport writes what its client takes now, in the
    /// caller's task. If that leaves more than the limits allow, the queue's policy applies. Only a
    /// transport whose client has let a write wait may have too much: a queue that no task has had
    /// the time to write is no sign of a slow client.
    ///
    /// The thread that let the queue grow calls it outside all locks, if a [`Receipt`] or an
    /// [`Allowance`] asked for it. It may take as long as writing the queue does, and never waits
    /// for the client.
    fn settle(&self) -> Settled {
        Settled::default()
    }

    /// Notes that the peer has left a topic of which something may wait for this transport. Nothing
    /// is added to that backlog, but it stays in memory in whole pieces, which the transport
    /// handles as in [`settle`](Self::settle). Called outside all locks.
    fn left(&self) -> Settled {
        Settled::default()
    }

    /// Arranges the write of messages that `publish` queued, `news` announced, or of the frame that
    /// `close` asked for. Called after the first two if they asked for it.
    fn wake(&self);

    /// As [`wake`](Self::wake), where `others` must be woken too: their number shows whether it is
    /// cheaper to write for many in one task than to wake each. `peer` is this transport's own.
    /// Called once for each peer, outside all locks, except for those of `others` that an earlier
    /// call has taken out of the list. Their writers must be woken, or written for, as `peer`'s,
    /// and after a [`close`](Self::close) their sessions must be polled.
    ///
    /// By default wakes this transport alone.
    fn wake_with(&self, peer: &PeerEvents, others: &mut Vec<PeerEvents>) {
        let _ = (peer, others);
        self.wake();
    }

    /// Returns whether the client takes less than it is sent, so that publishers should wait: more
    /// than half of a bound waits although the transport wrote all that it could at once, and the
    /// client has not had long to catch up.
    fn is_behind(&self) -> bool {
        false
    }

    /// Sends a close frame after everything queued, and ends the connection when the client answers
    /// or its time is over. Wakes no task: [`wake`](Self::wake) follows. Called at most once; does
    /// nothing after `terminate`, which another thread may have called just before.
    fn close(&self, frame: CloseFrame);

    /// Drops the connection at once, without a close frame.
    fn terminate(&self);

    /// Returns the time of the wall clock that ends credentials. Called only if
    /// [`Capabilities::EXPIRY`] is declared; by default it stands still at the epoch.
    fn now(&self) -> SystemTime {
        UNIX_EPOCH
    }

    /// Notes that the result of [`PeerEvents::expires_at`](crate::adapter::PeerEvents::expires_at)
    /// has changed, to `None` for never. By default wakes the writer, which keeps the time.
    fn renewed(&self, until: Option<SystemTime>) {
        let _ = until;
        self.wake();
    }

    /// Queues a ping of at most 125 bytes.
    ///
    /// # Errors
    /// See [`ControlError`].
    fn ping(&self, data: Bytes) -> Result<(), ControlError> {
        let _ = data;
        Err(ControlError::Unsupported)
    }

    /// Queues an unsolicited pong of at most 125 bytes.
    ///
    /// # Errors
    /// See [`ControlError`].
    fn pong(&self, data: Bytes) -> Result<(), ControlError> {
        let _ = data;
        Err(ControlError::Unsupported)
    }

    /// Returns how many bytes are queued and not yet handed to the platform; 0 if that is not
    /// known.
    fn buffered_amount(&self) -> usize {
        0
    }

    /// Returns how many messages for this peer a policy discarded.
    fn dropped(&self) -> u64 {
        0
    }

    /// Returns whether one more message of this length may be queued without bringing the queue
    /// above half of a bound. True if nothing waits, and if the platform does not report its queue.
    /// A call of [`PeerEvents::drained`](crate::adapter::PeerEvents::drained) follows each change
    /// of the result.
    fn has_room(&self, len: usize) -> bool {
        let _ = len;
        true
    }

    /// Returns where this connection's traffic is counted. The transport counts
    /// [sent](crate::adapter::Meter::sent) messages, and pings and pongs if there are any. The
    /// session counts received messages. `None`, the default, for a transport that does not count.
    fn meter(&self) -> Option<&MeterCell> {
        None
    }

    /// Stores the peer's persistent state, in place of the earlier one. Called when the peer has
    /// joined, and whenever its topics, context or expiry have changed, if
    /// [`Capabilities::HIBERNATION`] is declared. Calls do not overlap.
    ///
    /// # Errors
    /// If there is no room for it, or the platform refuses: then the earlier state stays stored,
    /// and the change is undone.
    fn persist(&self, snapshot: Snapshot) -> Result<(), PersistError> {
        let _ = snapshot;
        Ok(())
    }

    /// Returns the negotiated extensions, as in the response's header; empty if there are none.
    fn extensions(&self) -> &str {
        ""
    }
}

/// What [`Transport::settle`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Settled {
    /// Whether anything was written.
    pub wrote: bool,
    /// Whether the connection was closed as a slow consumer's.
    pub closed: bool,
    /// See [`Transport::is_behind`].
    pub behind: bool,
    /// How many messages were discarded.
    pub lost: u64,
}

/// What happened to a published message at one subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// Whether the message was queued.
    pub queued: bool,
    /// Whether [`Transport::wake`] must be called.
    pub wake: bool,
    /// Whether [`Transport::settle`] must be called.
    pub settle: bool,
    /// How many messages, this one or older ones, were discarded for it.
    pub dropped: u64,
    /// How many bytes wait, this message's included, if that is known.
    pub waiting: usize,
}

impl Receipt {
    /// Creates the receipt of a queued message; `wake` if the writer sleeps.
    pub const fn queued(wake: bool) -> Self {
        Self {
            queued: true,
            wake,
            settle: false,
            dropped: 0,
            waiting: 0,
        }
    }

    /// Creates the receipt of a message that is not queued, because the connection is closing.
    pub const fn closed() -> Self {
        Self {
            queued: false,
            wake: false,
            settle: false,
            dropped: 0,
            waiting: 0,
        }
    }

    /// Creates the receipt of a message that is not queued, because the queue is full: `dropped`
    /// messages are lost. Wakes the writer, which may have a connection to close.
    pub const fn full(dropped: u64) -> Self {
        Self {
            queued: false,
            wake: true,
            settle: false,
            dropped,
            waiting: 0,
        }
    }

    /// Creates the receipt of a volatile message that is not queued, because it would have had to
    /// wait. `wake` if the peer must be told.
    pub const fn discarded(wake: bool) -> Self {
        Self {
            queued: false,
            wake,
            settle: false,
            dropped: 1,
            waiting: 0,
        }
    }

    /// Creates the receipt of a message that is queued in place of `dropped` older ones.
    pub const fn replaced(dropped: u64, wake: bool) -> Self {
        Self {
            queued: true,
            wake,
            settle: false,
            dropped,
            waiting: 0,
        }
    }

    /// Sets how many bytes wait.
    #[must_use]
    pub const fn with_waiting(mut self, bytes: usize) -> Self {
        self.waiting = bytes;
        self
    }

    /// Sets whether so much waits that the transport must be settled.
    #[must_use]
    pub const fn with_settle(mut self, settle: bool) -> Self {
        self.settle = settle;
        self
    }
}

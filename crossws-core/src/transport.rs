use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::adapter::{Allowance, Cursor, Flusher, MeterCell, Publication, Snapshot, Wire};
use crate::bounds::{MaybeSend, MaybeSync};
use crate::error::{ControlError, SendError};
use crate::hub::capabilities::Capabilities;
use crate::message::Message;
use crate::message::close::CloseFrame;
use crate::message::send::{SendOptions, Sent};
use crate::peer::snapshot::PersistError;

/// One connection's way out, as an adapter provides it: queues, and never waits.
///
/// Publications reach it in one of two ways, as [`wire`](Transport::wire) says: it is handed each
/// of them, or it reads the topic's log when it is about to write.
///
/// No method may call back into the hub or a peer. `publish`, `offer`, `news` and `lags` run while the
/// topic is locked, so that every subscriber sees the same order: they use no [`Cursor`] but for what
/// needs no lock, they neither write nor close. What wakes a task belongs into [`wake`](Self::wake),
/// and what writes or judges into [`settle`](Self::settle); both run after the lock is gone.
pub trait Transport: MaybeSend + MaybeSync + 'static {
    /// What this transport can do. Constant for its life.
    fn capabilities(&self) -> Capabilities;

    /// Queues a message and ensures that it is written. It must not be compressed where the options
    /// say so, and where they say that it is volatile and it would have to wait for the client it is
    /// discarded instead ([`Sent::Dropped`]), as far as the platform tells. Where they have a key, and a
    /// message with the same key waits for the client, the older one is taken out, where the platform
    /// allows that.
    ///
    /// # Errors
    /// [`SendError::Closed`] after `close` or `terminate`, or when the client is gone;
    /// [`SendError::Full`] when the queue's policy refuses.
    fn send(&self, message: Message, options: &SendOptions) -> Result<Sent, SendError>;

    /// The wire format in which this transport reads its topics' logs by itself: publications are
    /// encoded once, appended to a log that all readers of the format share, and fetched with
    /// [`Backlog::take`](crate::adapter::Backlog::take). Asked when the peer joins a topic. `None`, the default, for a transport that
    /// is handed every publication with [`publish`](Self::publish).
    fn wire(&self) -> Option<Wire> {
        None
    }

    /// Queues a published message, without waking anyone; one that is volatile is discarded as with
    /// [`send`](Self::send). One call per subscriber, in the topic's order.
    ///
    /// Where there is a [`wire`](Self::wire) only messages come this way that are not in a topic's
    /// log: those to a route ([`Hub::route`](crate::Hub::route)) or to several topics, or with
    /// subscribers left out, with a key, and volatile ones. They
    /// are [`encoded`](Publication::encoded) once for all of a format.
    fn publish(&self, publication: &Publication) -> Receipt;

    /// Takes a published message at once, if nothing else waits here: then it is as cheap as a
    /// message that is sent, and nothing has to be fetched. One call per publication at most, for
    /// a subscriber that has read its topic's log to the end, where there is a
    /// [`wire`](Self::wire). Wakes nobody. `None` sends it the way of [`news`](Self::news).
    fn offer(&self, publication: &Publication) -> Option<Receipt> {
        let _ = publication;
        None
    }

    /// A topic's log has news: `feed` is the way to them, to be kept until this transport writes.
    /// Only called where there is a [`wire`](Self::wire), and not again for this topic until the
    /// feed has been read to its end or dropped; what is published meanwhile is in the log.
    /// Wakes nobody. Returns how much more may be
    /// appended to this log before [`lags`](Self::lags) is called.
    ///
    /// # Errors
    /// Gives the feed back when the connection is closing: it must not be dropped here.
    fn news(&self, feed: Cursor) -> Result<Allowance, Cursor> {
        Err(feed)
    }

    /// More was appended to a log that this transport reads than it had room for when it was last
    /// asked; [`Cursor::at_most`] tells how much waits there. Returns how much more may be appended before
    /// it is asked again.
    fn lags(&self) -> Allowance {
        Allowance::default()
    }

    /// So much waits for this transport that it must be looked after: what its client takes is written
    /// now, in the caller's task, and if that leaves more than the limits allow, the queue's policy
    /// applies. Only a transport whose client has let a write wait may have too much: a queue that
    /// nobody has had the time to write is no sign of a slow client.
    ///
    /// Called outside all locks by the thread that let the queue grow, when a [`Receipt`] or an [`Allowance`]
    /// asked for it. It may take as long as writing what waits does, and never waits for the client.
    fn settle(&self) -> Settled {
        Settled::default()
    }

    /// The peer has left a topic of which something may wait for this transport: nothing is added to that,
    /// but it stays in memory in whole pieces. To be looked after as in [`settle`](Self::settle).
    /// Called outside all locks.
    fn left(&self) -> Settled {
        Settled::default()
    }

    /// Arranges for what `publish` queued, `news` announced, or `close` asked for to be written. Called
    /// after the former two when they asked for it.
    fn wake(&self);

    /// Who writes for this transport together with others, when many are to be woken at once.
    /// Constant. `None`, the default, for one that is woken by itself.
    fn flusher(&self) -> Option<&dyn Flusher> {
        None
    }

    /// As [`wake`](Self::wake), but writes at once what can be written without waiting, in the
    /// caller's task, so that the connection's own can sleep on. Answers whether anything was
    /// written. Called outside all locks, for a [`flusher`](Self::flusher).
    fn flush(&self) -> bool {
        self.wake();
        false
    }

    /// Returns whether the client takes less than it is sent, so that those who send should wait: more
    /// than half of a bound waits although what could be written at once was, and it has not had long to
    /// catch up.
    fn is_behind(&self) -> bool {
        false
    }

    /// Sends a close frame after everything queued, and ends the connection when the client
    /// answers or the time for it is up. Wakes nobody: [`wake`](Self::wake) follows. Called at most
    /// once; does nothing after `terminate`, which another thread may have called just before.
    fn close(&self, frame: CloseFrame);

    /// Drops the connection at once, without a close frame.
    fn terminate(&self);

    /// The wall clock that credentials end by. Asked only where [`Capabilities::EXPIRY`] is
    /// declared; by default it stands still at the epoch.
    fn now(&self) -> SystemTime {
        UNIX_EPOCH
    }

    /// The peer's credentials end at another time than before, `None` for never: what
    /// [`PeerEvents::expires_at`](crate::adapter::PeerEvents::expires_at) answers from now on. By default
    /// wakes the writer, which keeps the time.
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

    /// Bytes queued and not yet handed to the platform; 0 where that is not known.
    fn buffered_amount(&self) -> usize {
        0
    }

    /// Messages for this peer that a policy discarded.
    fn dropped(&self) -> u64 {
        0
    }

    /// Whether one more message of this length may be queued without bringing the queue above half of a
    /// bound; always where nothing waits, and where the platform does not tell what waits. What changes it
    /// is followed by [`PeerEvents::drained`](crate::adapter::PeerEvents::drained).
    fn has_room(&self, len: usize) -> bool {
        let _ = len;
        true
    }

    /// Where this connection's traffic is counted: the transport tells it what is
    /// [sent](crate::adapter::Meter::sent), and of pings and pongs where there are any. What is received
    /// the session counts. `None`, the default, for a transport that does not count.
    fn meter(&self) -> Option<&MeterCell> {
        None
    }

    /// Stores what of the peer must outlive the memory, in place of what was stored before. Called
    /// when the peer has joined, and whenever its topics, context or expiry have changed, where
    /// [`Capabilities::HIBERNATION`] is declared. Calls do not overlap.
    ///
    /// # Errors
    /// When there is no room for it, or the platform refuses: then what was stored before stands,
    /// and the change is undone.
    fn persist(&self, snapshot: Snapshot) -> Result<(), PersistError> {
        let _ = snapshot;
        Ok(())
    }

    /// The extensions that were negotiated, as in the answer's header; empty for none.
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

/// What became of a published message at one subscriber.
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
    /// How many bytes wait, this message's among them, where that is known.
    pub waiting: usize,
}

impl Receipt {
    /// Queued; `wake` when the writer sleeps.
    pub const fn queued(wake: bool) -> Self {
        Self {
            queued: true,
            wake,
            settle: false,
            dropped: 0,
            waiting: 0,
        }
    }

    /// Not queued, because the connection is closing.
    pub const fn closed() -> Self {
        Self {
            queued: false,
            wake: false,
            settle: false,
            dropped: 0,
            waiting: 0,
        }
    }

    /// Not queued, because the queue is full: `dropped` messages are lost. Wakes the writer,
    /// which may have a connection to close.
    pub const fn full(dropped: u64) -> Self {
        Self {
            queued: false,
            wake: true,
            settle: false,
            dropped,
            waiting: 0,
        }
    }

    /// Not queued, because the message is volatile and would have had to wait. `wake` if the peer is
    /// to be told.
    pub const fn discarded(wake: bool) -> Self {
        Self {
            queued: false,
            wake,
            settle: false,
            dropped: 1,
            waiting: 0,
        }
    }

    /// Queued in place of `dropped` older messages.
    pub const fn replaced(dropped: u64, wake: bool) -> Self {
        Self {
            queued: true,
            wake,
            settle: false,
            dropped,
            waiting: 0,
        }
    }

    /// Says how many bytes wait.
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

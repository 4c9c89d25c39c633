use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::bounds::{MaybeSend, MaybeSync};
use crate::{
    Capabilities, CloseFrame, ControlError, Feed, Flusher, Lag, Message, PersistError, Publication,
    Room, SendError, Snapshot, Wire,
};

/// One connection's way out, as an adapter provides it: queues, and never waits.
///
/// Publications reach it in one of two ways, as [`wire`](Transport::wire) says: it is handed each
/// of them, or it reads the topic's log when it is about to write.
///
/// No method may call back into the hub, a peer or a [`Feed`]: `publish`, `news` and `lags` run
/// while the topic is locked, so that every subscriber sees the same order. Whatever wakes a task
/// belongs into [`wake`](Self::wake), which runs after the lock is gone.
pub trait Transport: MaybeSend + MaybeSync + 'static {
    /// What this transport can do. Constant for its life.
    fn capabilities(&self) -> Capabilities;

    /// Queues a message and sees to its being written.
    ///
    /// # Errors
    /// [`SendError::Closed`] after `close` or `terminate`, or when the client is gone;
    /// [`SendError::Full`] when the queue's policy refuses.
    fn send(&self, message: Message) -> Result<(), SendError>;

    /// As [`send`](Self::send), for a message that must not be compressed. The same thing where
    /// nothing is, as without [`Capabilities::COMPRESSION`].
    ///
    /// # Errors
    /// As [`send`](Self::send).
    fn send_uncompressed(&self, message: Message) -> Result<(), SendError> {
        self.send(message)
    }

    /// The wire format in which this transport reads its topics' logs by itself: publications are
    /// encoded once, appended to a log that all readers of the format share, and fetched with
    /// [`Feed::take`]. Asked when the peer joins a topic. `None`, the default, for a transport that
    /// is handed every publication with [`publish`](Self::publish).
    fn wire(&self) -> Option<Wire> {
        None
    }

    /// Queues a published message, without waking anyone. One call per subscriber, in the
    /// topic's order. Not called where there is a [`wire`](Self::wire).
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
    /// `first` is the length of the first publication. Wakes nobody. It says how much may wait
    /// in this log: more than that is asked about, with [`lags`](Self::lags).
    ///
    /// # Errors
    /// Gives the feed back when the connection is closing: it must not be dropped here.
    fn news(&self, feed: Feed, first: usize) -> Result<Room, Feed> {
        let _ = first;
        Err(feed)
    }

    /// So much waits in one log for this transport, or was published by its own peer since, which is
    /// more than it had room for when it was last asked. It says how much room is left now. `kept` is
    /// both together: what the log keeps in memory for it.
    ///
    /// # Errors
    /// When that is too much: the connection ends as a slow consumer's. The error is how many
    /// messages are lost, those of the lag included.
    fn lags(&self, lag: Lag, kept: Lag) -> Result<Room, u64> {
        let _ = kept;
        Err(lag.messages as u64)
    }

    /// Sees to it that what `publish` queued, or `news` announced, is written. Called after them
    /// when their answer asked for it, and after `lags` has ended the connection.
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

    /// Sends a close frame after everything queued, and ends the connection when the client
    /// answers or the time for it is up. Called at most once; does nothing after `terminate`,
    /// which another thread may have called just before.
    fn close(&self, frame: CloseFrame);

    /// Drops the connection at once, without a close frame.
    fn terminate(&self);

    /// The wall clock that credentials end by. Asked only where [`Capabilities::EXPIRY`] is
    /// declared; by default it stands still at the epoch.
    fn now(&self) -> SystemTime {
        UNIX_EPOCH
    }

    /// The peer's credentials end at another time than before, `None` for never: what
    /// [`Lifeline::expires_at`](crate::Lifeline::expires_at) answers from now on. By default
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

/// What became of a published message at one subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// Whether the message was queued.
    pub queued: bool,
    /// Whether [`Transport::wake`] must be called.
    pub wake: bool,
    /// How many messages, this one or older ones, were discarded for it.
    pub dropped: u64,
}

impl Receipt {
    /// Queued; `wake` when the writer sleeps.
    pub const fn queued(wake: bool) -> Self {
        Self {
            queued: true,
            wake,
            dropped: 0,
        }
    }

    /// Not queued, because the connection is closing.
    pub const fn closed() -> Self {
        Self {
            queued: false,
            wake: false,
            dropped: 0,
        }
    }

    /// Not queued, because the queue is full: `dropped` messages are lost. Wakes the writer,
    /// which may have a connection to close.
    pub const fn full(dropped: u64) -> Self {
        Self {
            queued: false,
            wake: true,
            dropped,
        }
    }

    /// Queued in place of `dropped` older messages.
    pub const fn replaced(dropped: u64, wake: bool) -> Self {
        Self {
            queued: true,
            wake,
            dropped,
        }
    }
}

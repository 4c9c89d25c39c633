use std::any::{Any, TypeId};
use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;

use crate::bounds::{AnyValue, MaybeSend, MaybeSync};
use crate::{Capabilities, CloseFrame, ControlError, Message, PersistError, SendError, Snapshot};

/// One connection's way out, as an adapter provides it: queues, and never waits.
///
/// No method may call back into the hub or a peer: `publish` runs while the topic is locked, so
/// that every subscriber sees the same order. Whatever wakes a task belongs into
/// [`wake`](Self::wake), which runs after the lock is gone.
pub trait Transport: MaybeSend + MaybeSync + 'static {
    /// What this transport can do. Constant for its life.
    fn capabilities(&self) -> Capabilities;

    /// Queues a message and sees to its being written.
    ///
    /// # Errors
    /// [`SendError::Closed`] after `close` or `terminate`, or when the client is gone;
    /// [`SendError::Full`] when the queue's policy refuses.
    fn send(&self, message: Message) -> Result<(), SendError>;

    /// Queues a published message, without waking anyone. One call per subscriber, in the
    /// topic's order.
    fn publish(&self, publication: &Publication) -> Receipt;

    /// Sees to it that what `publish` queued is written. Called after `publish` when its receipt
    /// asked for it.
    fn wake(&self);

    /// Sends a close frame after everything queued, and ends the connection when the client
    /// answers or the time for it is up. Called at most once; does nothing after `terminate`,
    /// which another thread may have called just before.
    fn close(&self, frame: CloseFrame);

    /// Drops the connection at once, without a close frame.
    fn terminate(&self);

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
    /// when the peer has joined, and whenever its topics or its context have changed, where
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

/// A published message on its way to many subscribers: encoded once, shared by all.
pub struct Publication {
    message: Message,
    encoded: OnceLock<(TypeId, Bytes)>,
    prepared: OnceLock<Box<AnyValue>>,
}

/// A wire format for [`Publication::encoded`].
pub trait Encoding: 'static {
    /// The message as bytes on the wire. A pure function of the message.
    fn encode(message: &Message) -> Bytes;
}

impl Publication {
    /// A publication of `message`.
    pub fn new(message: Message) -> Self {
        Self {
            message,
            encoded: OnceLock::new(),
            prepared: OnceLock::new(),
        }
    }

    /// The message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The message in the wire format `E`. The first format asked for is computed once and
    /// shared; another one on the same hub is computed at each call.
    pub fn encoded<E: Encoding>(&self) -> Bytes {
        let (format, bytes) = self
            .encoded
            .get_or_init(|| (TypeId::of::<E>(), E::encode(&self.message)));
        if *format == TypeId::of::<E>() {
            bytes.clone()
        } else {
            E::encode(&self.message)
        }
    }

    /// The message as a platform's own value, made by the first subscriber that asks and shared
    /// by the others. `None` if the value that was made first is of another type.
    pub fn prepared<T: MaybeSend + MaybeSync + 'static>(
        &self,
        make: impl FnOnce(&Message) -> T,
    ) -> Option<&T> {
        let value = self.prepared.get_or_init(|| Box::new(make(&self.message)));
        (&**value as &dyn Any).downcast_ref()
    }
}

impl fmt::Debug for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Publication({:?})", self.message)
    }
}

//! What is sent to one peer, and what waits for it.

pub(crate) mod send_line;

use bytes::Bytes;

use crate::error::{ControlError, SendError};
use crate::message::IntoMessage;
use crate::message::send::{SendOptions, Sent};
use crate::observe::watch;
use crate::peer::Peer;
use crate::peer::life::PeerState;
use crate::transport::{ControlFrame, OutboundQueue, Settled};

impl Peer {
    /// Queues a message: text, bytes, or [`Json`](crate::Json). Never waits; the message is on the
    /// wire while the hook goes on.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.send("text")?;
    /// peer.send(vec![1, 2, 3])?;
    /// peer.send(Json(["a", "b"]))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The error returns the message if the connection is closed, or if the peer's queue is full
    /// and its policy refuses the newest message. Under the default policy a full queue closes the
    /// peer.
    pub fn send(&self, message: impl IntoMessage) -> Result<Sent, SendError> {
        self.send_as(message, const { &SendOptions::new() })
    }

    /// As [`send`](Self::send), with options.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.send_with("42", SendOptions::new().key("price"))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_with(
        &self,
        message: impl IntoMessage,
        options: SendOptions,
    ) -> Result<Sent, SendError> {
        self.send_as(message, &options)
    }

    fn send_as(&self, message: impl IntoMessage, options: &SendOptions) -> Result<Sent, SendError> {
        let message = message.into_message()?;
        if self.state() != PeerState::Open {
            return Err(SendError::Closed(message));
        }
        let sent = match self.0.life.is_followed() {
            false => self.0.transport.send(message, options),
            true => watch::send(self, message, options),
        };
        if let Ok(Sent::Queued { bytes }) = sent
            && bytes > MAY_BE_BEHIND
        {
            self.note_behind();
        }
        sent
    }

    #[cold]
    fn note_behind(&self) {
        if self.is_behind() {
            self.0.hub.registry().behind.add(self);
        }
    }

    /// Queues a ping with up to 125 bytes.
    ///
    /// # Errors
    /// If the connection is closed, the data is too long, a ping is still queued, or the transport
    /// has no control frames.
    pub fn ping(&self, data: impl Into<Bytes>) -> Result<(), ControlError> {
        self.control(ControlFrame::Ping(data.into()))
    }

    /// Queues a pong with up to 125 bytes: unsolicited, or as the answer of a `ping` hook if the
    /// limit `auto_pong` is off. If more than 16 wait, only the latest are kept, and only one while
    /// the client does not take its frames (RFC 6455 section 5.5.3).
    ///
    /// # Errors
    /// If the connection is closed, the data is too long, or the transport has no control frames.
    pub fn pong(&self, data: impl Into<Bytes>) -> Result<(), ControlError> {
        self.control(ControlFrame::Pong(data.into()))
    }

    fn control(&self, frame: ControlFrame) -> Result<(), ControlError> {
        /// RFC 6455 section 5.5.
        const MAX_CONTROL: usize = 125;
        let (ControlFrame::Ping(data) | ControlFrame::Pong(data)) = &frame;
        if data.len() > MAX_CONTROL {
            return Err(ControlError::TooLong(data.len()));
        }
        if self.state() != PeerState::Open {
            return Err(ControlError::Closed);
        }
        self.0.transport.control(frame)
    }

    fn queue(&self) -> Option<&dyn OutboundQueue> {
        self.0.transport.queue()
    }

    /// See [`OutboundQueue::has_room`].
    pub(super) fn has_room(&self, len: usize) -> bool {
        self.queue().is_none_or(|queue| queue.has_room(len))
    }

    /// Returns how many bytes are queued for this peer and not yet handed to the platform.
    pub fn buffered_amount(&self) -> usize {
        self.queue().map_or(0, OutboundQueue::buffered_amount)
    }

    /// Returns whether the client takes less than it is sent, so that a loop that sends to it
    /// should wait: more than half of a bound waits
    /// ([`Limits::max_buffered`](crate::Limits::max_buffered),
    /// [`Limits::max_queued`](crate::Limits::max_queued)) although the platform took all that it
    /// could at once, and the client has not had long to catch up.
    ///
    /// A client that reads catches up within milliseconds, or a little longer on a busy machine. A
    /// client that has not caught up after 300 ms is not waited for: the result is false from then
    /// on until the client has taken a quarter of a bound. Always false on transports that do not
    /// know.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # async fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// for part in 0..1_000_000_u32 {
    ///     peer.send(part.to_string())?;
    ///     if peer.is_behind() {
    ///         peer.drained(1 << 10).await;
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn is_behind(&self) -> bool {
        self.queue().is_some_and(OutboundQueue::is_behind)
    }

    /// Returns how many messages for this peer its queue's policy discarded.
    pub fn dropped(&self) -> u64 {
        self.queue().map_or(0, OutboundQueue::dropped)
    }

    /// Waits until at most `threshold` bytes are queued, or the connection is over.
    ///
    /// The writer wakes the future; it does not poll. On a transport without
    /// [`Capabilities::DRAIN`](crate::Capabilities::DRAIN) the amount is always 0 and the future is ready at once.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # async fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.send(vec![0; 1 << 20])?;
    /// peer.drained(0).await;
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the queue.
    pub async fn drained(&self, threshold: usize) {
        loop {
            let listener = self.0.life.drained();
            if self.state() != PeerState::Open || self.buffered_amount() <= threshold {
                return;
            }
            listener.await;
        }
    }

    /// See [`Transport::settle`].
    pub(crate) fn settle(&self) -> Settled {
        self.settled(self.0.transport.settle())
    }

    /// Reports the writes and discards of a settled queue to the waiting tasks and observers.
    pub(super) fn settled(&self, settled: Settled) -> Settled {
        if settled.wrote {
            self.0.life.notify_drained();
        }
        settled
    }
}

/// This many bytes may be more than half of a bound, by default: that many messages, of at least
/// two bytes.
const MAY_BE_BEHIND: usize = 4096;

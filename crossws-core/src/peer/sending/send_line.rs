//! The tasks that wait for room in a peer's queue, in the order of their arrival.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::error::SendError;
use crate::message::IntoMessage;
use crate::message::send::Sent;
use crate::peer::Peer;
use crate::peer::life::PeerState;
use crate::sync::Mutex;

/// Stored in a peer's extensions, because few peers have waiting tasks.
#[derive(Default)]
struct SendLine(Mutex<Line>);

#[derive(Default)]
struct Line {
    last: u64,
    waiting: VecDeque<(u64, Waker)>,
}

/// A place in the line. Dropping it lets the next task go on.
struct PlaceInLine {
    line: Arc<SendLine>,
    number: u64,
}

impl PlaceInLine {
    fn take(line: Arc<SendLine>) -> Self {
        let mut state = line.0.lock();
        state.last += 1;
        let number = state.last;
        state.waiting.push_back((number, Waker::noop().clone()));
        drop(state);
        Self { line, number }
    }

    /// Waits until this place is the first.
    async fn is_first(&self) {
        poll_fn(|cx| {
            let mut state = self.line.0.lock();
            let first = state.waiting.front().map(|(number, _)| *number);
            if first.is_none_or(|first| first == self.number) {
                return Poll::Ready(());
            }
            let mut waiting = state.waiting.iter_mut();
            let own = waiting.find(|(number, _)| *number == self.number);
            let old = own.map(|(_, waker)| std::mem::replace(waker, cx.waker().clone()));
            drop(state);
            // Outside the lock: it may be the last handle to a task, whose destructors run here.
            drop(old);
            Poll::Pending
        })
        .await;
    }
}

impl Drop for PlaceInLine {
    fn drop(&mut self) {
        let mut state = self.line.0.lock();
        let mut waiting = state.waiting.iter();
        let index = waiting.position(|(number, _)| *number == self.number);
        let own = index.and_then(|index| state.waiting.remove(index));
        let next = state.waiting.front().filter(|_| index == Some(0));
        let next = next.map(|(_, waker)| waker.clone());
        drop(state);
        drop(own);
        if let Some(next) = next {
            next.wake();
        }
    }
}

impl Peer {
    /// Queues a message as [`send`](Self::send) does, once there is room for it. It waits while
    /// more than half of a bound waits for the client
    /// ([`Limits::max_buffered`](field@crate::Limits::max_buffered),
    /// [`Limits::max_queued`](field@crate::Limits::max_queued)). Waiting tasks are served in the
    /// order of their arrival. A loop that sends much is therefore as fast as its client, and
    /// neither reaches a bound nor loses a message to a policy.
    ///
    /// [`send`](Self::send) never waits: a message that it sends meanwhile is queued at once,
    /// before those that wait here. Neither waits until the client has the message;
    /// [`drained`](Self::drained) waits until it is written. On a platform that does not report its
    /// queue ([`Capabilities::DRAIN`](crate::Capabilities::DRAIN) is absent, as on Workers) there
    /// is always room.
    ///
    /// ```
    /// # use crossws_core::{Peer, SendError};
    /// async fn export(peer: &Peer, rows: Vec<String>) -> Result<(), SendError> {
    ///     for row in rows {
    ///         peer.send_when_ready(row).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send): the error returns the message if the connection is ending, also
    /// during the wait.
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready, the message was not queued.
    pub async fn send_when_ready(&self, message: impl IntoMessage) -> Result<Sent, SendError> {
        let mut message = message.into_message()?;
        let place = PlaceInLine::take(self.extensions().get_or_default::<SendLine>());
        place.is_first().await;
        loop {
            let drained = self.life().drained();
            if self.state() != PeerState::Open {
                return Err(SendError::Closed(message));
            }
            if self.has_room(message.len()) {
                match self.send(message) {
                    // Another task has been faster.
                    Err(SendError::Full(back)) if self.state() == PeerState::Open => message = back,
                    sent => return sent,
                }
            }
            drained.await;
        }
    }
}

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use crate::message::Message;
use crate::message::close::Closed;
use crate::opaque_debug;
use crate::peer::Peer;
use crate::sync::{Event, Mutex};

/// The messages of one connection, in order. They are [`Message`]s, unless the loop is a typed one.
///
/// It is also a [`Stream`].
///
/// Dropping it does not close the connection; messages that arrive then are discarded.
pub struct Incoming<M = Message> {
    channel: Arc<Channel<M>>,
    peer: Peer,
}

impl<M> Incoming<M> {
    pub(super) fn new(channel: Arc<Channel<M>>, peer: Peer) -> Self {
        Self { channel, peer }
    }

    /// Returns the next message; `None` when the connection is ending and every message that had
    /// arrived was taken. [`closed`](Self::closed) then returns how it ended.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message, so that it can be used in a `select!`.
    pub async fn next(&mut self) -> Option<M> {
        std::future::poll_fn(|cx| self.poll_next_message(cx)).await
    }

    fn poll_next_message(&self, cx: &mut Context<'_>) -> Poll<Option<M>> {
        self.channel.poll_take(cx).map(Result::ok)
    }

    /// Waits for the connection's end and returns how it ended, as the `close` hook gets it.
    /// Messages that arrive meanwhile are discarded. Returns at once after [`next`](Self::next) has
    /// returned `None`.
    ///
    /// ```
    /// # let _: crossws_core::Handler =
    /// crossws_core::handler(|peer, mut incoming| async move {
    ///     while let Some(message) = incoming.next().await {
    ///         peer.send(message)?;
    ///     }
    ///     println!("{peer} has left with {}", incoming.closed().await.code);
    ///     Ok(())
    /// });
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the future loses the messages that it has discarded.
    pub async fn closed(&mut self) -> Closed {
        loop {
            if let Err(closed) = std::future::poll_fn(|cx| self.channel.poll_take(cx)).await {
                return closed;
            }
        }
    }

    /// Returns the peer whose messages these are.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }
}

impl<M> Stream for Incoming<M> {
    type Item = M;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<M>> {
        self.poll_next_message(cx)
    }
}

impl<M> Drop for Incoming<M> {
    fn drop(&mut self) {
        self.channel.forsake();
    }
}

opaque_debug!(Incoming<M>);

/// Between the `message` hook and the loop: holds one message at a time, so that the socket is read
/// no faster than the loop takes messages.
pub(super) struct Channel<M> {
    state: Mutex<Channeled<M>>,
    changed: Event,
}

impl<M> Default for Channel<M> {
    fn default() -> Self {
        let state = Channeled {
            waiting: VecDeque::new(),
            reader: None,
            ended: None,
            forsaken: false,
            over: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Event::default(),
        }
    }
}

struct Channeled<M> {
    waiting: VecDeque<M>,
    reader: Option<Waker>,
    /// How the connection ended. No more messages will come.
    ended: Option<Closed>,
    /// No reader will take another message.
    forsaken: bool,
    /// The loop has returned, and its cleanup has run.
    over: bool,
}

impl<M> Channel<M> {
    /// Passes a message and waits until the reader has taken it, or there is no reader left.
    pub(super) async fn give(&self, message: M) {
        let reader = {
            let mut state = self.state.lock();
            if state.forsaken {
                return;
            }
            state.waiting.push_back(message);
            state.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
        self.wait(|state| (state.waiting.is_empty() || state.forsaken).then_some(()))
            .await;
    }

    /// Ends the channel with the connection. Does nothing the second time.
    pub(super) fn end(&self, closed: Closed) {
        let reader = {
            let mut state = self.state.lock();
            state.ended.get_or_insert(closed);
            state.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
        self.changed.notify_all();
    }

    /// Waits for the end of the loop.
    pub(super) async fn over(&self) {
        self.wait(|state| state.over.then_some(())).await;
    }

    fn forsake(&self) {
        let reader = {
            let mut state = self.state.lock();
            state.forsaken = true;
            state.reader.take()
        };
        // A waker's destructor may be a task's: it must run outside the lock.
        drop(reader);
        self.changed.notify_all();
    }

    /// Returns the next message, or how the connection ended.
    fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Result<M, Closed>> {
        let mut state = self.state.lock();
        if let Some(message) = state.waiting.pop_front() {
            drop(state);
            self.changed.notify_all();
            return Poll::Ready(Ok(message));
        }
        if let Some(closed) = &state.ended {
            return Poll::Ready(Err(closed.clone()));
        }
        let old = state.reader.replace(cx.waker().clone());
        drop(state);
        drop(old);
        Poll::Pending
    }

    async fn wait<T>(&self, reached: impl Fn(&Channeled<M>) -> Option<T>) -> T {
        loop {
            let listener = self.changed.listen();
            if let Some(reached) = reached(&self.state.lock()) {
                return reached;
            }
            listener.await;
        }
    }
}

/// Marks the loop as over when dropped, also after a panic.
pub(super) struct Over<M>(pub(super) Arc<Channel<M>>);

impl<M> Over<M> {
    /// Waits for the connection's end.
    pub(super) async fn closed(&self) -> Closed {
        self.0.wait(|state| state.ended.clone()).await
    }
}

impl<M> Drop for Over<M> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.over = true;
        drop(state);
        self.0.changed.notify_all();
    }
}

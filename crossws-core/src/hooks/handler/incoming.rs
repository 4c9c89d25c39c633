use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use crate::message::Message;
use crate::message::close::Closed;
use crate::peer::Peer;
use crate::sync::{Event, Mutex};

/// The messages of one connection, in order.
///
/// It is also a [`Stream`].
///
/// Dropping it does not close the connection; messages that arrive then are discarded.
pub struct Incoming {
    channel: Arc<Channel>,
    peer: Peer,
}

impl Incoming {
    pub(super) fn new(channel: Arc<Channel>, peer: Peer) -> Self {
        Self { channel, peer }
    }

    /// Returns the next message; `None` when the connection is ending and every message that had
    /// arrived was taken. [`closed`](Self::closed) then returns how it ended.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message, so that it can be used in a `select!`.
    pub async fn next(&mut self) -> Option<Message> {
        std::future::poll_fn(|cx| self.poll_next_message(cx)).await
    }

    fn poll_next_message(&self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
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

impl Stream for Incoming {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.poll_next_message(cx)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.channel.forsake();
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Incoming(..)")
    }
}

/// Between the `message` hook and the loop: holds one message at a time, so that the socket is read
/// no faster than the loop takes messages.
#[derive(Default)]
pub(super) struct Channel {
    state: Mutex<Channeled>,
    changed: Event,
}

#[derive(Default)]
struct Channeled {
    waiting: VecDeque<Message>,
    reader: Option<Waker>,
    /// How the connection ended. No more messages will come.
    ended: Option<Closed>,
    /// No reader will take another message.
    forsaken: bool,
    /// The loop has returned, and its cleanup has run.
    over: bool,
}

impl Channel {
    /// Passes a message and waits until the reader has taken it, or there is no reader left.
    pub(super) async fn give(&self, message: Message) {
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
    fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Result<Message, Closed>> {
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

    async fn wait<T>(&self, reached: impl Fn(&Channeled) -> Option<T>) -> T {
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
pub(super) struct Over(pub(super) Arc<Channel>);

impl Over {
    /// Waits for the connection's end.
    pub(super) async fn closed(&self) -> Closed {
        self.0.wait(|state| state.ended.clone()).await
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.over = true;
        drop(state);
        self.0.changed.notify_all();
    }
}

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use crate::bounds::{BoxError, Callback, MaybeSend, MaybeSync};
use crate::error::{Error, Unsupported};
use crate::hooks::closures::Defaults;
use crate::hooks::{HookResult, Hooks, OnError};
use crate::hub::capabilities::Capabilities;
use crate::message::Message;
use crate::message::close::{CloseCode, Closed};
use crate::peer::Peer;
use crate::sync::{Event, Mutex};
use crate::upgrade::Upgrade;
use crate::upgrade::rejection::Rejection;
use crate::upgrade::request::UpgradeRequest;

/// Hooks from a loop that owns the connection: the other handler style.
///
/// The function runs beside the connection. [`Incoming`] yields its messages and ends when the
/// connection does, whoever ended it; the function may finish its work then, and the connection
/// counts as alive until it has. When it returns before, the connection is closed with 1000,
/// unless it returned [`HandlerEnd::KeepOpen`]. Its error reaches the `error` hook as any other.
///
/// The socket is not read ahead of the loop: a slow loop slows its client down. A loop cannot
/// survive hibernation, so it needs [`Capabilities::HANDLER`]: without it `open`
/// fails with [`Unsupported`].
///
/// ```
/// let echo = crossws_core::handler(|peer, mut incoming| async move {
///     while let Some(message) = incoming.next().await {
///         peer.send(message)?;
///     }
///     Ok(())
/// });
/// # let _: &dyn crossws_core::DynHooks = &echo;
/// ```
pub fn handler<F, Fut, T>(run: F) -> Handler
where
    F: Fn(Peer, Incoming) -> Fut + MaybeSend + MaybeSync + 'static,
    Fut: Future<Output = Result<T, BoxError>> + MaybeSend + 'static,
    T: Into<HandlerEnd> + 'static,
{
    Handler {
        upgrade: None,
        error: None,
        run: Box::new(move |(peer, incoming)| {
            let future = run(peer, incoming);
            Box::pin(async { future.await.map(Into::into) })
        }),
    }
}

/// See [`handler`].
#[must_use = "hooks do nothing until a server runs them"]
pub struct Handler {
    upgrade: Option<Callback<UpgradeRequest, Result<Upgrade, Rejection>>>,
    error: Option<Callback<(Peer, Error), OnError>>,
    run: Callback<(Peer, Incoming), Result<HandlerEnd, BoxError>>,
}

/// What happens to a connection whose handler has returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HandlerEnd {
    /// It is closed with 1000.
    #[default]
    Close,
    /// It stays open, for those who hold the peer; messages that arrive are discarded.
    KeepOpen,
}

impl From<()> for HandlerEnd {
    fn from((): ()) -> Self {
        Self::Close
    }
}

impl Handler {
    /// Sets [`Hooks::upgrade`].
    pub fn on_upgrade<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(UpgradeRequest) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = Result<Upgrade, Rejection>> + MaybeSend + 'static,
    {
        self.upgrade = Some(Box::new(move |request| Box::pin(hook(request))));
        self
    }

    /// Sets [`Hooks::error`].
    pub fn on_error<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Peer, Error) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = OnError> + MaybeSend + 'static,
    {
        self.error = Some(Box::new(move |(peer, error)| Box::pin(hook(peer, error))));
        self
    }
}

impl Hooks for Handler {
    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        match &self.upgrade {
            Some(hook) => hook(request.clone()).await,
            None => Ok(Upgrade::new()),
        }
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        if !peer.capabilities().contains(Capabilities::HANDLER) {
            return Err(Unsupported("a handler that owns the connection").into());
        }
        let channel = Arc::new(Channel::default());
        peer.extensions().insert(Shared(Arc::clone(&channel)));
        let over = Over(Arc::clone(&channel));
        let run = (self.run)((peer.clone(), Incoming(channel)));
        let peer = peer.clone();
        peer.clone().spawn(async move {
            let _over = over;
            if run.await? == HandlerEnd::Close {
                peer.close(CloseCode::NORMAL, "");
            }
            Ok::<_, BoxError>(())
        });
        Ok(())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        if let Some(channel) = channel(peer) {
            channel.give(message).await;
        }
        Ok(())
    }

    async fn close(&self, peer: &Peer, _: Closed) -> HookResult {
        if let Some(channel) = channel(peer) {
            channel.end();
            channel.over().await;
        }
        Ok(())
    }

    async fn error(&self, peer: &Peer, error: Error) -> OnError {
        match &self.error {
            Some(hook) => hook((peer.clone(), error)).await,
            None => Defaults.error(peer, error).await,
        }
    }
}

/// The connection's channel, as `open` left it.
fn channel(peer: &Peer) -> Option<Arc<Channel>> {
    let shared = peer.extensions().get::<Shared>()?;
    Some(Arc::clone(&shared.0))
}

/// What `open` leaves in the peer's extensions: a type of its own, so that no user's value meets it.
struct Shared(Arc<Channel>);

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handler(..)")
    }
}

/// The messages of one connection, in order.
///
/// It is also a [`Stream`].
///
/// Dropping it does not close the connection; messages that arrive then are discarded.
pub struct Incoming(Arc<Channel>);

impl Incoming {
    /// The next message; `None` when the connection is ending and all that had arrived was taken.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message.
    pub async fn next(&mut self) -> Option<Message> {
        std::future::poll_fn(|cx| self.0.poll_take(cx)).await
    }
}

impl Stream for Incoming {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.0.poll_take(cx)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.0.forsake();
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Incoming(..)")
    }
}

/// Between the `message` hook and the loop: one message at a time, so that the socket is read
/// no faster than the loop takes.
#[derive(Default)]
struct Channel {
    state: Mutex<Channeled>,
    changed: Event,
}

#[derive(Default)]
struct Channeled {
    waiting: VecDeque<Message>,
    reader: Option<Waker>,
    /// No more messages will come.
    ended: bool,
    /// Nobody will take one.
    forsaken: bool,
    /// The loop has returned.
    over: bool,
}

impl Channel {
    /// Gives a message and waits until it was taken, or nobody is left to take it.
    async fn give(&self, message: Message) {
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
        self.wait(|state| state.waiting.is_empty() || state.forsaken)
            .await;
    }

    fn end(&self) {
        let reader = {
            let mut state = self.state.lock();
            state.ended = true;
            state.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    async fn over(&self) {
        self.wait(|state| state.over).await;
    }

    fn forsake(&self) {
        let reader = {
            let mut state = self.state.lock();
            state.forsaken = true;
            state.reader.take()
        };
        // A waker's destructor may be a task's: outside the lock.
        drop(reader);
        self.changed.notify_all();
    }

    fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        let mut state = self.state.lock();
        match state.waiting.pop_front() {
            Some(message) => {
                drop(state);
                self.changed.notify_all();
                Poll::Ready(Some(message))
            }
            None if state.ended => Poll::Ready(None),
            None => {
                let old = state.reader.replace(cx.waker().clone());
                drop(state);
                drop(old);
                Poll::Pending
            }
        }
    }

    async fn wait(&self, reached: impl Fn(&Channeled) -> bool) {
        loop {
            let listener = self.changed.listen();
            if reached(&self.state.lock()) {
                return;
            }
            listener.await;
        }
    }
}

/// Says that the loop is over, also when it panicked or was dropped.
struct Over(Arc<Channel>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.state.lock().over = true;
        self.0.changed.notify_all();
    }
}

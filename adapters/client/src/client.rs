use std::future::poll_fn;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crossws_app::calls::{WireForm, event};
use crossws_core::{
    CloseCode, CloseFrame, EncodeError, IntoMessage, MaybeSend, Message, SendError, Sent, Utf8Bytes,
};
use futures_core::Stream;
use http::HeaderMap;
use serde::Serialize;
use serde_json::json;

use crate::error::ConnectError;
use crate::platform::{Platform, Waiting, driving};
use crate::reconnect::Disconnected;
use crate::shared::{Shared, State, Watch};
use crate::status::Status;

/// A client: the receiving end, and a [handle](ClientHandle) whose methods it has.
///
/// It works in a task of its runtime, also while no code awaits it: it answers pings, writes what was
/// sent, and reconnects if that is on. Dropping it closes the connection with 1001; handles then fail.
///
/// It is also a [`Stream`] of messages.
///
/// ```no_run
/// use crossws_client::connect;
/// use crossws_core::CloseCode;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut room = connect("wss://example.com/rooms/1").await?;
/// room.send("hello")?;
/// while let Some(message) = room.next().await {
///     if message.text()? == "bye" {
///         room.close(CloseCode::NORMAL, "bye"); // `next` returns what is left, then `None`
///     }
/// }
/// # Ok(()) }
/// ```
#[must_use = "a client that is dropped closes its connection"]
pub struct Client {
    handle: ClientHandle,
    waiting: Waiting,
}

impl Client {
    pub(crate) fn new(handle: ClientHandle) -> Self {
        let waiting = Waiting::new(handle.platform());
        Self { handle, waiting }
    }

    /// Returns the next message, or `None` when the client has ended and all messages were taken.
    ///
    /// With reconnects, messages of all connections follow each other. Messages that the server sent
    /// while there was no connection are missing.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message.
    pub async fn next(&mut self) -> Option<Message> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    pub(crate) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.waiting.drive(cx);
        self.handle.shared().poll_message(cx)
    }

    /// Returns a handle for other tasks: cheap to clone.
    pub fn handle(&self) -> ClientHandle {
        self.handle.clone()
    }

    /// Takes the error of a client that has never been open.
    pub(crate) fn take_failure(&self) -> ConnectError {
        // The state gets another end, so that the error can be returned as it is.
        let mut state = self.handle.shared().lock();
        let end = state.end.replace(Arc::new(Disconnected::lost()));
        drop(state);
        match end.and_then(Arc::into_inner) {
            Some(Disconnected::Failed(error)) => error,
            _ => ConnectError::Closed,
        }
    }
}

impl Deref for Client {
    type Target = ClientHandle;

    fn deref(&self) -> &ClientHandle {
        &self.handle
    }
}

impl Stream for Client {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.get_mut().poll_message(cx)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.handle.shared().abandon();
    }
}

crossws_core::opaque_debug!([] Client, self => (self.handle.status()));

/// A handle to a client, for every task that sends on it. Cheap to clone; it does not keep the client
/// alive.
// One pointer, because each message's handler gets one.
#[derive(Clone)]
pub struct ClientHandle(Arc<Parts>);

struct Parts {
    shared: Arc<Shared>,
    platform: Arc<dyn Platform>,
    form: WireForm,
}

impl ClientHandle {
    pub(crate) fn new(shared: Arc<Shared>, platform: Arc<dyn Platform>, form: WireForm) -> Self {
        Self(Arc::new(Parts {
            shared,
            platform,
            form,
        }))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    pub(crate) fn platform(&self) -> &Arc<dyn Platform> {
        &self.0.platform
    }

    pub(crate) fn form(&self) -> WireForm {
        self.0.form
    }

    /// Queues a message: text, bytes, or `Json`. It never waits.
    ///
    /// A message that was queued is lost if the connection ends before it is written, unless no part of
    /// it has been taken from the queue: then it is sent on the next connection.
    ///
    /// # Errors
    /// [`SendError::Full`] if more than `Limits::max_buffered` bytes would wait, headers of frames included,
    /// or more than `Limits::max_queued` messages that no connection has taken; [`SendError::Closed`] after
    /// the client's end; both return the message. What happens while there is no connection, and at the end,
    /// is [`while_connecting`](crate::Connect::while_connecting)'s and
    /// [`when_closed`](crate::Connect::when_closed)'s choice.
    pub fn send(&self, message: impl IntoMessage) -> Result<Sent, SendError> {
        self.shared().send(message.into_message()?)
    }

    /// Closes the connection after what is queued, the first time, and ends the client. A client without
    /// a connection ends at once. Codes other than 1000 and 3000 to 4999 become 1000 in browsers, which
    /// permit no others.
    pub fn close(&self, code: CloseCode, reason: impl Into<Utf8Bytes>) {
        self.close_frame(CloseFrame::new(code, reason));
    }

    /// Closes the connection as [`close`](Self::close) does, with this frame:
    /// [`CloseFrame::without_code`] says neither a code nor a reason.
    pub fn close_frame(&self, frame: impl Into<CloseFrame>) {
        self.shared().close(frame.into());
    }

    /// Returns the present state.
    pub fn status(&self) -> Status {
        self.shared().lock().status
    }

    /// Waits until a connection is open. Returns `false` if the client has ended without another one.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the client.
    pub async fn opened(&self) -> bool {
        self.wait(|state| match state.status {
            Status::Connecting => None,
            Status::Open => Some(true),
            Status::Closed => Some(false),
        })
        .await
    }

    /// Waits for the first connection, which may have ended already. Returns `false` if there was none.
    pub(crate) async fn first_opened(&self) -> bool {
        self.wait(|state| match state.was_open {
            true => Some(true),
            false => state.end.as_ref().map(|_| false),
        })
        .await
    }

    /// Waits until the client has ended, and returns how. With reconnects, connections may end before.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the client.
    pub async fn closed(&self) -> Arc<Disconnected> {
        self.wait(|state| state.end.clone()).await
    }

    /// Runs a task on the client's runtime: for the future of
    /// [`Connect::with_handler`](crate::Connect::with_handler), once the task that polls it has no more time
    /// for it.
    ///
    /// # Panics
    /// On tokio, outside a tokio runtime.
    pub fn spawn(&self, task: impl Future<Output = ()> + MaybeSend + 'static) {
        self.platform().spawn(Box::pin(task));
    }

    /// Returns how many bytes of messages wait to be written, with the headers of their frames.
    pub fn buffered_amount(&self) -> usize {
        self.shared().lock().buffered()
    }

    /// Waits until at most `threshold` bytes wait, or the client has ended.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the queue.
    pub async fn drained(&self, threshold: usize) {
        self.wait(|state| (state.buffered() <= threshold || state.end.is_some()).then_some(()))
            .await;
    }

    /// Returns the subprotocol that the server has chosen on the last connection, or `None`.
    pub fn protocol(&self) -> Option<String> {
        self.shared().lock().protocol.clone()
    }

    /// Returns the headers of the last connection's 101. Browsers do not show them.
    pub fn response_headers(&self) -> HeaderMap {
        self.shared().lock().headers.clone()
    }

    /// Sends an event to a server with [`calls`](crossws_app::calls::calls).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn emit(&self, name: &str, payload: impl Serialize) -> Result<Sent, SendError> {
        self.send(event(name, payload).form(self.form()))
    }

    /// Subscribes to a topic on a route with [`rooms`](crossws_app::rooms), on the present connection and
    /// on every later one. The server's answer, and publications, are messages.
    ///
    /// # Errors
    /// As [`send`](Self::send). After [`SendError::Full`], the topic is subscribed to on the next
    /// connection.
    pub fn subscribe(&self, topic: &str) -> Result<(), SendError> {
        self.shared().set_topic(topic, true, subscription(topic)?)
    }

    /// Ends a subscription: see [`subscribe`](Self::subscribe).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn unsubscribe(&self, topic: &str) -> Result<(), SendError> {
        let message = Message::from_json(&json!({"unsubscribe": topic}))?;
        self.shared().set_topic(topic, false, message)
    }

    /// Publishes to the subscribers of a topic, on a route with [`rooms`](crossws_app::rooms).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn publish(&self, topic: &str, data: impl Serialize) -> Result<Sent, SendError> {
        let data = serde_json::to_value(data).map_err(EncodeError::new)?;
        self.send(Message::from_json(
            &json!({"publish": topic, "data": data}),
        )?)
    }

    /// Waits until `look` finds something in the state.
    async fn wait<T>(&self, look: impl Fn(&State) -> Option<T>) -> T {
        let mut watch = Watch::new(self.shared());
        driving(self.platform(), poll_fn(|cx| watch.poll(cx, &look))).await
    }
}

/// Returns the message that subscribes to a topic of the rooms' layer.
pub(crate) fn subscription(topic: &str) -> Result<Message, EncodeError> {
    Message::from_json(&json!({"subscribe": topic}))
}

crossws_core::opaque_debug!([] ClientHandle, self => (self.status()));

//! Clients, and what tests do with them.

pub(crate) mod calls;
pub(crate) mod connect;
pub(crate) mod frame;
pub(crate) mod hear;
pub(crate) mod patience;
pub(crate) mod refusal;
pub(crate) mod room;
pub(crate) mod typed;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use crossws_core::{
    CloseCode, CloseFrame, ControlError, IntoMessage, Message, PeerId, SendError, Utf8Bytes,
};
use crossws_proto::frame::Opcode;
use futures_core::Stream;
use http::Response;
use http::header::SEC_WEBSOCKET_PROTOCOL;

use crate::client::frame::Frame;
use crate::connection::socket::Socket;
use crate::server::World;
use crate::time::executor::Waiter;

/// A scripted client, connected without a socket.
///
/// It behaves like a browser's WebSocket: it always reads into its own memory, whether or not the
/// test takes the frames, and it replies to pings and close frames by itself. Each of these can be
/// switched off.
///
/// What it sends (`send`, `close`, …) is under way at once. The server's hooks run when the test
/// next awaits something of the toolkit: [`next`](Self::next), or
/// [`TestServer::settle`](crate::TestServer::settle).
///
/// Dropping it makes it [vanish](Self::vanish). It is also a [`Stream`] of messages.
#[must_use = "a client that is dropped is gone"]
pub struct Client {
    world: Arc<World>,
    socket: Arc<Socket>,
    waiter: Waiter,
    response: Response<()>,
    id: PeerId,
}

/// How a connection ended, as the client saw it: a browser's `CloseEvent`.
///
/// ```
/// use crossws_core::{CloseCode, hooks};
/// use crossws_memory::{CloseEvent, TestServer};
///
/// # futures_lite::future::block_on(async {
/// let strict = hooks().on_open(|peer| async move { peer.close(CloseCode::POLICY, "not today") });
/// let mut client = TestServer::new(strict).connect("/").await?;
/// let CloseEvent { code, reason, clean, .. } = client.closed().await;
/// assert_eq!((code, &*reason, clean), (1008, "not today", true));
/// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseEvent {
    /// The code of the server's close frame; 1005 if it carried none, 1006 if there was none.
    pub code: u16,
    /// The reason that came with the code, possibly empty.
    pub reason: Utf8Bytes,
    /// Whether both sides sent a close frame.
    pub clean: bool,
}

/// Nothing arrived within the given time.
///
/// ```
/// use std::time::Duration;
///
/// use crossws_core::hooks;
/// use crossws_memory::{Elapsed, TestServer};
///
/// # futures_lite::future::block_on(async {
/// let mut client = TestServer::new(hooks()).connect("/").await?;
/// let elapsed: Elapsed = client.next_within(Duration::from_secs(60)).await.unwrap_err();
/// assert_eq!(elapsed.to_string(), "nothing arrived within 60s of virtual time");
/// # Ok::<_, crossws_memory::ConnectError>(()) }).unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nothing arrived within {0:?} of virtual time")]
pub struct Elapsed(Duration);

impl Client {
    /// Returns the 101, with the hook's headers. It has no `Sec-WebSocket-Accept`, because without
    /// a socket there is nothing to prove.
    pub fn response(&self) -> &Response<()> {
        &self.response
    }

    /// Returns the subprotocol that the server chose, or `None`.
    pub fn protocol(&self) -> Option<&str> {
        let value = self.response.headers().get(SEC_WEBSOCKET_PROTOCOL)?;
        value.to_str().ok()
    }

    /// Returns the peer's id on the server. `hub.peer(id)` finds the peer while it is connected.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// Sends a message: text, bytes, or `Json`.
    ///
    /// # Errors
    /// Returns the message if this client has closed, if the connection is over, or if the value
    /// cannot be encoded as JSON.
    pub fn send(&mut self, message: impl IntoMessage) -> Result<(), SendError> {
        self.socket.client_sends(message.into_message()?)
    }

    /// Sends a ping. The reply is a [`Frame::Pong`].
    ///
    /// # Errors
    /// When this client has closed, when the connection is over, or when the data has more than 125
    /// bytes.
    pub fn ping(&mut self, data: impl Into<Bytes>) -> Result<(), ControlError> {
        self.control(data.into(), Opcode::Ping)
    }

    /// Sends an unsolicited pong, or the reply to a ping when [`auto_pong`](Self::auto_pong) is
    /// off.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub fn pong(&mut self, data: impl Into<Bytes>) -> Result<(), ControlError> {
        self.control(data.into(), Opcode::Pong)
    }

    fn control(&mut self, data: Bytes, opcode: Opcode) -> Result<(), ControlError> {
        /// RFC 6455 section 5.5.
        const MAX_CONTROL: usize = 125;
        if data.len() > MAX_CONTROL {
            return Err(ControlError::TooLong(data.len()));
        }
        self.socket.client_controls(opcode, &data)
    }

    /// Sends bytes as they are, valid frames or not. A client's frames are masked (RFC 6455 section
    /// 5.3).
    ///
    /// ```
    /// # use crossws_memory::TestServer;
    /// # futures_lite::future::block_on(async {
    /// let server = TestServer::new(crossws_core::hooks());
    /// let mut client = server.connect("/").await?;
    /// client.send_raw(b"\x81\x05hello")?; // not masked
    /// assert_eq!(client.closed().await.code, 1002);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When this client has closed, or the connection is over.
    pub fn send_raw(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), ControlError> {
        match self.socket.client_writes(bytes.as_ref()) {
            true => Ok(()),
            false => Err(ControlError::Closed),
        }
    }

    /// Returns the next bytes of the server, as they are, or `None` when the connection has ended. Only
    /// of a client that leaves its frames to the test: see [`Connect::raw`](crate::Connect::raw).
    ///
    /// ```
    /// # use crossws_memory::TestServer;
    /// # futures_lite::future::block_on(async {
    /// let app = crossws_core::hooks().on_open(|peer| async move { peer.send("hello") });
    /// let mut client = TestServer::new(app).connect("/").raw().await?;
    /// assert_eq!(client.next_raw().await.unwrap(), b"\x81\x05hello"[..]);
    /// # Ok::<_, crossws_memory::ConnectError>(()) }).unwrap();
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the future loses no byte.
    pub async fn next_raw(&mut self) -> Option<Bytes> {
        self.wait(Socket::poll_bytes).await
    }

    /// Sends a close frame, the first time. The server's reply ends the connection. Frames that the
    /// server sends before its reply are still received.
    pub fn close(&mut self, code: CloseCode, reason: impl Into<Utf8Bytes>) {
        let frame = CloseFrame::new(code, reason);
        self.socket.client_closes(Some(frame));
    }

    /// Sends a close frame without a code, the first time: the server reports 1005.
    pub fn close_without_code(&mut self) {
        self.socket.client_closes(None);
    }

    /// Disappears without a close frame, as with a lost network or a killed process. What it has
    /// sent arrives; it receives nothing more.
    pub fn vanish(&mut self) {
        self.socket.vanish();
    }

    /// Stops reading: the server's messages wait in its queue, and pings get no pong. Frames that
    /// were already read can still be taken.
    pub fn pause(&mut self) {
        self.socket.set_reads(false);
    }

    /// Resumes reading.
    pub fn resume(&mut self) {
        self.socket.set_reads(true);
    }

    /// Sets whether pings are answered as they arrive. On by default.
    pub fn auto_pong(&mut self, on: bool) {
        self.socket.set_auto_pong(on);
    }

    /// Sets whether the server's close frame is answered as it arrives. On by default. If off, the
    /// server waits for [`close`](Self::close) until `Limits::close_timeout`.
    pub fn auto_close(&mut self, on: bool) {
        self.socket.set_auto_close(on);
    }

    /// Returns the next message, or `None` when the connection has ended and all messages were
    /// taken. Control frames before it are skipped: [`next_frame`](Self::next_frame) returns them
    /// too.
    ///
    /// Waits as long as necessary, without moving virtual time.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message.
    pub async fn next(&mut self) -> Option<Message> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    /// Returns the next message, and moves virtual time on by up to `limit`, from one timer to the
    /// next. Returns `Ok(None)` when the connection has ended.
    ///
    /// # Errors
    /// When nothing arrived by then. It does not wait for a hook that waits for anything but
    /// virtual time (another thread, a runtime's timer).
    ///
    /// # Cancel safety
    /// Dropping the future loses no message; virtual time does not move back.
    pub async fn next_within(&mut self, limit: Duration) -> Result<Option<Message>, Elapsed> {
        let until = self.world.clock.now().saturating_add(limit);
        poll_fn(|cx| {
            loop {
                ready!(self.world.executor.poll_quiet(&self.waiter, cx));
                match self.take_message(Some(cx)) {
                    Poll::Ready(message) => return Poll::Ready(Ok(message)),
                    Poll::Pending if self.world.clock.step(until) => {}
                    Poll::Pending => return Poll::Ready(Err(Elapsed(limit))),
                }
            }
        })
        .await
    }

    /// Returns the next message if one has already arrived. The server does not run meanwhile: call
    /// [`settle`](crate::TestServer::settle) before, so that every message has arrived.
    pub fn try_next(&mut self) -> Option<Message> {
        match self.take_message(None) {
            Poll::Ready(message) => message,
            Poll::Pending => None,
        }
    }

    /// Returns the next frame, control frames included, or `None` when the connection has ended and
    /// all frames were taken.
    ///
    /// # Cancel safety
    /// Dropping the future loses no frame.
    pub async fn next_frame(&mut self) -> Option<Frame> {
        self.wait(|socket, cx| socket.poll_frame(Some(cx))).await
    }

    /// Waits for the end of the connection. Remaining messages can be taken afterwards.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn closed(&mut self) -> CloseEvent {
        self.wait(Socket::poll_closed).await
    }

    /// Waits for something of the socket, and runs the connections meanwhile.
    async fn wait<T>(&self, poll: impl Fn(&Socket, &Context<'_>) -> Poll<T>) -> T {
        poll_fn(|cx| {
            self.world.executor.drive(&self.waiter, cx);
            poll(&self.socket, cx)
        })
        .await
    }

    /// Lets everything run that can.
    pub(crate) async fn quiet(&self) {
        poll_fn(|cx| self.world.executor.poll_quiet(&self.waiter, cx)).await;
    }

    pub(crate) fn patience(&self) -> Duration {
        self.world.patience
    }

    pub(crate) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.world.executor.drive(&self.waiter, cx);
        self.take_message(Some(cx))
    }

    fn take_message(&self, cx: Option<&Context<'_>>) -> Poll<Option<Message>> {
        loop {
            match ready!(self.socket.poll_frame(cx)) {
                Some(Frame::Message(message)) => return Poll::Ready(Some(message)),
                Some(_) => {}
                None => return Poll::Ready(None),
            }
        }
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
        self.socket.vanish();
    }
}

crossws_core::opaque_debug!([] Client, self => (format_args!("{}", self.id)));

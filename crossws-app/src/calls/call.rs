use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crossws_core::{
    BoxFuture, DecodeError, EncodeError, MaybeSend, Message, Peer, PeerState, SendError, Sent,
    opaque_debug,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::calls::connection::Connection;
use crate::calls::error::CallError;
use crate::calls::event_message::event;

/// Calls to the client and events for it, on routes with [`calls`](crate::calls::calls).
pub trait PeerCalls {
    /// Calls a method of the client, and waits for its result.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use crossws_app::calls::{CallError, PeerCalls};
    /// use crossws_core::Peer;
    ///
    /// async fn ask(peer: &Peer) -> Result<String, CallError> {
    ///     peer.call("your-move", ("e2", "e4")).timeout(Duration::from_secs(10)).await
    /// }
    /// ```
    ///
    /// The answer is a message from the client, and a connection's hooks run one at a time. Await a
    /// call in a method, or in a task of [`Peer::spawn`]. In another hook, or in an event's
    /// handler, the answer would not arrive.
    #[doc(alias = "ack")]
    #[doc(alias = "emitWithAck")]
    fn call<T: DeserializeOwned>(&self, method: impl Into<String>, args: impl Serialize)
    -> Call<T>;

    /// Sends an event.
    ///
    /// # Errors
    /// As [`Peer::send`]; [`SendError::Unsupported`] if the route has no
    /// [`calls`](crate::calls::calls). Outside of a [`Router`](crate::Router), a peer that has
    /// slept in a Durable Object has none until one of its hooks has run.
    fn emit(&self, name: &str, payload: impl Serialize) -> Result<Sent, SendError>;
}

impl PeerCalls for Peer {
    fn call<T: DeserializeOwned>(
        &self,
        method: impl Into<String>,
        args: impl Serialize,
    ) -> Call<T> {
        Call {
            peer: self.clone(),
            method: method.into(),
            args: serde_json::to_value(args).map_err(EncodeError::new),
            timeout: Duration::from_secs(10),
            result: PhantomData,
        }
    }

    fn emit(&self, name: &str, payload: impl Serialize) -> Result<Sent, SendError> {
        let Some(connection) = Connection::find(self) else {
            return Err(SendError::Unsupported("calls, which its route lacks"));
        };
        self.send(event(name, payload).form(connection.settings.form))
    }
}

/// A call to the client: see [`PeerCalls::call`]. It is sent when it is first polled.
///
/// # Cancel safety
/// Dropping the future withdraws the call: the client is told, and its answer is ignored.
#[must_use = "a call is made when it is awaited"]
pub struct Call<T> {
    peer: Peer,
    method: String,
    args: Result<Value, EncodeError>,
    timeout: Duration,
    result: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Call<T> {
    /// Sets how long the client may take; by default 10 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn run(self) -> Result<T, CallError> {
        let peer = &self.peer;
        let connection = Connection::find(peer).ok_or(CallError::NoCalls)?;
        let args = self.args?;
        let mut reply = Reply {
            id: connection.pending.begin(connection.settings.max_pending)?,
            connection: &connection,
            peer,
            was_sent: false,
        };
        let call = connection.settings.form.call(reply.id, &self.method, args);
        peer.send(Message::from_json(&call)?)?;
        reply.was_sent = true;
        // The sleep ends with the connection, too.
        let mut time = pin!(peer.sleep(self.timeout));
        let answer = poll_fn(|cx| match connection.pending.poll(reply.id, cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => time.as_mut().poll(cx).map(|()| None),
        });
        match answer.await {
            // Within the depth that the message had.
            Some(answer) => T::deserialize(answer?).map_err(|error| DecodeError::new(error).into()),
            None if peer.state() == PeerState::Open => Err(CallError::Timeout(self.timeout)),
            None => Err(CallError::Closed),
        }
    }
}

/// Where the answer to one call arrives. Dropping it ends the wait, and withdraws the call.
struct Reply<'a> {
    id: u64,
    connection: &'a Connection,
    peer: &'a Peer,
    was_sent: bool,
}

impl Drop for Reply<'_> {
    fn drop(&mut self) {
        let Connection { pending, settings } = self.connection;
        if pending.leave(self.id, false)
            && self.was_sent
            && let Ok(message) = Message::from_json(&settings.form.cancel(self.id))
        {
            // If it cannot be sent, the client is gone.
            let _ = self.peer.send(message);
        }
    }
}

impl<T: DeserializeOwned + MaybeSend + 'static> IntoFuture for Call<T> {
    type Output = Result<T, CallError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

opaque_debug!([T] Call<T>, self => method: self.method, timeout: self.timeout);

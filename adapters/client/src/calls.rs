pub(crate) mod pending;

use std::future::poll_fn;
use std::marker::PhantomData;
use std::time::Duration;

use crossws_app::calls::{CallError, WireForm};
use crossws_core::{BoxFuture, DecodeError, EncodeError, MaybeSend, Message};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::ClientHandle;
use crate::platform::{driving, within};

/// A call of a method of the server: await it. See [`ClientHandle::call`].
///
/// ```no_run
/// use std::time::Duration;
///
/// use crossws_app::calls::CallError;
/// use crossws_client::{Call, Client};
///
/// async fn add(client: &Client) -> Result<i64, CallError> {
///     let sum: Call<i64> = client.call("add", (40, 2));
///     sum.timeout(Duration::from_secs(2)).await
/// }
/// ```
///
/// # Errors
/// The server's failure; a connection that is not open, or that ends before the answer; no answer in
/// time; arguments or a result of another type.
///
/// # Cancel safety
/// Dropping the future gives the call up. The server is told to cancel it.
#[must_use = "nothing is called until it is awaited"]
pub struct Call<T> {
    handle: ClientHandle,
    method: String,
    args: Result<Value, EncodeError>,
    timeout: Duration,
    result: PhantomData<fn() -> T>,
}

impl ClientHandle {
    /// Calls a method of a server with [`calls`](crossws_app::calls::calls), and waits for its answer.
    ///
    /// ```no_run
    /// # async fn example(room: crossws_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let sum: i64 = room.call("add", (2, 3)).await?;
    /// # Ok(()) }
    /// ```
    pub fn call<T: DeserializeOwned>(
        &self,
        method: impl Into<String>,
        args: impl Serialize,
    ) -> Call<T> {
        Call {
            handle: self.clone(),
            method: method.into(),
            args: serde_json::to_value(args).map_err(EncodeError::new),
            timeout: Duration::from_secs(10),
            result: PhantomData,
        }
    }
}

impl<T: DeserializeOwned> Call<T> {
    /// Sets how long to wait for the answer. Default 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn run(self) -> Result<T, CallError> {
        let (handle, form) = (&self.handle, self.handle.form());
        let mut reply = Reply {
            id: handle.shared().pending.begin()?,
            handle: handle.clone(),
            form: None,
        };
        let call = form.call(reply.id, &self.method, self.args?);
        handle.send(Message::from_json(&call)?)?;
        reply.form = Some(form);
        let sleep = handle.platform().sleep(self.timeout);
        let answer = poll_fn(|cx| handle.shared().pending.calls.poll(reply.id, cx));
        let answer = driving(handle.platform(), within(sleep, answer)).await;
        let answer = answer.unwrap_or(Err(CallError::Timeout(self.timeout)));
        serde_json::from_value(answer?).map_err(|error| CallError::Decode(DecodeError::new(error)))
    }
}

impl<T: DeserializeOwned + MaybeSend + 'static> IntoFuture for Call<T> {
    type Output = Result<T, CallError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

crossws_core::opaque_debug!([T] Call<T>, self => method: self.method);

/// Where the answer to one call arrives. Dropping it ends the wait.
struct Reply {
    handle: ClientHandle,
    id: u64,
    /// Set once the call was sent.
    form: Option<WireForm>,
}

impl Drop for Reply {
    fn drop(&mut self) {
        let calls = &self.handle.shared().pending.calls;
        if calls.leave(self.id, self.form.is_some())
            && let Some(form) = self.form
            && let Ok(cancel) = Message::from_json(&form.cancel(self.id))
        {
            // If it cannot be sent, the connection's end cancels the call.
            let _ = self.handle.send(cancel);
        }
    }
}

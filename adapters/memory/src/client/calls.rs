use std::collections::VecDeque;

use crossws_app::calls::{CallError, CallMessage, Failure, WireForm};
use crossws_core::{CloseCode, DecodeError, EncodeError, Message, SendError, Utf8Bytes};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::hear::{NotHeard, decode};
use crate::client::{Client, CloseEvent};

impl Client {
    /// This client with the calls and events of an app with
    /// [`calls`](crossws_app::calls::calls), in both directions.
    ///
    /// ```
    /// use crossws_app::calls::calls;
    /// use crossws_core::{BoxError, Peer, hooks};
    /// use crossws_memory::TestServer;
    ///
    /// # futures_lite::future::block_on(async {
    /// let app = calls(hooks())
    ///     .method("add", |_: Peer, (a, b): (i64, i64)| async move { Ok::<_, BoxError>(a + b) });
    /// let mut client = TestServer::new(app).connect("/").await?.calls();
    /// assert_eq!(client.call::<i64>("add", (2, 3)).await?, 5);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn calls(self) -> CallClient {
        CallClient {
            client: self,
            form: WireForm::default(),
            last_id: 0,
            waiting: VecDeque::new(),
        }
    }
}

/// A [`Client`] of an app with calls: see [`Client::calls`].
///
/// What arrives while it waits for something else is kept, and can be waited for later. Messages that
/// are neither calls nor events are skipped.
#[must_use = "a client that is dropped is gone"]
pub struct CallClient {
    client: Client,
    form: WireForm,
    last_id: u64,
    waiting: VecDeque<CallMessage>,
}

/// A call of the server's: see [`CallClient::asked`].
///
/// ```
/// use crossws_app::calls::{PeerCalls, calls};
/// use crossws_core::{BoxError, hooks};
/// use crossws_memory::TestServer;
/// use futures_lite::future::zip;
///
/// # futures_lite::future::block_on(async {
/// let server = TestServer::new(calls(hooks()));
/// let mut client = server.connect("/").await?.calls();
/// let peer = server.hub().peer(client.untyped().id()).unwrap();
/// let ask = server.drive(async { peer.call::<bool>("confirm", "Delete it?").await });
/// let answer = async {
///     let asked = client.asked::<String>("confirm").await?;
///     assert_eq!(asked.args, "Delete it?");
///     Ok::<_, BoxError>(client.answer(asked, true)?)
/// };
/// let (confirmed, answered) = zip(ask, answer).await;
/// answered?;
/// assert!(confirmed?);
/// # Ok::<_, BoxError>(()) }).unwrap();
/// ```
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "the server waits for the answer"]
pub struct Asked<T> {
    /// What the server called with.
    pub args: T,
    id: Value,
}

impl CallClient {
    /// Speaks JSON-RPC 2.0, as the route must do too.
    pub fn json_rpc(mut self) -> Self {
        self.form = WireForm::JsonRpc;
        self
    }

    /// Calls a method, and waits for the answer.
    ///
    /// # Errors
    /// The server's failure; what is no answer in time, within the server's
    /// [patience](crate::TestServerBuilder::patience).
    ///
    /// # Cancel safety
    /// Dropping the future gives the call up; its answer is ignored.
    pub async fn call<T: DeserializeOwned>(
        &mut self,
        method: &str,
        args: impl Serialize,
    ) -> Result<T, CallError> {
        self.last_id += 1;
        let own = Value::from(self.last_id);
        let args = to_value(&args)?;
        self.say(&self.form.call(self.last_id, method, args))?;
        let answer =
            |message: &CallMessage| matches!(message, CallMessage::Answer { id, .. } if *id == own);
        match self.wait(answer).await {
            Ok(CallMessage::Answer { result, .. }) => Ok(from_value(result?)?),
            Ok(_) | Err(NotHeard::Ended(_)) => Err(CallError::Closed),
            Err(NotHeard::Decode { error, .. }) => Err(error.into()),
            Err(_) => Err(CallError::Timeout(self.client.patience())),
        }
    }

    /// Tells an event.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn emit(&mut self, event: &str, payload: impl Serialize) -> Result<(), SendError> {
        let payload = to_value(&payload)?;
        self.say(&self.form.event(event, payload))
    }

    /// The next event of this name.
    ///
    /// # Errors
    /// When none arrives within the server's [patience](crate::TestServerBuilder::patience), or its
    /// payload is of another type.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message.
    pub async fn event<T: DeserializeOwned>(&mut self, event: &str) -> Result<T, NotHeard> {
        let named = |message: &CallMessage| matches!(message, CallMessage::Event { name, .. } if name == event);
        match self.wait(named).await? {
            CallMessage::Event { payload, .. } => shown(payload),
            _ => Err(NotHeard::Nothing(self.client.patience())),
        }
    }

    /// The next call of this method by the server, to be [answered](Self::answer).
    ///
    /// # Errors
    /// When none arrives within the server's [patience](crate::TestServerBuilder::patience), or its
    /// arguments are of another type.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message.
    pub async fn asked<T: DeserializeOwned>(&mut self, method: &str) -> Result<Asked<T>, NotHeard> {
        let called = |message: &CallMessage| matches!(message, CallMessage::Call { method: name, .. } if name == method);
        match self.wait(called).await? {
            CallMessage::Call { id, args, .. } => Ok(Asked {
                args: shown(args)?,
                id,
            }),
            _ => Err(NotHeard::Nothing(self.client.patience())),
        }
    }

    /// Sends the reply to a call of the server's.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn answer<T>(&mut self, asked: Asked<T>, result: impl Serialize) -> Result<(), SendError> {
        let result = to_value(&result)?;
        self.say(&self.form.answer(asked.id, Ok(result)))
    }

    /// Sends a failure as the reply to a call of the server's.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn refuse<T>(&mut self, asked: Asked<T>, failure: Failure) -> Result<(), SendError> {
        self.say(&self.form.answer(asked.id, Err(failure)))
    }

    /// Sends a close frame: see [`Client::close`].
    pub fn close(&mut self, code: CloseCode, reason: impl Into<Utf8Bytes>) {
        self.client.close(code, reason);
    }

    /// Waits for the end of the connection: see [`Client::closed`].
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn closed(&mut self) -> CloseEvent {
        self.client.closed().await
    }

    /// The client without calls: for what is none.
    pub fn untyped(&mut self) -> &mut Client {
        &mut self.client
    }

    fn say(&mut self, value: &Value) -> Result<(), SendError> {
        self.client.send(Message::from_json(value)?)
    }

    /// The first message of this kind: of those that were kept, or that arrive.
    async fn wait(
        &mut self,
        wanted: impl Fn(&CallMessage) -> bool,
    ) -> Result<CallMessage, NotHeard> {
        if let Some(at) = self.waiting.iter().position(&wanted)
            && let Some(message) = self.waiting.remove(at)
        {
            return Ok(message);
        }
        loop {
            let message = self.client.arrival().await?;
            let message = match message.json::<Value>() {
                Ok(value) => self.form.read(value),
                Err(_) => continue,
            };
            if wanted(&message) {
                return Ok(message);
            }
            self.waiting.push_back(message);
        }
    }
}

fn to_value(value: &impl Serialize) -> Result<Value, EncodeError> {
    serde_json::to_value(value).map_err(EncodeError::new)
}

fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, DecodeError> {
    serde_json::from_value(value).map_err(DecodeError::new)
}

/// As a type, with the text that does not fit.
fn shown<T: DeserializeOwned>(value: Value) -> Result<T, NotHeard> {
    let message = Message::from(value.to_string());
    decode(message, |_| from_value(value))
}

crossws_core::opaque_debug!([] CallClient, self =>
    client: self.client, waiting: self.waiting.len());

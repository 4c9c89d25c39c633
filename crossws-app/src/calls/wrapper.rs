use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crossws_core::{
    BoxError, BoxFuture, Closed, DecodeError, HookResult, Hooks, Hub, Message, Peer, Subscription,
    Wrap,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::calls::batch::Answers;
#[cfg(feature = "schema")]
use crate::calls::handler::DescribedMethod;
use crate::calls::handler::{AnyHandler, Handler, Hearer};
use crate::calls::pending::{Connection, Settings, started};
use crate::calls::running::{Refused, Run, Running};
use crate::calls::wire::CallMessage;
use crate::calls::{Event, EventHandler, Failure, MethodHandler, WireForm};
#[cfg(feature = "schema")]
use crate::description::SchemaOf;
use crate::description::{AboutCalls, AboutMethod};
use crate::{
    Decode, DecodeLimits, JsonCodec, LimitExceeded, Malformed, OnMalformed, RouteBuilder, route,
};

/// Wraps hooks with named events and calls. Methods answer the client's calls, and
/// [`PeerCalls::call`](crate::calls::PeerCalls::call) calls the client. A message that is neither
/// an event nor a call nor an answer reaches the inner hooks.
///
/// ```
/// use crossws_app::calls::{PeerCalls, calls};
/// use crossws_core::{BoxError, Peer, hooks};
///
/// let app = calls(hooks())
///     .method("add", |_: Peer, (a, b): (i64, i64)| async move { Ok::<_, BoxError>(a + b) })
///     .event("typing", |peer: Peer, name: String| async move {
///         peer.publish("talk", name).map(drop)
///     })
///     .method("confirmed", |peer: Peer, question: String| async move {
///         peer.call::<bool>("confirm", question).await
///     });
/// # fn takes(_: impl crossws_core::Hooks) {} takes(app);
/// ```
///
/// In JSON-RPC a notification is an event. If a method has its name and no event does, the
/// notification is a call without an answer.
///
/// Events are handled one at a time, in order, as messages are. Methods run while the client's next
/// messages are handled, at most [`max_running`](Calls::max_running) of them at a time, and end
/// with the connection.
pub fn calls<H: Hooks>(hooks: H) -> Calls<H> {
    Calls(Inner {
        hooks,
        methods: HashMap::new(),
        events: HashMap::new(),
        any_event: None,
        form: WireForm::Plain,
        unknown: OnMalformed::Skip,
        limits: DecodeLimits::new(),
        max_running: 100,
        max_pending: 1_000,
        max_batch: 50,
        about: AboutCalls::default(),
    })
}

/// See [`calls`].
#[must_use = "hooks do nothing until a server runs them"]
pub struct Calls<H>(Inner<H>);

type Method = Arc<dyn AnyHandler<Result<Value, BoxError>>>;

struct Inner<H> {
    hooks: H,
    methods: HashMap<String, Method>,
    events: HashMap<String, Box<dyn AnyHandler<HookResult>>>,
    any_event: Option<Box<dyn EventHandler<Event>>>,
    form: WireForm,
    unknown: OnMalformed,
    limits: DecodeLimits,
    max_running: usize,
    max_pending: usize,
    max_batch: usize,
    about: AboutCalls,
}

impl<H: Hooks> Calls<H> {
    /// Registers a method that answers calls of this name. It replaces an earlier one of the same
    /// name.
    pub fn method<M, Args>(mut self, name: impl Into<String>, method: M) -> Self
    where
        M: MethodHandler<Args>,
        Args: DeserializeOwned + 'static,
    {
        let (name, method) = (name.into(), Arc::new(Handler::new(method)));
        self.0
            .about
            .methods
            .insert(name.clone(), AboutMethod::default());
        self.0.methods.insert(name, method);
        self
    }

    /// Registers a handler for events of this name. It replaces an earlier one of the same name.
    pub fn event<E, Payload>(mut self, name: impl Into<String>, hear: E) -> Self
    where
        E: EventHandler<Payload>,
        Payload: DeserializeOwned + 'static,
    {
        let (name, hearer) = (name.into(), Box::new(Hearer::new(hear)));
        self.0.about.events.insert(name.clone(), None);
        self.0.events.insert(name, hearer);
        self
    }

    /// Registers a handler for all events without a handler of their own.
    pub fn any_event(mut self, hear: impl EventHandler<Event>) -> Self {
        self.0.any_event = Some(Box::new(hear));
        self
    }

    /// Registers a method, as [`method`](Self::method), and names its types for
    /// [`described`](Self::described).
    #[cfg(feature = "schema")]
    pub fn described_method<M, Args>(self, name: impl Into<String>, method: M) -> Self
    where
        M: DescribedMethod<Args>,
        Args: DeserializeOwned + schemars::JsonSchema + 'static,
    {
        let name = name.into();
        let mut calls = self.method(name.clone(), method);
        let about = AboutMethod {
            args: Some(SchemaOf::read::<Args>()),
            result: Some(SchemaOf::written::<M::Output>()),
        };
        calls.0.about.methods.insert(name, about);
        calls
    }

    /// Registers a handler for events, as [`event`](Self::event), and names the type of their payload
    /// for [`described`](Self::described).
    #[cfg(feature = "schema")]
    pub fn described_event<E, Payload>(self, name: impl Into<String>, hear: E) -> Self
    where
        E: EventHandler<Payload>,
        Payload: DeserializeOwned + schemars::JsonSchema + 'static,
    {
        let name = name.into();
        let mut calls = self.event(name.clone(), hear);
        let payload = Some(SchemaOf::read::<Payload>());
        calls.0.about.events.insert(name, payload);
        calls
    }

    /// Names a method of the client that the server calls, and its types, for
    /// [`described`](Self::described).
    #[cfg(feature = "schema")]
    pub fn asks<Args, Output>(mut self, name: impl Into<String>) -> Self
    where
        Args: schemars::JsonSchema,
        Output: schemars::JsonSchema,
    {
        let about = AboutMethod {
            args: Some(SchemaOf::written::<Args>()),
            result: Some(SchemaOf::read::<Output>()),
        };
        self.0.about.client_methods.insert(name.into(), about);
        self
    }

    /// Names an event that the server sends, and the type of its payload, for
    /// [`described`](Self::described).
    #[cfg(feature = "schema")]
    pub fn emits<Payload: schemars::JsonSchema>(mut self, name: impl Into<String>) -> Self {
        let payload = Some(SchemaOf::written::<Payload>());
        self.0.about.client_events.insert(name.into(), payload);
        self
    }

    /// Returns the route of these hooks, whose calls and events are in
    /// [`Router::describe`](crate::Router::describe): their names, and with the feature `schema` the
    /// types of those that were registered with them.
    ///
    /// ```
    /// use crossws_app::Router;
    /// use crossws_app::calls::calls;
    /// use crossws_core::{BoxError, Peer, hooks};
    ///
    /// let sums = calls(hooks())
    ///     .method("add", |_: Peer, (a, b): (i64, i64)| async move { Ok::<_, BoxError>(a + b) });
    /// let app = Router::new().route("/sums", sums.described().doc("Sums."));
    /// let description = app.describe()?;
    /// let calls = description.routes[0].calls.as_ref().unwrap();
    /// assert!(calls.methods.contains_key("add"));
    /// # Ok::<_, crossws_app::RouterError>(())
    /// ```
    pub fn described(self) -> RouteBuilder {
        let about = AboutCalls {
            form: self.0.form,
            ..self.0.about.clone()
        };
        route(self).tell(|route| route.calls = Some(about))
    }

    /// Sets what happens to a client with an event without a handler ([`Malformed::Unknown`]), or
    /// whose payload does not fit ([`Malformed::Decode`]); by default the event is skipped, with a
    /// warning. A call of an unknown method is answered with an error.
    pub fn on_unknown(mut self, policy: OnMalformed) -> Self {
        self.0.unknown = policy;
        self
    }

    /// Sets the wire format of events, calls and answers.
    pub fn form(mut self, form: WireForm) -> Self {
        self.0.form = form;
        self
    }

    /// Selects JSON-RPC 2.0 as [`form`](Self::form), for existing clients.
    pub fn json_rpc(self) -> Self {
        self.form(WireForm::JsonRpc)
    }

    /// Sets how many methods may run at a time for one connection; by default 100. A further call
    /// is answered with [`Failure::TOO_MANY`].
    pub fn max_running(mut self, most: usize) -> Self {
        self.0.max_running = most;
        self
    }

    /// Sets how many calls to one client may wait for their answers; by default 1,000. A further
    /// call fails with [`CallError::TooMany`](crate::calls::CallError::TooMany).
    pub fn max_pending(mut self, most: usize) -> Self {
        self.0.max_pending = most;
        self
    }

    /// Sets how many calls and notifications a batch of JSON-RPC may have; by default 50. A larger one
    /// is answered with [`Failure::INVALID_REQUEST`], and none of it runs.
    pub fn max_batch(mut self, most: usize) -> Self {
        self.0.max_batch = most;
        self
    }

    /// Sets the limits of a message's content.
    pub fn decode_limits(mut self, limits: DecodeLimits) -> Self {
        self.0.limits = limits;
        self
    }
}

impl<H: Hooks> Hooks for Calls<H> {
    crossws_core::forward_hooks!(self => self.0);
}

impl<H: Hooks> Wrap for Inner<H> {
    type Inner = H;

    fn inner(&self) -> &H {
        &self.hooks
    }

    async fn start(&self, hub: &Hub) -> HookResult {
        started(hub, self.settings());
        self.hooks.start(hub).await
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        self.connection(peer);
        self.hooks.open(peer).await
    }

    // A peer that has slept has no extensions until one of its hooks runs.
    async fn timer(&self, peer: &Peer, name: &str) -> HookResult {
        self.connection(peer);
        self.hooks.timer(peer, name).await
    }

    async fn subscription(&self, peer: &Peer, event: Subscription) -> HookResult {
        self.connection(peer);
        self.hooks.subscription(peer, event).await
    }

    async fn close(&self, peer: &Peer, closed: Closed) -> HookResult {
        self.connection(peer);
        self.hooks.close(peer, closed).await
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        self.connection(peer);
        let is_text = message.is_text() || self.form == WireForm::JsonRpc;
        let value = match is_text {
            true => JsonCodec.decode(&message, &self.limits),
            false => return self.hooks.message(peer, message).await,
        };
        match (value, self.form) {
            (Ok(Value::Array(batch)), WireForm::JsonRpc) => self.batch(peer, batch).await,
            (Ok(value), _) => {
                self.incoming(peer, value, Some(message), &Answers::Single)
                    .await
            }
            (Err(_), WireForm::Plain) => self.hooks.message(peer, message).await,
            (Err(error), WireForm::JsonRpc) => {
                let failure = match LimitExceeded::of(&error) {
                    Some(limit) => Failure::new(Failure::INVALID_REQUEST, limit.to_string()),
                    None => Failure::new(Failure::PARSE, "parse error"),
                };
                self.fail(peer, Value::Null, failure, &Answers::Single)
            }
        }
    }
}

impl<H: Hooks> Inner<H> {
    fn connection(&self, peer: &Peer) -> Arc<Connection> {
        Connection::of(peer, self.settings())
    }

    fn settings(&self) -> Settings {
        let (form, max_pending) = (self.form, self.max_pending);
        Settings { form, max_pending }
    }

    /// Handles a batch (JSON-RPC 2.0, section 6).
    async fn batch(&self, peer: &Peer, batch: Vec<Value>) -> HookResult {
        let text = match batch.len() {
            0 => "an empty batch".to_owned(),
            count if count > self.max_batch => format!("more than {} in a batch", self.max_batch),
            _ => {
                let answers = Answers::batch(peer);
                let mut result = Ok(());
                for value in batch {
                    // A failed event does not prevent the answer to a call.
                    result = result.and(self.incoming(peer, value, None, &answers).await);
                }
                return result;
            }
        };
        let failure = Failure::new(Failure::INVALID_REQUEST, text);
        self.fail(peer, Value::Null, failure, &Answers::Single)
    }

    async fn incoming(
        &self,
        peer: &Peer,
        value: Value,
        message: Option<Message>,
        answers: &Answers,
    ) -> HookResult {
        match self.form.read(value) {
            CallMessage::Event { name, payload } => self.event(peer, name, payload).await,
            CallMessage::Call { id, method, args } => self.call(peer, id, &method, args, answers),
            CallMessage::Answer { id, result } => {
                if !self.connection(peer).answered(&id, result) {
                    tracing::debug!(%peer, "an answer that no call waits for");
                }
                Ok(())
            }
            CallMessage::Cancel { id } => {
                peer.extensions()
                    .get_or_default::<Arc<Running>>()
                    .cancel(&id);
                Ok(())
            }
            CallMessage::Invalid { id } => {
                let failure = Failure::new(Failure::INVALID_REQUEST, "invalid request");
                self.fail(peer, id, failure, answers)
            }
            CallMessage::Other => match message {
                Some(message) => self.hooks.message(peer, message).await,
                None => Ok(()),
            },
        }
    }

    async fn event(&self, peer: &Peer, name: String, payload: Value) -> HookResult {
        let malformed = match (self.events.get(&name), &self.any_event) {
            (Some(hearer), _) => match hearer.handle(peer, payload) {
                Ok(heard) => return heard.await,
                Err(error) => error.into(),
            },
            (None, _) if self.form == WireForm::JsonRpc && self.methods.contains_key(&name) => {
                match self.notified(peer, &name, payload) {
                    Ok(()) => return Ok(()),
                    Err(error) => error.into(),
                }
            }
            (None, Some(any)) => {
                let event = Event { name, payload };
                return any.hear(peer.clone(), event).await;
            }
            (None, None) => Malformed::Unknown(name),
        };
        self.unknown.apply(peer, malformed, |text| {
            // Notifications of JSON-RPC are never answered.
            if self.form == WireForm::Plain {
                peer.send(crate::Decode::<()>::encode_error(&JsonCodec, text)?)?;
            }
            Ok(())
        })
    }

    /// Runs a method for a notification of JSON-RPC, which is a request without an id and gets no
    /// answer.
    fn notified(&self, peer: &Peer, method: &str, args: Value) -> Result<(), DecodeError> {
        let Some(handler) = self.methods.get(method) else {
            return Ok(());
        };
        let running = peer.extensions().get_or_default::<Arc<Running>>();
        let Ok(run) = running.begin(None, self.max_running) else {
            tracing::warn!(%peer, method, "a notification is dropped: too many calls at a time");
            return Ok(());
        };
        let future = handler.handle(peer, args)?;
        let peer = peer.clone();
        peer.clone().spawn(async move {
            if let Some(Err(error)) = run.until_cancelled(future).await {
                // A notification's failure is only logged: the client gets no answer.
                let failure = failure_of(&peer, error);
                tracing::debug!(%peer, %failure, "a notification failed");
            }
        });
        Ok(())
    }

    fn call(
        &self,
        peer: &Peer,
        id: Value,
        method: &str,
        args: Value,
        answers: &Answers,
    ) -> HookResult {
        let failure = match self.begin(peer, &id, method, args) {
            Ok((run, future)) => {
                let (peer, answers, form) = (peer.clone(), answers.clone(), self.form);
                peer.clone().spawn(async move {
                    let result = match run.until_cancelled(future).await {
                        Some(result) => result.map_err(|error| failure_of(&peer, error)),
                        // Every request is answered.
                        None if form == WireForm::JsonRpc => {
                            Err(Failure::new(Failure::CANCELLED, "cancelled"))
                        }
                        None => return Ok(()),
                    };
                    // Before the answer, because its id may be used again from then on.
                    drop(run);
                    answers.give(&peer, form.answer(id, result))
                });
                return Ok(());
            }
            Err(failure) => failure,
        };
        self.fail(peer, id, failure, answers)
    }

    /// Returns the method's future, and the slot that it holds while it runs.
    fn begin(
        &self,
        peer: &Peer,
        id: &Value,
        method: &str,
        args: Value,
    ) -> Result<(Run, BoxFuture<'static, Result<Value, BoxError>>), Failure> {
        let Some(handler) = self.methods.get(method) else {
            return Err(Failure::new(Failure::METHOD_NOT_FOUND, "method not found"));
        };
        let running = peer.extensions().get_or_default::<Arc<Running>>();
        let run = running
            .begin(Some(id), self.max_running)
            .map_err(|refused| match refused {
                Refused::TooMany => Failure::new(Failure::TOO_MANY, "too many calls at a time"),
                Refused::Duplicate => {
                    Failure::new(Failure::INVALID_REQUEST, "a call with this id runs")
                }
            })?;
        let future = handler.handle(peer, args).map_err(|error| {
            let data = error.to_string();
            Failure::new(Failure::INVALID_PARAMS, "invalid params").data(data)
        })?;
        Ok((run, future))
    }

    fn fail(&self, peer: &Peer, id: Value, failure: Failure, answers: &Answers) -> HookResult {
        answers.give(peer, self.form.answer(id, Err(failure)))
    }
}

/// Returns the error that the client gets for a method's error.
fn failure_of(peer: &Peer, error: BoxError) -> Failure {
    Failure::of(error).unwrap_or_else(|error| {
        tracing::error!(%peer, %error, "a method failed");
        Failure::new(Failure::INTERNAL, "internal error")
    })
}

impl<H> fmt::Debug for Calls<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls")
            .field("form", &self.0.form)
            .field("methods", &self.0.methods.len())
            .field("events", &self.0.events.len())
            .finish_non_exhaustive()
    }
}

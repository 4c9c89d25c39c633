use std::collections::HashMap;

use crossws_core::{Hooks, Wrap, opaque_debug};
use serde::de::DeserializeOwned;

use crate::calls::dispatch::Inner;
#[cfg(feature = "schema")]
use crate::calls::handler::DescribedMethod;
use crate::calls::handler::{Event, EventHandler, MethodHandler, any_handler};
use crate::calls::wire::WireForm;
use crate::codec::limits::DecodeLimits;
#[cfg(feature = "schema")]
use crate::description::SchemaOf;
use crate::description::{AboutCalls, AboutMethod};
use crate::messages::malformed::OnMalformed;
use crate::routes::route::{RouteBuilder, route};

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
///         peer.publish("talk", name)
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
#[doc(alias = "ack")]
#[doc(alias = "acknowledgement")]
#[doc(alias = "RPC")]
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

impl<H: Hooks> Calls<H> {
    /// Registers a method that answers calls of this name. It replaces an earlier one of the same
    /// name.
    pub fn method<M, Args>(mut self, name: impl Into<String>, method: M) -> Self
    where
        M: MethodHandler<Args>,
        Args: DeserializeOwned + 'static,
    {
        let name = name.into();
        let method = any_handler(move |peer, args| method.call(peer, args));
        let about = AboutMethod::default();
        self.0.about.methods.insert(name.clone(), about);
        self.0.methods.insert(name, method);
        self
    }

    /// Registers a handler for events of this name. It replaces an earlier one of the same name.
    pub fn event<E, Payload>(mut self, name: impl Into<String>, hear: E) -> Self
    where
        E: EventHandler<Payload>,
        Payload: DeserializeOwned + 'static,
    {
        let name = name.into();
        let hearer = any_handler(move |peer, payload| hear.hear(peer, payload));
        self.0.about.events.insert(name.clone(), None);
        self.0.events.insert(name, hearer);
        self
    }

    /// Registers a handler for all events without a handler of their own.
    ///
    /// ```
    /// use crossws_app::calls::{Event, calls};
    /// use crossws_core::{Peer, hooks};
    ///
    /// let app = calls(hooks()).any_event(|peer: Peer, event: Event| async move {
    ///     println!("{peer} sent the unknown event {}", event.name);
    /// });
    /// # fn takes(_: impl crossws_core::Hooks) {} takes(app);
    /// ```
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

    /// Sets what happens to a client with an event without a handler ([`Malformed::Unknown`](crate::Malformed::Unknown)), or
    /// whose payload does not fit ([`Malformed::Decode`](crate::Malformed::Decode)); by default the event is skipped, with a
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
    /// is answered with [`Failure::TOO_MANY`](crate::calls::Failure::TOO_MANY).
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
    /// is answered with [`Failure::INVALID_REQUEST`](crate::calls::Failure::INVALID_REQUEST), and none of it runs.
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

opaque_debug!([H] Calls<H>, self =>
    form: self.0.form,
    methods: self.0.methods.len(),
    events: self.0.events.len(),
);

use std::sync::Arc;

use crossws_core::{HookResult, MaybeSend, MaybeSync, Message, Peer, Topics};
use serde_json::Value;

/// The response of a rule and its recipients, created by [`reply`] or [`to`]: see [`Respond`].
#[derive(Debug, Clone)]
#[must_use = "a response does nothing until a rule has it"]
pub struct Response {
    pub(super) to: Option<Audience>,
    pub(super) message: Value,
}

/// The recipients of a response, besides the client.
#[derive(Debug, Clone)]
pub(super) struct Audience {
    pub(super) topics: Arc<[String]>,
    pub(super) and_self: bool,
}

/// Builds a response to the client. A string is sent as it is, any other value as JSON.
pub fn reply(message: impl Into<Value>) -> Response {
    let message = message.into();
    Response { to: None, message }
}

/// Builds a publication to a topic of the peer's namespace, or to several: `to("lobby")`,
/// `to(["red", "blue"])`. A subscriber of several of them gets it once.
pub fn to<'a>(topics: impl Into<Topics<'a>>) -> ResponseTo {
    ResponseTo(Audience {
        topics: topics.into().names().map(str::to_owned).collect(),
        and_self: false,
    })
}

/// A publication without its message, created by [`to`]: see [`rules`](crate::rules::rules).
#[derive(Debug, Clone)]
#[must_use = "nothing is said until `send`"]
pub struct ResponseTo(Audience);

impl ResponseTo {
    /// Includes the client that sent the message, if it is in one of the topics.
    pub fn and_self(mut self) -> Self {
        self.0.and_self = true;
        self
    }

    /// Sets the published message. A string is sent as it is, any other value as JSON.
    pub fn send(self, message: impl Into<Value>) -> Response {
        Response {
            to: Some(self.0),
            message: message.into(),
        }
    }
}

/// The response of a rule: a fixed one, or a function of the message, or of the peer and the message.
///
/// ```
/// use crossws_app::rules::{kind, reply, rules};
/// use crossws_core::{Peer, hooks};
/// use serde_json::{Value, json};
///
/// let app = rules(hooks())
///     .on(kind("ping"), reply(json!({"type": "pong"})))
///     .on(kind("echo"), |message: &Value| reply(message["data"].clone()))
///     .on(kind("who"), |peer: &Peer, _: &Value| reply(peer.id().to_string()));
/// # fn takes(_: impl crossws_core::Hooks) {} takes(app);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no response of a rule",
    note = "expected `reply(..)`, `to(..).send(..)`, or a closure that returns one: `|message: &Value| reply(..)`"
)]
pub trait Respond<Arguments>: MaybeSend + MaybeSync + 'static {
    /// Returns the response to a message.
    fn respond(&self, peer: &Peer, message: &Value) -> Response;
}

impl Respond<()> for Response {
    fn respond(&self, _: &Peer, _: &Value) -> Response {
        self.clone()
    }
}

impl<F> Respond<(Value,)> for F
where
    F: Fn(&Value) -> Response + MaybeSend + MaybeSync + 'static,
{
    fn respond(&self, _: &Peer, message: &Value) -> Response {
        self(message)
    }
}

impl<F> Respond<(Peer, Value)> for F
where
    F: Fn(&Peer, &Value) -> Response + MaybeSend + MaybeSync + 'static,
{
    fn respond(&self, peer: &Peer, message: &Value) -> Response {
        self(peer, message)
    }
}

impl Response {
    /// Sends the response.
    pub(super) fn say(self, peer: &Peer) -> HookResult {
        let message = match self.message {
            Value::String(text) => Message::from(text),
            value => Message::from_json(&value)?,
        };
        let Some(Audience { topics, and_self }) = self.to else {
            peer.send(message)?;
            return Ok(());
        };
        let to = peer.to(&topics[..]);
        let to = if and_self { to.including_self() } else { to };
        to.send(message)?;
        Ok(())
    }
}

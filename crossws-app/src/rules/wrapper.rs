use std::sync::Arc;

use crossws_core::adapter::Function;
use crossws_core::{HookResult, Hooks, Message, Peer, Wrap, opaque_debug};
use serde_json::Value;

use crate::codec::json::parse;
use crate::codec::limits::{DecodeLimits, LimitExceeded};
use crate::rules::condition::Condition;
use crate::rules::file::RuleSet;
use crate::rules::response::{Respond, Response};

/// Wraps hooks with rules: the first rule whose condition holds responds to a message. A message
/// for which no rule's condition holds reaches the inner hooks.
///
/// ```
/// use crossws_app::rules::{kind, reply, rules, to};
/// use crossws_core::{Json, hooks};
/// use serde_json::{Value, json};
///
/// let inside = hooks().on_message(|peer, message| async move { peer.send(message) });
/// let app = rules(inside)
///     .on(kind("ping"), reply(json!({"type": "pong"})))
///     .on(kind("announce"), |message: &Value| {
///         let announcement = json!({"type": "announcement", "text": message["text"]});
///         to("lobby").and_self().send(announcement)
///     });
/// # fn takes(_: impl crossws_core::Hooks) {} takes(app);
/// ```
///
/// Rules apply to text messages. A text within [`DecodeLimits`] is parsed once for all rules
/// and the layers and typed hooks inside.
pub fn rules<H: Hooks>(hooks: H) -> Rules<H> {
    Rules(Ruled {
        hooks,
        rules: Vec::new(),
    })
}

/// See [`rules`].
#[must_use = "hooks do nothing until a server runs them"]
pub struct Rules<H>(Ruled<H>);

impl<H: Hooks> Rules<H> {
    /// Appends a rule.
    pub fn on<A: 'static>(mut self, condition: impl Condition, response: impl Respond<A>) -> Self {
        let rule = move |(peer, message): (&Peer, &Value)| {
            let applies = condition.holds(peer, message);
            applies.then(|| response.respond(peer, message))
        };
        self.0.rules.push(Box::new(rule));
        self
    }

    /// Appends the rules of a file.
    pub fn with(mut self, set: RuleSet) -> Self {
        for rule in set.0 {
            self = self.on(rule.clone(), rule);
        }
        self
    }
}

impl<H: Hooks> Hooks for Rules<H> {
    crossws_core::forward_hooks!(self => self.0);
}

struct Ruled<H> {
    hooks: H,
    rules: Vec<Box<AnyRule>>,
}

/// A rule with erased types.
type AnyRule = dyn for<'a> Function<(&'a Peer, &'a Value), Option<Response>>;

impl<H: Hooks> Wrap for Ruled<H> {
    type Inner = H;

    fn inner(&self) -> &H {
        &self.hooks
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        match self.response(peer, &message) {
            Some(response) => response.say(peer),
            None => self.hooks.message(peer, message).await,
        }
    }
}

impl<H> Ruled<H> {
    fn response(&self, peer: &Peer, message: &Message) -> Option<Response> {
        if message.is_binary() {
            return None;
        }
        let value = match parse(message, &DecodeLimits::new()) {
            Ok(value) => value,
            Err(error) if LimitExceeded::of(&error).is_some() => return None,
            Err(_) => Arc::new(Value::String(message.text().ok()?.to_owned())),
        };
        let mut rules = self.rules.iter();
        rules.find_map(|rule| rule.apply((peer, &value)))
    }
}

opaque_debug!([H] Rules<H>, self => rules: self.0.rules.len());

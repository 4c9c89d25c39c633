//! The JSON messages between clients and the layer.

use crossws_core::SubscribeError;
use serde::Serialize;
use serde_json::{Map, Value};

/// A client's request.
pub(super) struct Request {
    pub(super) verb: Verb,
    pub(super) topic: String,
    pub(super) data: Option<Value>,
    /// Repeated in the answer.
    pub(super) id: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Subscribe,
    Unsubscribe,
    Publish,
}

impl Verb {
    const ALL: [Self; 3] = [Self::Subscribe, Self::Unsubscribe, Self::Publish];

    fn name(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
            Self::Publish => "publish",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribed",
            Self::Unsubscribe => "unsubscribed",
            Self::Publish => "published",
        }
    }
}

impl Request {
    /// Parses a request, or returns the answer to a malformed one. `None` if the message is not a
    /// request: one that has none of the three verbs, several, or a member besides `data` and `id`.
    pub(super) fn read(object: &Map<String, Value>) -> Option<Result<Self, Value>> {
        let mut verbs = Verb::ALL.into_iter();
        let (verb, topic) = verbs.find_map(|verb| Some((verb, object.get(verb.name())?)))?;
        let (data, id) = (object.get("data"), object.get("id"));
        if object.len() > 1 + usize::from(data.is_some()) + usize::from(id.is_some()) {
            return None;
        }
        let (data, id) = (data.cloned(), id.cloned());
        let malformed = |why| {
            let answer = failed(verb, topic.clone(), id.clone(), "malformed", why);
            Some(Err(answer))
        };
        let Value::String(name) = topic else {
            return malformed("the topic must be a string");
        };
        // Names with these are made by typed hooks for each format: patterns do not know them.
        if name.contains(char::is_control) {
            return malformed("the topic has a control character");
        }
        if (verb == Verb::Publish) != data.is_some() {
            return malformed("`publish` has `data`, and nothing else has");
        }
        let topic = name.clone();
        Some(Ok(Self {
            verb,
            topic,
            data,
            id,
        }))
    }

    pub(super) fn done(self, peers: Option<usize>) -> Value {
        let peers = peers.map(|peers| ("peers", peers.into()));
        answer(self.verb.done(), self.topic.into(), self.id, peers)
    }

    pub(super) fn forbidden(self) -> Value {
        self.failed("forbidden", "this is not allowed")
    }

    pub(super) fn failed(self, code: &str, message: impl ToString) -> Value {
        failed(self.verb, self.topic.into(), self.id, code, message)
    }
}

/// Returns the answer to a request that was not granted.
fn failed(
    verb: Verb,
    topic: Value,
    id: Option<Value>,
    code: &str,
    message: impl ToString,
) -> Value {
    let message = message.to_string().into();
    let members = [("error", code.into()), ("message", message)];
    answer(verb.name(), topic, id, members)
}

fn answer(
    verb: &'static str,
    topic: Value,
    id: Option<Value>,
    members: impl IntoIterator<Item = (&'static str, Value)>,
) -> Value {
    let members = members.into_iter().chain([(verb, topic)]);
    let members = members.chain(id.map(|id| ("id", id)));
    members
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Returns the error code that a client gets for a failed subscription.
pub(super) fn code(error: &SubscribeError) -> &'static str {
    match error {
        SubscribeError::TooMany(_) | SubscribeError::TooManyPatterns(_) => "too_many",
        SubscribeError::NameTooLong { .. } => "too_long",
        SubscribeError::Pattern(_) => "malformed",
        _ => "unavailable",
    }
}

/// A publication in the form that subscribers get.
#[derive(Serialize)]
pub(super) struct Published<'a> {
    pub(super) topic: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<&'a str>,
    pub(super) data: &'a Value,
}

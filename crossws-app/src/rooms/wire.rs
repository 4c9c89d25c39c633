//! The JSON messages between clients and the layer.

use crossws_core::{EncodeError, Message, SubscribeError};
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
    /// Parses a request. Returns a message that is not a request: one that has none of the three
    /// verbs, several, or a member besides `data` and `id`.
    pub(super) fn read(object: &Map<String, Value>) -> Option<Result<Self, Failed>> {
        let mut verbs = Verb::ALL.into_iter();
        let (verb, topic) = verbs.find_map(|verb| Some((verb, object.get(verb.name())?)))?;
        let (data, id) = (object.get("data"), object.get("id"));
        if object.len() > 1 + usize::from(data.is_some()) + usize::from(id.is_some()) {
            return None;
        }
        let (data, id) = (data.cloned(), id.cloned());
        let failed = |message| Failed {
            verb,
            topic: topic.clone(),
            id: id.clone(),
            code: "malformed",
            message: String::from(message),
        };
        let Value::String(name) = topic else {
            return Some(Err(failed("the topic must be a string")));
        };
        // Names with these are made by typed hooks for each format: patterns do not know them.
        if name.contains(char::is_control) {
            return Some(Err(failed("the topic has a control character")));
        }
        if (verb == Verb::Publish) != data.is_some() {
            return Some(Err(failed("`publish` has `data`, and nothing else has")));
        }
        let topic = name.clone();
        Some(Ok(Self {
            verb,
            topic,
            data,
            id,
        }))
    }

    pub(super) fn done(self, peers: Option<usize>) -> Result<Message, EncodeError> {
        let mut answer = Map::new();
        answer.insert(self.verb.done().to_owned(), self.topic.into());
        if let Some(peers) = peers {
            answer.insert("peers".to_owned(), peers.into());
        }
        if let Some(id) = self.id {
            answer.insert("id".to_owned(), id);
        }
        Message::from_json(&answer)
    }

    pub(super) fn forbidden(self) -> Failed {
        self.failed("forbidden", "this is not allowed")
    }

    pub(super) fn failed(self, code: &'static str, message: impl ToString) -> Failed {
        Failed {
            verb: self.verb,
            topic: self.topic.into(),
            id: self.id,
            code,
            message: message.to_string(),
        }
    }
}

/// A request that was not granted.
pub(super) struct Failed {
    verb: Verb,
    topic: Value,
    id: Option<Value>,
    code: &'static str,
    message: String,
}

impl Failed {
    pub(super) fn into_message(self) -> Result<Message, EncodeError> {
        let mut answer = Map::new();
        answer.insert("error".to_owned(), self.code.into());
        answer.insert("message".to_owned(), self.message.into());
        answer.insert(self.verb.name().to_owned(), self.topic);
        if let Some(id) = self.id {
            answer.insert("id".to_owned(), id);
        }
        Message::from_json(&answer)
    }
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

use std::fmt;

use crossws_core::Peer;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::rules::condition::{Condition, contains, has_kind, is_text};
use crate::rules::response::{Audience, Respond, Response};
use crate::rules::template::Template;

/// A rule as data, for storage in a file: see [`RuleSet`](crate::rules::RuleSet).
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Rule(Written);

/// The rule in its written form.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#match: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Template>,
    #[serde(skip_serializing_if = "Option::is_none")]
    send: Option<Template>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<OneOrMany>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    and_self: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "`to` must be the name of a topic, or a list of names"
)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Written {
    /// Returns the mistake in the rule as a whole, if there is one.
    fn mistake(&self) -> Option<&'static str> {
        if self.r#type.is_none() && self.r#match.is_none() && self.text.is_none() {
            return Some("a rule needs a condition: `type`, `match` or `text`");
        }
        match (&self.reply, &self.send, &self.to) {
            (Some(_), None, None) if self.and_self => Some("`and_self` belongs to `to`"),
            (Some(_), None, None) | (None, Some(_), Some(_)) => None,
            (Some(_), ..) => Some("`reply` answers the client alone, `to` needs `send`"),
            (None, Some(_), None) => Some("`send` needs `to`, or is `reply`"),
            (None, None, _) => Some("a rule needs a response: `reply`, or `to` and `send`"),
        }
    }
}

/// Implemented by hand, because a mistake in the rule has the rule's line only while that is read.
impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Rule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rule")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rule, A::Error> {
                let rule = Written::deserialize(MapAccessDeserializer::new(map))?;
                match rule.mistake() {
                    None => Ok(Rule(rule)),
                    Some(mistake) => Err(Error::custom(mistake)),
                }
            }
        }

        deserializer.deserialize_map(Members)
    }
}

impl Condition for Rule {
    fn holds(&self, _: &Peer, message: &Value) -> bool {
        let Written {
            r#type: name,
            r#match: pattern,
            text,
            ..
        } = &self.0;
        name.iter().all(|name| has_kind(message, name))
            && pattern.iter().all(|pattern| contains(message, pattern))
            && text.iter().all(|pattern| is_text(message, pattern))
    }
}

impl Respond<()> for Rule {
    fn respond(&self, peer: &Peer, message: &Value) -> Response {
        let rule = &self.0;
        let template = rule.reply.as_ref().or(rule.send.as_ref());
        let topics = rule.to.clone().map(|to| match to {
            OneOrMany::One(topic) => [topic].into(),
            OneOrMany::Many(topics) => topics.into(),
        });
        Response {
            to: topics.map(|topics| Audience {
                topics,
                and_self: rule.and_self,
            }),
            message: template.map_or(Value::Null, |it| it.value(peer, message)),
        }
    }
}

use crossws_core::{MaybeSend, MaybeSync, Peer};
use serde_json::Value;

/// The condition of a rule: [`kind`], [`matching`], [`text`], or a predicate on the peer and the
/// message.
///
/// The message is a text. It is parsed as JSON if it is JSON, and is a string otherwise. Rules do
/// not apply to binary messages.
///
/// ```
/// use crossws_app::rules::{matching, reply, rules, text};
/// use crossws_core::{Peer, hooks};
/// use serde_json::{Value, json};
///
/// let app = rules(hooks())
///     .on(text("hello*"), reply("hello to you"))
///     .on(matching(json!({"type": "chat", "muted": true})), reply("you are muted"))
///     .on(|peer: &Peer, _: &Value| peer.identity().is_none(), reply("who are you?"));
/// # fn takes(_: impl crossws_core::Hooks) {} takes(app);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no condition of a rule",
    note = "expected `kind(\"..\")`, `matching(json!(..))`, `text(\"..\")` or a closure `|peer: &Peer, message: &Value| -> bool`"
)]
pub trait Condition: MaybeSend + MaybeSync + 'static {
    /// Returns whether the rule applies.
    fn holds(&self, peer: &Peer, message: &Value) -> bool;
}

impl<F> Condition for F
where
    F: Fn(&Peer, &Value) -> bool + MaybeSend + MaybeSync + 'static,
{
    fn holds(&self, peer: &Peer, message: &Value) -> bool {
        self(peer, message)
    }
}

/// Holds if the message is an object whose `type` is this.
pub fn kind(name: impl Into<String>) -> Kind {
    Kind(name.into())
}

/// The condition that [`kind`] creates: see [`rules`](crate::rules::rules).
#[derive(Debug, Clone)]
pub struct Kind(String);

impl Condition for Kind {
    fn holds(&self, _: &Peer, message: &Value) -> bool {
        has_kind(message, &self.0)
    }
}

pub(super) fn has_kind(message: &Value, name: &str) -> bool {
    message.get("type").and_then(Value::as_str) == Some(name)
}

/// Holds if the message contains this: an object must have these members, and may have others; any
/// other value must be equal.
///
/// ```
/// use crossws_app::rules::matching;
/// use serde_json::json;
///
/// // Applies to {"type":"chat","room":{"id":7},"text":"hello"}.
/// let in_room_7 = matching(json!({"type": "chat", "room": {"id": 7}}));
/// # let _: &dyn crossws_app::rules::Condition = &in_room_7;
/// ```
pub fn matching(pattern: Value) -> Matching {
    Matching(pattern)
}

/// See [`matching`].
#[derive(Debug, Clone)]
pub struct Matching(Value);

impl Condition for Matching {
    fn holds(&self, _: &Peer, message: &Value) -> bool {
        contains(message, &self.0)
    }
}

// As deep as the pattern, which the application wrote.
pub(super) fn contains(value: &Value, pattern: &Value) -> bool {
    match (value, pattern) {
        (Value::Object(members), Value::Object(pattern)) => pattern
            .iter()
            .all(|(name, pattern)| members.get(name).is_some_and(|it| contains(it, pattern))),
        _ => value == pattern,
    }
}

/// Holds if the message is a text that matches this pattern, in which `*` stands for any
/// characters, or none.
pub fn text(pattern: impl Into<String>) -> Text {
    Text(pattern.into())
}

/// The condition that [`text`] creates: see [`Condition`].
#[derive(Debug, Clone)]
pub struct Text(String);

impl Condition for Text {
    fn holds(&self, _: &Peer, message: &Value) -> bool {
        is_text(message, &self.0)
    }
}

pub(super) fn is_text(message: &Value, pattern: &str) -> bool {
    message.as_str().is_some_and(|text| glob(pattern, text))
}

/// Returns whether a text matches a pattern with `*`. Each part is searched for once, from the end
/// of the part before it.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(text) = text.strip_prefix(first) else {
        return false;
    };
    let Some(mut text) = text.strip_suffix(last) else {
        return false;
    };
    for part in middle.split('*') {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("ping", "ping", true),
            ("ping", "pings", false),
            ("ping*", "pings", true),
            ("*ping", "a ping", true),
            ("*ping", "a pin", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "acb", false),
            ("*a*b*", "xxbxxaxxb", true),
            ("*a*b*", "b a", false),
            ("*", "", true),
            ("**", "x", true),
            ("", "", true),
            ("ü*", "über", true),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}

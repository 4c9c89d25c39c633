use serde::{Deserialize, Serialize};

use crate::rules::rule::Rule;

/// Rules as data: a JSON list of rules, tried in this order.
///
/// A rule has one condition or several, all of which must hold:
///
/// | member | holds for |
/// |---|---|
/// | `type` | an object whose `type` is this, as [`kind`](crate::rules::kind) |
/// | `match` | what contains this, as [`matching`](crate::rules::matching) |
/// | `text` | a text of this pattern with `*`, as [`text`](crate::rules::text) |
///
/// And a response: `reply` to the client, or `send` to the topics that `to` names, one or a list,
/// including the client if `and_self` is true. In it `{{message}}`, `{{message.a.b}}` and
/// `{{peer.id}}` stand for the message, for its value at this place, and for the peer's id. A
/// string that is only a place becomes the value, or null if the message has none. In other text
/// the value is inserted as text. In a string that is itself JSON, such as `"{\"said\":
/// {{message.data}}}"`, the value is inserted as JSON, so that a client's value stays one value.
///
/// ```
/// use crossws_app::rules::{RuleSet, rules};
/// use crossws_core::hooks;
///
/// let set: RuleSet = r#"[
///     {"type": "ping", "reply": {"type": "pong"}},
///     {"type": "echo", "reply": {"type": "echo", "data": "{{message.data}}"}},
///     {"text": "hello*", "to": "lobby", "send": "{{peer.id}} says hello"}
/// ]"#.parse()?;
/// let app = rules(hooks()).with(set);
/// # fn takes(_: impl crossws_core::Hooks) {} takes(app);
/// # Ok::<_, crossws_app::rules::RulesError>(())
/// ```
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleSet(pub(super) Vec<Rule>);

impl RuleSet {
    /// Returns how many rules there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::str::FromStr for RuleSet {
    type Err = RulesError;

    /// Parses rules in JSON.
    fn from_str(json: &str) -> Result<Self, RulesError> {
        serde_json::from_str(json).map_err(RulesError)
    }
}

/// An error in the JSON of rules, with its place and cause.
///
/// ```
/// use crossws_app::rules::{RuleSet, RulesError};
///
/// let error: RulesError = "[\n  {\"type\": \"ping\"}\n]".parse::<RuleSet>().unwrap_err();
/// assert_eq!(error.line(), 2);
/// assert!(error.to_string().contains("a rule needs a response"));
/// ```
#[derive(Debug, thiserror::Error)]
#[error("the rules cannot be read: {0}")]
pub struct RulesError(#[source] serde_json::Error);

impl RulesError {
    /// Returns the line of the mistake, from 1 on.
    pub fn line(&self) -> usize {
        self.0.line()
    }

    /// Returns the column of the mistake, from 1 on.
    pub fn column(&self) -> usize {
        self.0.column()
    }
}

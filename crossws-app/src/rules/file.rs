use serde::{Deserialize, Serialize};

use crate::rules::Rule;

/// Rules as data: a list of them in JSON, tried in this order.
///
/// A rule has one condition or several, all of which must hold:
///
/// | member | holds for |
/// |---|---|
/// | `type` | an object whose `type` is this, as [`kind`](crate::rules::kind) |
/// | `match` | what contains this, as [`matching`](crate::rules::matching) |
/// | `text` | a text of this pattern with `*`, as [`text`](crate::rules::text) |
///
/// And a response: `reply` to the client, or `send` to the topics that `to` names, one or a list, with
/// the client if `and_self` is true. In it `{{message}}`, `{{message.a.b}}` and `{{peer.id}}` stand for
/// what the message says there, and for the peer's id: alone in a string for the value, which is null
/// where the message has none, and with other text around it for the value as text. In a string that is JSON
/// itself, such as `"{\"said\": {{message.data}}}"`, it stands for the value as JSON, so that what a client
/// says stays one value.
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
    /// How many rules there are.
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

    /// Reads rules in JSON.
    fn from_str(json: &str) -> Result<Self, RulesError> {
        serde_json::from_str(json).map_err(RulesError)
    }
}

/// Rules that cannot be read: where, and why.
#[derive(Debug, thiserror::Error)]
#[error("the rules cannot be read: {0}")]
pub struct RulesError(#[source] serde_json::Error);

impl RulesError {
    /// The line of the mistake, from 1 on.
    pub fn line(&self) -> usize {
        self.0.line()
    }

    /// The column of the mistake, from 1 on.
    pub fn column(&self) -> usize {
        self.0.column()
    }
}

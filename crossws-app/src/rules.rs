//! Declarative responses around any hooks: [`rules`].

mod condition;
mod file;
mod response;
mod rule;
mod template;
mod wrapper;

pub use condition::{Condition, Kind, Matching, Text, kind, matching, text};
pub use file::{RuleSet, RulesError};
pub use response::{Respond, Response, ResponseTo, reply, to};
pub use rule::Rule;
pub use wrapper::{Rules, rules};

use std::sync::Arc;

use crossws_core::SettingsError;

use crate::routes::pattern::Pattern;
use crate::routes::pattern::error::PatternError;

/// An error of the routes: see [`Router::check`](crate::Router::check).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouterError {
    /// A pattern that cannot be parsed or nested.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// Two patterns that match the same paths, neither of which takes precedence.
    #[error("the route `{pattern}` conflicts with the route `{existing}`")]
    Conflict {
        /// The pattern that was added later.
        pattern: Pattern,
        /// The pattern that it conflicts with.
        existing: Pattern,
    },
    /// Two fallbacks for one path.
    #[error("there are two fallbacks below `{0}`")]
    TwoFallbacks(Pattern),
    /// A setting of a route, or of a router that it is in, that [cannot be used](SettingsError).
    #[error("the route `{pattern}`: {error}")]
    Settings {
        /// The route's pattern.
        pattern: Pattern,
        /// What is wrong.
        #[source]
        error: SettingsError,
    },
    /// Two routes of one name.
    #[error("the routes `{pattern}` and `{existing}` both have the name `{name}`")]
    DuplicateName {
        /// The name.
        name: Arc<str>,
        /// The pattern of the route that was added later.
        pattern: Pattern,
        /// The pattern of the other route.
        existing: Pattern,
    },
}

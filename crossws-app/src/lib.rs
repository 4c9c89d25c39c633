//! What WebSocket apps are written with, on every adapter: routes, layers that run before the
//! upgrade, authentication, and typed access to the path, the query and cookies.
//!
//! Applications use the `crossws` crate, which exports all of this.

mod path;
mod pattern;

pub use path::PathNotUtf8;
pub use pattern::{Pattern, PatternError, PatternErrorKind};

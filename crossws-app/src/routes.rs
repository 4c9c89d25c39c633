//! Which hooks a path has.

mod namespace;
pub(crate) mod pattern;
pub(crate) mod prepared;
pub(crate) mod route;
pub(crate) mod router;

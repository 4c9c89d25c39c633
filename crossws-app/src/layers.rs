//! What runs around the hooks of routes, and before them.

pub(crate) mod addresses;
mod clock;
pub(crate) mod global;
pub(crate) mod layer;
pub(crate) mod message_rate;
mod pace;
pub(crate) mod proxies;
pub(crate) mod reply_errors;

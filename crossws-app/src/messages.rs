//! Typed messages: messages in both directions as types of the application.

mod closures;
mod hub;
mod malformed;
mod outgoing;
mod peer;
mod reader;
mod to;
mod transform;
mod typed;
mod typed_hooks;
mod typed_incoming;

pub use closures::{Messages, messages};
pub use hub::{HubExt, TypedHub};
pub use malformed::{Malformed, OnMalformed};
pub use peer::TypedPeer;
pub use to::TypedTo;
pub use transform::{Transformed, transform};
pub use typed::Typed;
pub use typed_hooks::{TypedHooks, typed, typed_as};
pub use typed_incoming::{IncomingExt, TypedIncoming};

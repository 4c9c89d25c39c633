//! Typed messages: messages in both directions as types of the application.

pub(crate) mod closures;
pub(crate) mod hub;
pub(crate) mod malformed;
pub(crate) mod message_loop;
pub(crate) mod outgoing;
pub(crate) mod peer;
pub(crate) mod reader;
pub(crate) mod to;
pub(crate) mod transform;
pub(crate) mod typed;
pub(crate) mod typed_hooks;
pub(crate) mod typed_incoming;

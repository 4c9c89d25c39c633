//! Events and calls, on the memory adapter.

#![allow(clippy::panic, clippy::unwrap_used)]

mod common;
mod events;
mod hostile;
mod json_rpc;
mod methods;
mod to_client;
mod woken;

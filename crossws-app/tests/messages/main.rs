//! Typed messages on the memory adapter.

#![allow(clippy::panic, clippy::unwrap_used)]

mod codecs;
#[cfg(all(feature = "cbor", feature = "message-pack"))]
mod formats;
mod hostile;
#[cfg(all(feature = "cbor", feature = "message-pack"))]
mod hub;
mod loops;
mod malformed;
mod typed;

//! Routes, layers, authentication and settings, on the memory adapter.

#![allow(clippy::panic, clippy::unwrap_used)]

mod addresses;
mod authentication;
mod common;
mod hub_route;
mod layers;
mod matching;
mod reply_errors;
mod settings;
mod typed;

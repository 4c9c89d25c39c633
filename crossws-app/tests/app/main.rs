//! Routes, layers, authentication and settings, on the memory adapter.

#![allow(clippy::panic, clippy::unwrap_used)]

mod addresses;
mod authentication;
mod common;
mod global;
mod hub_route;
mod layers;
mod matching;
mod rates;
mod recorder;
mod reply_errors;
mod settings;
mod typed;

//! The pump over a fake stream and in virtual time: what it writes, when, in how few calls, and
//! what it leaves alone.

#![allow(clippy::unwrap_used, clippy::panic)]

mod broken;
mod closing;
mod connection;
mod fairness;
mod reading;
mod stopped;
mod time;
mod writing;

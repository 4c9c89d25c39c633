//! The pump over a simulated socket and in virtual time: what it writes, when, in how few calls, and
//! what it leaves alone.

#![allow(clippy::unwrap_used, clippy::panic)]

mod broken;
mod closing;
mod fairness;
mod reading;
mod stopped;
mod time;
mod world;
mod writing;

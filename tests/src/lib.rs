//! What every adapter must do, as named cases.
//!
//! One application, [`Probe`], runs on every adapter. Cases drive it from outside: by what a
//! request asks of the `upgrade` hook ([`Ask`]), by commands in messages ([`Do`]), and through
//! [`Control`], which also reads the journal of the hooks. So no case passes code to a server, and
//! the same cases test an adapter whose hooks run in another process.
//!
//! A new adapter implements [`Target`], [`Server`] and [`Client`], and calls [`runner::main`].

// A test-only package: a panic is how a case fails, and its structs are built field by field.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs
)]

mod app;
mod ask;
mod command;
mod control;
mod journal;
mod probe;
mod profile;
mod routed;
mod spoken;

pub use app::{App, Http};
pub use ask::{Ask, Policy, Refuse};
pub use command::{Do, Group};
pub use control::{Control, Reply};
pub use journal::{Entry, Journal, Notebook};
pub use probe::Probe;
pub use profile::{LONG, OriginRule, Profile};

#[cfg(feature = "suite")]
pub mod cases;
#[cfg(feature = "suite")]
pub mod net;
#[cfg(feature = "suite")]
mod peer;
#[cfg(feature = "suite")]
pub mod runner;
#[cfg(feature = "suite")]
mod scene;
#[cfg(feature = "suite")]
pub mod table;
#[cfg(feature = "suite")]
mod target;

#[cfg(feature = "suite")]
pub use peer::Peer;
#[cfg(feature = "suite")]
pub use scene::{Scene, Stage};
#[cfg(feature = "suite")]
pub use target::{
    Client, Connected, Event, Frame, Framed, Fut, Gone, Raw, Report, Server, Shutdown, Target,
};

//! The registry and a peer's end under every interleaving that shuttle's schedulers try.
//!
//! `RUSTFLAGS="--cfg crossws_shuttle" cargo test -p crossws-core --test shuttle --release`
//!
//! event-listener's locks stay std's: no thread yields inside them, so that none blocks there.

#![cfg(crossws_shuttle)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub
)]

#[allow(
    dead_code,
    unused_imports,
    reason = "the tests of behaviour use more of it"
)]
#[path = "../behaviour/common/mod.rs"]
mod common;
mod life;
mod order;
mod registry;

use std::sync::Arc;

use crossws_core::adapter::Session;
use crossws_core::{HooksBuilder, Hub, hooks};

use crate::common::{Wire, open};

const ITERATIONS: usize = 20_000;

/// Tries a scenario with a random scheduler, and with one that is good at rare orders.
fn check(scenario: impl Fn() + Send + Sync + Copy + 'static) {
    shuttle::check_random(scenario, ITERATIONS);
    shuttle::check_pct(scenario, ITERATIONS, 3);
}

fn plain(hub: &Hub) -> (Session<HooksBuilder>, Wire) {
    open(hub, &Arc::new(hooks()), "/")
}

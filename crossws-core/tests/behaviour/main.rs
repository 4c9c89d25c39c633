//! What core promises, one behaviour group per file.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub
)]

mod before;
mod common;
mod encoding;
mod expiry;
mod failures;
mod handler;
mod hub;
mod life;
mod limits;
mod model;
mod notices;
mod observe;
mod peer;
mod promises;
mod routes;
mod several;
mod shutdown;
mod sleep;
mod take;
mod tasks;
mod upgrade;
mod values;
mod wrappers;

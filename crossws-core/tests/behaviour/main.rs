//! The contract of core, one behaviour group per file.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub
)]

mod before;
mod cleanup;
mod clock;
mod common;
mod context;
mod crossings;
mod encoding;
mod expiry;
mod failures;
mod fan_out;
mod handler;
mod hub;
mod labels;
mod life;
mod limits;
mod loops;
mod meter;
mod model;
mod notices;
mod observe;
mod observer;
mod observer_sends;
mod patterns;
mod peer;
mod promises;
mod refusals;
mod retained;
mod route_settings;
mod routes;
mod send_line;
mod several;
mod shutdown;
mod sleep;
mod take;
mod tasks;
mod timers;
mod topic_overflow;
mod upgrade;
mod values;
mod wrappers;

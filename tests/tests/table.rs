//! Compares the compatibility table in the docs with a run of the suite. `scripts/test workers`
//! compares the columns of Workers.
//!
//! `CROSSWS_UPDATE=1 cargo test -p crossws-conformance --test table` rewrites it.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "targets/hyper.rs"]
mod hyper_target;
#[path = "targets/memory.rs"]
mod memory;
#[path = "targets/native.rs"]
mod native;
#[path = "targets/proxied.rs"]
mod proxied;

use std::process::ExitCode;

use crossws_conformance::Target;
use crossws_conformance::cases::{self, Case};
use crossws_conformance::runner::{Outcome, run_all};
use crossws_conformance::table::{Column, is_true};
use native::Native;

fn main() -> ExitCode {
    let targets: [&dyn Target; 10] = [
        &Native::<crossws_tokio::Tokio>::new("tokio"),
        &Native::<crossws_tokio::Tokio>::secure("tokio, TLS"),
        &Native::<crossws_tokio::Tokio>::http2("tokio, HTTP/2"),
        &Native::<crossws_tokio::Tokio>::events("tokio, SSE"),
        &proxied::Proxied,
        &hyper_target::Hyper,
        &Native::<crossws_smol::Smol>::new("smol"),
        &Native::<crossws_async_std::AsyncStd>::new("async-std"),
        &Native::<crossws_own_runtime::OwnRuntime>::new("own runtime"),
        &memory::Memory,
    ];
    let cases: Vec<Case> = cases::all().collect();
    let chosen: Vec<&Case> = cases.iter().collect();
    let columns: Vec<Column<'_>> = targets
        .into_iter()
        .map(|target| Column {
            target,
            results: run_all(target, &chosen, 4, |case, outcome| {
                if let Outcome::Failed(reason) = outcome {
                    println!("FAILED {case} on {}: {reason}", target.name());
                }
            }),
        })
        .collect();
    let command = "cargo test -p crossws-conformance --test table";
    ExitCode::from(if is_true(&columns, command) { 0 } else { 101 })
}

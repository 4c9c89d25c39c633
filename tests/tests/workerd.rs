//! The suite against a built Worker in real workerd: in a Durable Object, in one that sleeps before
//! each step, and in a plain Worker. `scripts/test workers` builds the Worker and runs this; it is
//! no part of a plain `cargo test`, which needs nothing but Rust.

#![allow(clippy::unwrap_used)]

#[path = "targets/workerd.rs"]
mod target;

use std::process::ExitCode;
use std::sync::atomic::Ordering;

use crossws_conformance::cases::{self, Case};
use crossws_conformance::runner::{Args, is_ok, report};
use crossws_conformance::table::{self, Column};
use target::{Mode, Workerd};

fn main() -> ExitCode {
    let args = Args::parse();
    let cases: Vec<Case> = cases::all().collect();
    if args.list {
        return args.print_list(&cases);
    }
    let workerd = Workerd::start();
    let targets = [Mode::Object, Mode::Asleep, Mode::Plain].map(|mode| workerd.mode(mode));
    let mut columns = Vec::new();
    for target in &targets {
        let results = report(target, &cases, &args);
        columns.push(Column { target, results });
    }
    let mut ok = columns.iter().all(|column| is_ok(&column.results));
    if !ok {
        println!(
            "---- the last that workerd printed\n{}----\n",
            workerd.printed()
        );
    }
    let sleeps = targets[1].sleeps();
    let slept = sleeps.slept.load(Ordering::Relaxed);
    let worked = sleeps.worked.load(Ordering::Relaxed);
    println!("asleep: before {slept} steps, and not before {worked}, when somebody worked\n");
    if args.selects_all() {
        ok &= slept > 0;
        ok &= table::is_true(&columns, "./scripts/test workers");
    }
    ExitCode::from(if ok { 0 } else { 101 })
}

//! The suite against a built Worker in real workerd: in a Durable Object, in one that sleeps before
//! each step, in a plain Worker, and over event streams. `scripts/test workers` builds the Worker and runs this. A
//! plain `cargo test`, which needs only Rust, leaves it out.

#![allow(clippy::unwrap_used)]

#[path = "targets/workerd.rs"]
mod target;

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossws_conformance::cases::{self, Case};
use crossws_conformance::runner::{Args, Outcome, is_ok, report, run};
use crossws_conformance::table::{self, Column};
use target::{Mode, Workerd};

fn main() -> ExitCode {
    let args = Args::parse();
    let cases: Vec<Case> = cases::all().collect();
    if args.list {
        return args.print_list(&cases);
    }
    let workerd = Workerd::start();
    let targets =
        [Mode::Object, Mode::Asleep, Mode::Plain, Mode::Events].map(|mode| workerd.mode(mode));
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
    let sleeps = targets[1].slept();
    let slept = sleeps.slept.load(Ordering::Relaxed);
    let worked = sleeps.worked.load(Ordering::Relaxed);
    println!("asleep: before {slept} steps, and not before {worked}, while another worked\n");
    if args.selects_all() {
        ok &= slept > 0;
        // In another process: an object that still works there would keep others awake.
        ok &= notices_loss(&Workerd::start(), &cases);
        ok &= table::is_true(&columns, "./scripts/test workers");
    }
    ExitCode::from(if ok { 0 } else { 101 })
}

/// A case that a fault makes hang fails after this.
const PATIENCE: Duration = Duration::from_secs(3);

/// These cases sleep once. An object that wakes without its stored state fails each of them.
const NEED_MEMORY: [&str; 3] = [
    "upgrade::accepting_gives_a_context",
    "pubsub::unsubscribing_ends_delivery",
    "hub::a_publish_from_outside_reaches_one_namespace",
];

fn notices_loss(workerd: &Workerd, cases: &[Case]) -> bool {
    let forgetful = workerd.mode(Mode::Forgetful);
    let mut noticed = true;
    for name in NEED_MEMORY {
        let case = cases.iter().find(|case| case.to_string() == name);
        let outcome = case.map(|case| run(&forgetful, case, PATIENCE));
        let failed = matches!(outcome, Some(Outcome::Failed(_)));
        println!(
            "test a loss fails {name} ... {}",
            if failed { "ok" } else { "FAILED" }
        );
        noticed &= failed;
    }
    noticed
}

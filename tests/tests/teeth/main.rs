//! The suite has teeth: each fault of an adapter makes exactly the cases fail that are about it.
//!
//! An argument selects faults by name. `CROSSWS_UPDATE=1` prints which cases each fault fails now,
//! for review and for `mutants.rs`.

// A test: it fails by a panic, and its documentation is not published.
#![allow(missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod altered;
mod brittle;
mod faults;
#[path = "../targets/memory.rs"]
mod memory;
mod mutants;
#[path = "../targets/native.rs"]
mod native;
mod pump;
mod wire;
mod wrapper;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossws_conformance::Target;
use crossws_conformance::cases::{self, Case};
use crossws_conformance::runner::{self, Outcome};
use crossws_core::Capabilities;

use altered::Altered;
use brittle::Brittle;

use mutants::{MUTANTS, Mutant, Place};

/// A case that a fault makes hang fails after this. Long for a case, which takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// On a machine that is busy with other work, a case that only is slow passes within this.
const MORE_PATIENCE: Duration = Duration::from_secs(60);

/// How often a case that must fail may pass by chance.
const CHANCES: usize = 8;

/// Many, because a case that hangs only waits.
const THREADS: usize = 16;

fn main() -> ExitCode {
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let chosen: Vec<&Mutant> = MUTANTS
        .iter()
        .filter(|mutant| {
            filter
                .as_ref()
                .is_none_or(|filter| mutant.name().contains(filter))
        })
        .collect();
    println!("\nrunning {} faults", chosen.len());
    let bitten = bite(&chosen);
    let mut failed = Vec::new();
    for (mutant, bitten) in chosen.iter().zip(&bitten) {
        if std::env::var_os("CROSSWS_UPDATE").is_some() {
            println!("fault {}: {bitten:?}", mutant.name());
        }
        if mutant.is_as_expected(bitten) {
            println!("test {} ... ok", mutant.name());
        } else {
            println!("test {} ... FAILED", mutant.name());
            failed.push((mutant, bitten));
        }
    }
    for (mutant, bitten) in &failed {
        println!("\n---- {} ----", mutant.name());
        for case in mutant.fails.iter().filter(|case| !has(bitten, case)) {
            println!("passed, but must fail: {case}");
        }
        for case in bitten.iter().filter(|case| !mutant.foresees(case)) {
            println!("failed, but must pass: {case}");
        }
    }
    println!(
        "\ntest result: {}. {} passed; {} failed\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        chosen.len() - failed.len(),
        failed.len(),
    );
    ExitCode::from(if failed.is_empty() { 0 } else { 101 })
}

/// Runs the groups of each mutant against it. Returns the cases that failed, in their order.
fn bite(mutants: &[&Mutant]) -> Vec<Vec<String>> {
    let cases: Vec<Case> = cases::all().collect();
    let targets: Vec<_> = mutants.iter().map(|mutant| mutant.target()).collect();
    let runs: Vec<(usize, &Case)> = mutants
        .iter()
        .enumerate()
        .flat_map(|(index, mutant)| {
            let concerned = cases.iter().filter(|case| mutant.concerns(case));
            concerned.map(move |case| (index, case))
        })
        .collect();
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let run = next.fetch_add(1, Ordering::Relaxed);
                    let Some((index, case)) = runs.get(run) else {
                        return;
                    };
                    let fails = |patience| {
                        let outcome = runner::run(&*targets[*index], case, patience);
                        matches!(outcome, Outcome::Failed(_))
                    };
                    let (mutant, name) = (mutants[*index], case.to_string());
                    // Some faults show only under a certain interleaving of threads. A fault that
                    // must show has several chances.
                    let bites = match mutant.fails.contains(&name.as_str()) {
                        true => (0..CHANCES).any(|_| fails(PATIENCE)),
                        false => {
                            fails(PATIENCE) && (mutant.foresees(&name) || fails(MORE_PATIENCE))
                        }
                    };
                    if bites {
                        failed.lock().unwrap().insert((*index, run, name));
                    }
                }
            });
        }
    });
    let mut bitten = vec![Vec::new(); mutants.len()];
    for (index, _, case) in failed.into_inner().unwrap() {
        bitten[index].push(case);
    }
    bitten
}

fn has(bitten: &[String], case: &str) -> bool {
    bitten.iter().any(|one| one == case)
}

impl Mutant {
    fn name(&self) -> String {
        self.fault
            .map_or("None".to_owned(), |fault| format!("{fault:?}"))
    }

    fn concerns(&self, case: &Case) -> bool {
        self.groups.is_empty() || self.groups.contains(&case.group)
    }

    /// Returns whether every case failed that must, and no other than may.
    fn is_as_expected(&self, bitten: &[String]) -> bool {
        let bites = self.fault.is_none() || !self.fails.is_empty();
        bites
            && self.fails.iter().all(|case| has(bitten, case))
            && bitten.iter().all(|case| self.foresees(case))
    }

    /// Returns whether a case must or may fail.
    fn foresees(&self, case: &str) -> bool {
        self.fails.contains(&case) || self.may.contains(&case)
    }

    fn target(&self) -> Box<dyn Target> {
        let fault = self.fault;
        match self.place {
            Place::Brittle => Box::new(Brittle {
                fault,
                capabilities: pump::CAPABILITIES,
            }),
            Place::WithoutTopics => Box::new(Brittle {
                fault,
                capabilities: pump::CAPABILITIES.without(Capabilities::PUBSUB),
            }),
            Place::InParts => Box::new(Brittle {
                fault,
                capabilities: pump::CAPABILITIES.without(Capabilities::ROUTES),
            }),
            Place::Memory => Box::new(Altered {
                target: memory::Memory,
                fault: fault.unwrap(),
            }),
            Place::Tokio => Box::new(Altered {
                target: native::Native::<crossws_tokio::Tokio>::new("tokio"),
                fault: fault.unwrap(),
            }),
        }
    }
}

//! The suite has teeth: each fault of an adapter makes the cases fail that are about it, and not every
//! case.
//!
//! An argument selects faults by name. `CROSSWS_UPDATE=1` prints which cases each fault fails now, of
//! the groups of those that it must fail, for review and for `mutants/`.

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
mod pipe;
mod pump;
mod wrapper;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crossws_conformance::Target;
use crossws_conformance::cases::{self, Case};
use crossws_conformance::runner::{self, Outcome};
use crossws_core::Capabilities;

use altered::Altered;
use brittle::Brittle;
use faults::Fault;
use mutants::{Mutant, Place};

/// A case that a fault makes hang fails after this. Long for a case, which takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// No machine is so busy with other work that a case takes this long.
const MORE_PATIENCE: Duration = Duration::from_secs(80);

/// How often a case that must fail may pass by chance.
const CHANCES: usize = 8;

/// Many, because a case that hangs only waits.
const THREADS: usize = 16;

fn main() -> ExitCode {
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let chosen: Vec<&Mutant> = mutants::all()
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
        if is_update() {
            println!("fault {}: {:?}", mutant.name(), bitten.cases);
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
        for case in mutant.fails.iter().filter(|case| !bitten.has(case)) {
            println!("passed, but must fail: {case}");
        }
        for case in bitten.cases.iter().filter(|_| mutant.fault.is_none()) {
            println!("failed, but must pass: {case}");
        }
        if !bitten.spares {
            println!("no case passed");
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

fn is_update() -> bool {
    std::env::var_os("CROSSWS_UPDATE").is_some()
}

/// What a mutant has failed.
#[derive(Default)]
struct Bitten {
    /// In their order.
    cases: Vec<String>,
    /// Whether a case passed that need not fail.
    spares: bool,
}

impl Bitten {
    fn has(&self, case: &str) -> bool {
        self.cases.iter().any(|one| one == case)
    }
}

/// Runs the cases that each mutant must fail against it, and others until one passes. Without a fault
/// all of them.
fn bite(mutants: &[&Mutant]) -> Vec<Bitten> {
    let cases: Vec<Case> = cases::all().collect();
    let targets: Vec<_> = mutants
        .iter()
        .map(|mutant| mutant.place.target(mutant.fault))
        .collect();
    let mut runs: Vec<(bool, usize, &Case)> = Vec::new();
    for (index, mutant) in mutants.iter().enumerate() {
        let all = cases.iter().map(|case| (!mutant.names(case), index, case));
        runs.extend(all.filter(|(_, _, case)| !is_update() || mutant.concerns(case)));
    }
    // First what must fail.
    runs.sort_by_key(|(spare, _, _)| *spare);
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(BTreeSet::new());
    let spares: Vec<_> = mutants.iter().map(|_| AtomicBool::new(false)).collect();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some((spare, index, case)) = runs.get(place) else {
                        return;
                    };
                    let mutant = mutants[*index];
                    let spares = &spares[*index];
                    let is_spare = *spare && mutant.fault.is_some() && !is_update();
                    if is_spare && spares.load(Ordering::Relaxed) {
                        continue;
                    }
                    // Some faults show only under a certain interleaving of threads. A fault that
                    // must show has several chances.
                    let run = || mutant.run(&*targets[*index], case);
                    let fails = |outcome| matches!(outcome, Outcome::Failed(_));
                    let bites = match run() {
                        Outcome::Passed if *spare => {
                            spares.store(true, Ordering::Relaxed);
                            false
                        }
                        outcome if *spare => fails(outcome),
                        outcome => fails(outcome) || (1..CHANCES).any(|_| fails(run())),
                    };
                    if bites {
                        failed
                            .lock()
                            .unwrap()
                            .insert((*index, place, case.to_string()));
                    }
                }
            });
        }
    });
    let mut bitten: Vec<Bitten> = mutants.iter().map(|_| Bitten::default()).collect();
    for (index, _, case) in failed.into_inner().unwrap() {
        bitten[index].cases.push(case);
    }
    for (bitten, spares) in bitten.iter_mut().zip(spares) {
        bitten.spares = spares.into_inner();
    }
    bitten
}

impl Mutant {
    fn name(&self) -> String {
        self.fault
            .map_or("None".to_owned(), |fault| format!("{fault:?}"))
    }

    /// Returns whether a case must fail.
    fn names(&self, case: &Case) -> bool {
        self.fails.contains(&case.to_string().as_str())
    }

    /// Returns whether a case is of a group in which one must fail.
    fn concerns(&self, case: &Case) -> bool {
        let group = |name: &&str| name.split("::").next() == Some(case.group);
        self.fault.is_none() || self.fails.iter().any(group)
    }

    /// Returns whether every case failed that must, and not all did. Without a fault none may.
    fn is_as_expected(&self, bitten: &Bitten) -> bool {
        let bites = match self.fault {
            None => bitten.cases.is_empty(),
            Some(_) => !self.fails.is_empty() && self.fails.iter().all(|case| bitten.has(case)),
        };
        bites && bitten.spares
    }

    /// Runs a case against this adapter. On a busy machine one that hangs may only be slow: a sound
    /// adapter shows it, and then both have more time.
    fn run(&self, target: &dyn Target, case: &Case) -> Outcome {
        if self.fault.is_none() {
            return runner::run(target, case, MORE_PATIENCE);
        }
        let mut patience = PATIENCE;
        loop {
            let outcome = runner::run(target, case, patience);
            let is_slow = || runner::run(&*self.place.target(None), case, patience).is_hung();
            if !outcome.is_hung() || patience >= MORE_PATIENCE || !is_slow() {
                return outcome;
            }
            patience *= 2;
        }
    }
}

impl Place {
    /// Returns the adapter, with this fault if there is one.
    fn target(&self, fault: Option<Fault>) -> Box<dyn Target> {
        let brittle = |capabilities| {
            Box::new(Brittle {
                fault,
                capabilities,
            })
        };
        match self {
            Self::Brittle => brittle(pump::CAPABILITIES),
            Self::WithoutTopics => brittle(pump::CAPABILITIES.without(Capabilities::PUBSUB)),
            Self::InParts => brittle(pump::CAPABILITIES.without(Capabilities::ROUTES)),
            Self::Memory => altered(memory::Memory, fault),
            Self::Tokio => altered(native::Native::<crossws_tokio::Tokio>::new("tokio"), fault),
        }
    }
}

fn altered(target: impl Target + 'static, fault: Option<Fault>) -> Box<dyn Target> {
    match fault {
        Some(fault) => Box::new(Altered { target, fault }),
        None => Box::new(target),
    }
}

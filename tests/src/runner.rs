//! Runs cases against a target, and prints results as `cargo test` does.

mod capture;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::cases::{self, Case};
use crate::scene::take_passed;
use crate::{Scene, Target};

/// A case that takes longer has hung. Generous: the slowest cases take a second.
pub const WATCHDOG: Duration = Duration::from_secs(60);

/// The result of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The statement is true.
    Passed,
    /// The statement is false, for this reason.
    Failed(String),
    /// The case does not apply to this target, for this reason.
    Skipped(String),
}

/// A deadline has so many turns, and each takes longer on a machine that is busy with other work.
const TURNS: u32 = 1000;

/// How the reason of a case begins that took longer than its deadline.
const HUNG: &str = "the case hung";

impl Outcome {
    /// Returns whether the case took longer than its deadline.
    pub fn is_hung(&self) -> bool {
        matches!(self, Self::Failed(why) if why.starts_with(HUNG))
    }
}

/// A case whose steps together took this much longer than the time that it let pass was too late to tell
/// what happens before a deadline. It is less than any deadline that a case must keep, and on an idle
/// machine much more than the steps take.
const LATE: Duration = Duration::from_millis(100);

/// How often a case may be late.
const CHANCES: usize = 8;

/// Runs one case. One that fails is run again if it had to do something before a deadline and was late:
/// then it says nothing about the target, which is right to end a connection in time. One that hangs is
/// not run again, because nothing ended.
pub fn run(target: &dyn Target, case: &Case, deadline: Duration) -> Outcome {
    if let Some(reason) = case.inapplicable(target) {
        return Outcome::Skipped(reason);
    }
    for _ in 1..CHANCES {
        let began = Instant::now();
        take_passed();
        let outcome = run_once(target, case, deadline);
        // No time passes where it is virtual.
        let late = began.elapsed().saturating_sub(take_passed());
        let fails = matches!(outcome, Outcome::Failed(_)) && !outcome.is_hung();
        if !(fails && case.before_deadlines && late > LATE) {
            return outcome;
        }
        println!("test {case} was {late:?} late and runs again");
    }
    run_once(target, case, deadline)
}

/// Runs one case on its own threads.
fn run_once(target: &dyn Target, case: &Case, deadline: Duration) -> Outcome {
    // Two threads, so that servers run concurrently; the case itself stays on this one.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let run = AssertUnwindSafe(|| {
        runtime.block_on(async {
            let mut run = (case.run)(Scene(target));
            for _ in 0..TURNS {
                if timeout(deadline / TURNS, &mut run).await.is_ok() {
                    return;
                }
            }
            panic!("{HUNG}: nothing for {deadline:?}");
        });
    });
    let outcome = match capture::failure(|| catch_unwind(run)) {
        Ok(()) => Outcome::Passed,
        Err(failure) => Outcome::Failed(failure),
    };
    // Not awaited, because tasks of a failed case may never end.
    runtime.shutdown_background();
    outcome
}

/// Runs every case that the arguments select against one target, and prints the results.
pub fn main(target: &dyn Target) -> ExitCode {
    let args = Args::parse();
    let all: Vec<Case> = cases::all().collect();
    if args.list {
        return args.print_list(&all);
    }
    let results = report(target, &all, &args);
    ExitCode::from(if is_ok(&results) { 0 } else { 101 })
}

/// Runs the cases that the arguments select, a few at a time, and prints the results.
pub fn report<'a>(target: &dyn Target, all: &'a [Case], args: &Args) -> Vec<(&'a Case, Outcome)> {
    let chosen: Vec<&Case> = all.iter().filter(|case| args.select(case)).collect();
    println!("\nrunning {} cases against {}", chosen.len(), target.name());
    let began = Instant::now();
    let results = run_all(
        target,
        &chosen,
        args.threads,
        |case, outcome| match outcome {
            Outcome::Passed => println!("test {case} ... ok"),
            Outcome::Failed(_) => println!("test {case} ... FAILED"),
            Outcome::Skipped(reason) => println!("test {case} ... skipped: {reason}"),
        },
    );
    summary(&results, all.len() - chosen.len(), began.elapsed());
    results
}

/// Returns whether no case failed.
pub fn is_ok(results: &[(&Case, Outcome)]) -> bool {
    let failed = |(_, outcome): &(&Case, Outcome)| matches!(outcome, Outcome::Failed(_));
    !results.iter().any(failed)
}

/// Runs cases on several threads. The results are in the cases' order.
pub fn run_all<'a>(
    target: &dyn Target,
    cases: &[&'a Case],
    threads: usize,
    done: impl Fn(&Case, &Outcome) + Sync,
) -> Vec<(&'a Case, Outcome)> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    // If one case makes the server sleep, all cases are affected.
    let threads = if target.sleeps() { 1 } else { threads };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = run(target, case, WATCHDOG);
                    done(case, &outcome);
                    results.lock().unwrap().push((*case, outcome));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    let place = |case: &Case| cases.iter().position(|one| std::ptr::eq(*one, case));
    results.sort_by_key(|(case, _)| place(case));
    results
}

fn summary(results: &[(&Case, Outcome)], filtered: usize, took: Duration) {
    let (mut passed, mut skipped, mut failed) = (0, 0, Vec::new());
    for (case, outcome) in results {
        match outcome {
            Outcome::Passed => passed += 1,
            Outcome::Skipped(_) => skipped += 1,
            Outcome::Failed(why) => failed.push((case, why)),
        }
    }
    if !failed.is_empty() {
        println!("\nfailures:\n");
        for (case, why) in &failed {
            println!("---- {case} ----\n{why}\n");
        }
    }
    println!(
        "\ntest result: {}. {passed} passed; {} failed; {skipped} skipped; {filtered} filtered out; \
         finished in {:.2}s\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        failed.len(),
        took.as_secs_f64(),
    );
}

/// The part of libtest's arguments that matters here.
#[derive(Debug)]
pub struct Args {
    filters: Vec<String>,
    exact: bool,
    /// Whether only the names are requested.
    pub list: bool,
    threads: usize,
}

impl Args {
    /// Parses the arguments of this process.
    pub fn parse() -> Self {
        let mut parsed = Self {
            filters: Vec::new(),
            exact: false,
            list: false,
            threads: 4,
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--exact" => parsed.exact = true,
                "--list" => parsed.list = true,
                "--test-threads" => parsed.threads = number(args.next()),
                other if other.starts_with("--test-threads=") => {
                    parsed.threads = number(other.split('=').nth(1).map(str::to_owned));
                }
                // libtest's other options have no effect here.
                other if other.starts_with('-') => {}
                _ => parsed.filters.push(arg),
            }
        }
        parsed
    }

    /// Returns whether every case is selected.
    pub fn selects_all(&self) -> bool {
        self.filters.is_empty()
    }

    /// Prints the names of the cases that are selected.
    pub fn print_list(&self, cases: &[Case]) -> ExitCode {
        for case in cases.iter().filter(|case| self.select(case)) {
            println!("{case}: test");
        }
        ExitCode::SUCCESS
    }

    fn select(&self, case: &Case) -> bool {
        let name = case.to_string();
        self.filters.is_empty()
            || self.filters.iter().any(|filter| {
                if self.exact {
                    name == *filter
                } else {
                    name.contains(filter.as_str())
                }
            })
    }
}

fn number(arg: Option<String>) -> usize {
    arg.and_then(|arg| arg.parse().ok()).unwrap_or(1).max(1)
}

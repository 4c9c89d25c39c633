//! Bursts into rooms whose members read at once: none may be closed, and nothing may be lost. Each
//! room has one more member, which does not read: it must be closed with 1013 within its bounds.
//!
//! ```sh
//! cargo run --release -p crossws-bench --bin bursts              # all of it, ten runs each
//! cargo run --release -p crossws-bench --bin bursts short        # one run of a few
//! cargo run --release -p crossws-bench --bin bursts sample 200   # one run of 200, spread over all
//! cargo run --release -p crossws-bench --bin bursts close 10000  # closes 10,000 members that lag
//! cargo run --release -p crossws-bench --bin bursts tokio 1 member 20 1000 20000   # one of them
//! ```
//!
//! The arguments of one burst: the runtime, its threads, the publisher, the room's size, the
//! messages' size and their number.

mod clients;
mod closing;
mod server;

use std::process::ExitCode;
use std::time::Instant;

use self::clients::Outcome;

/// The task or client that publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Publisher {
    /// A client that is a member of the room.
    Member,
    /// A client that is not a member.
    Outsider,
    /// [`CROWD`] clients at once.
    Crowd,
    /// A client's hook, which sends to each member separately.
    Send,
    /// A task that publishes through the hub and yields as the docs say.
    Hub,
    /// A task that sends to each peer by its id and yields as the docs say.
    HubPeer,
}

const CROWD: usize = 128;

const PUBLISHERS: [(&str, Publisher); 6] = [
    ("member", Publisher::Member),
    ("outsider", Publisher::Outsider),
    ("crowd", Publisher::Crowd),
    ("send", Publisher::Send),
    ("hub", Publisher::Hub),
    ("hub-peer", Publisher::HubPeer),
];

/// One burst.
#[derive(Debug, Clone, Copy)]
struct Case {
    runtime: &'static str,
    threads: usize,
    publisher: Publisher,
    room: usize,
    size: usize,
    count: usize,
}

/// Bounds of one run: messages and bytes, to all members together.
const MOST_MESSAGES: usize = 20_000_000;
const MOST_BYTES: usize = 3 << 30;

impl Case {
    /// Lowers the number of messages if the run would exceed the bounds.
    fn bounded(mut self) -> Self {
        let members = self.room.max(1);
        let most = (MOST_MESSAGES / members).min(MOST_BYTES / members / self.size.max(1));
        self.count = self.count.min(most.max(200));
        self
    }
}

fn cases(short: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    let rooms: &[usize] = if short {
        &[20]
    } else {
        &[2, 20, 100, 500, 2000]
    };
    let sizes: &[usize] = if short {
        &[1, 1000]
    } else {
        &[1, 100, 1000, 30_000, 60_000]
    };
    let counts: &[usize] = if short { &[20_000] } else { &[5000, 200_000] };
    let threads: &[usize] = if short { &[1, 2] } else { &[1, 2, 4] };
    for runtime in ["tokio", "smol"] {
        for threads in threads.iter().copied() {
            for (_, publisher) in PUBLISHERS {
                for room in rooms.iter().copied() {
                    for size in sizes.iter().copied() {
                        let counts = counts.iter().map(|count| {
                            let count = *count;
                            let case = Case {
                                runtime,
                                threads,
                                publisher,
                                room,
                                size,
                                count,
                            };
                            case.bounded()
                        });
                        let mut counts: Vec<Case> = counts.collect();
                        counts.dedup_by_key(|case| case.count);
                        cases.extend(counts);
                    }
                }
            }
        }
    }
    cases
}

/// This many of the cases, spread so that each two values of different dimensions meet soon.
fn sample(cases: &[Case], count: usize) -> Vec<Case> {
    // A prime, which shares no divisor with their number.
    const STRIDE: usize = 7919;
    (0..count.min(cases.len()))
        .map(|index| cases[index * STRIDE % cases.len()])
        .collect()
}

fn one(args: &[String]) -> Option<Case> {
    let [runtime, threads, publisher, room, size, count] = args else {
        return None;
    };
    let (_, publisher) = PUBLISHERS.iter().find(|(name, _)| name == publisher)?;
    Some(Case {
        runtime: if runtime == "smol" { "smol" } else { "tokio" },
        threads: threads.parse().ok()?,
        publisher: *publisher,
        room: room.parse().ok()?,
        size: size.parse().ok()?,
        count: count.parse().ok()?,
    })
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // A child process: this process is the server.
    if args.first().is_some_and(|arg| arg == "serve") {
        server::main(&args[1], args[2].parse().unwrap_or(1));
        return ExitCode::SUCCESS;
    }
    if args.first().is_some_and(|arg| arg == "close") {
        let members = args
            .get(1)
            .and_then(|arg| arg.parse().ok())
            .unwrap_or(10_000);
        return closing::main(members);
    }
    let (cases, runs) = match args.first().map(String::as_str) {
        None => (cases(false), 10),
        Some("short") => (cases(true), 1),
        Some("sample") => {
            let count = args.get(1).and_then(|arg| arg.parse().ok());
            (sample(&cases(false), count.unwrap_or(200)), 1)
        }
        Some(_) => match one(&args) {
            Some(case) => (vec![case], 10),
            None => {
                eprintln!("bursts: what a run is is said at the top of its main.rs");
                return ExitCode::from(2);
            }
        },
    };
    let mut failed = 0;
    for case in &cases {
        for _ in 0..runs {
            let from = Instant::now();
            match clients::run(case) {
                Ok(outcome) if outcome == Outcome::GOOD => {
                    println!("ok      {case:?} {:.2} s", from.elapsed().as_secs_f64());
                }
                Ok(outcome) => {
                    failed += 1;
                    println!("FAILED  {case:?}: {outcome:?}");
                }
                Err(error) => {
                    failed += 1;
                    println!("FAILED  {case:?}: {error}");
                }
            }
        }
    }
    println!("\n{} passed, {failed} failed", cases.len() * runs - failed);
    ExitCode::from(u8::from(failed > 0))
}

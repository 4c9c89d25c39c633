//! Counts the instructions that a message takes, under callgrind: the count is repeatable where
//! time is not. One process, one thread, no sockets: the benchmark's hooks run on the pump of every
//! native adapter, over an `Io` in memory, in virtual time.
//!
//!     instructions check     fails where a row takes more than instructions.json allows
//!     instructions update    writes what the rows take today to instructions.json

mod clients;
mod memory;
mod rows;
mod servers;
mod tasks;
mod upstreams;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs, io};

use crate::rows::Row;

/// The percentage by which a row may exceed its figure before the check fails: more than the
/// difference between compilers and C libraries.
const SLACK: f64 = 3.0;
/// The percentage by which a row may fall below its figure before the check asks for a new figure.
const GAIN: f64 = 10.0;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match *args {
        ["check"] => check(),
        ["update"] => update().map(|()| true),
        ["run", row, turns] => run(row, turns).map(|()| true),
        _ => {
            eprintln!("instructions check | update");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the part that callgrind measures.
fn run(row: &str, turns: &str) -> io::Result<()> {
    let row = Row::ALL.into_iter().find(|known| known.name() == row);
    let row = row.ok_or_else(|| io::Error::other("no such row"))?;
    row.run(turns.parse().map_err(io::Error::other)?)
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.json")
}

fn check() -> io::Result<bool> {
    let most: BTreeMap<String, f64> = serde_json::from_str(&fs::read_to_string(path())?)?;
    let mut wrong = Vec::new();
    let found = count()?;
    for (row, now) in &found {
        let name = row.name();
        let figure = match most.get(&name) {
            _ if !row.has_figure() => String::new(),
            None => {
                wrong.push(format!("{name}: instructions.json does not know it"));
                String::new()
            }
            Some(most) => {
                let change = (now / most - 1.0) * 100.0;
                if change > SLACK {
                    wrong.push(format!(
                        "{name}: {change:+.1} %: `instructions update`, if that is what it is worth"
                    ));
                }
                let better = match change < -GAIN {
                    true => "  better: `instructions update` keeps it that way",
                    false => "",
                };
                format!(" of {most:>9.0}  {change:>+6.1} %{better}")
            }
        };
        let bound = row.bound().and_then(|(other, most)| {
            let (_, instructions) = found.iter().find(|(row, _)| *row == other)?;
            Some((other.name(), now / instructions, most))
        });
        let compared = bound.map_or_else(String::new, |(other, times, most)| {
            if times > most {
                wrong.push(format!("{name}: {times:.4} times {other}, at most {most}"));
            }
            format!("  {times:.3} of {most} × {other}")
        });
        println!("{name:<30} {now:>9.0}{figure}{compared}");
    }
    // Last, because a long log is shown from its end.
    for wrong in &wrong {
        println!("WRONG: {wrong}");
    }
    Ok(wrong.is_empty())
}

fn update() -> io::Result<()> {
    let now: BTreeMap<_, _> = count()?
        .into_iter()
        .filter(|(row, _)| row.has_figure())
        .map(|(row, count)| (row.name(), count.round()))
        .collect();
    let json = serde_json::to_string_pretty(&now)?;
    println!("{json}");
    fs::write(path(), json + "\n")
}

/// Returns the instructions per message (or connection) of every row.
fn count() -> io::Result<Vec<(Row, f64)>> {
    let mut found = Vec::new();
    for row in Row::ALL {
        // The setup is in both counts, so it is not in their difference.
        let (few, many) = row.turns();
        let more = callgrind(row, many)?.saturating_sub(callgrind(row, few)?);
        let messages = u64::from(many - few) * row.messages();
        found.push((row, more as f64 / messages as f64));
    }
    Ok(found)
}

fn callgrind(row: Row, turns: u32) -> io::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args(["run", &row.name(), &turns.to_string()])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said
        .lines()
        .find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    match collected {
        Some(count) if output.status.success() => Ok(count),
        _ => Err(io::Error::other(format!(
            "callgrind of {}: {said}",
            row.name()
        ))),
    }
}

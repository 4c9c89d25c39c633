//! Measures what messages, connections and silence cost crossws and other servers: see README.md.

mod bounds;
mod certificate;
mod facts;
mod load;
mod peers;
mod plot;
mod process;
mod report;
mod results;
mod rounds;
mod row;
mod rows;
mod table;

use std::fs;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use crate::results::Results;
use crate::rounds::Plan;

const USAGE: &str = "\
benches/run [--rows A,B] [--peers A,B] [--rounds N] [--time MS] [--json FILE] [--update] [--render]
  --rows    only these rows; a name stands for all that begin with it
  --peers   only these servers
  --rounds  how often each is measured (5)
  --time    how long each measurement takes, in milliseconds (400)
  --json    where the results go
  --update  puts the measured rows into benches/results.json, and writes the documents anew
  --render  measures nothing, and writes the documents anew
";

#[derive(Debug)]
struct Args {
    rows: Option<Vec<String>>,
    peers: Option<Vec<String>>,
    rounds: u32,
    time: u64,
    json: Option<String>,
    update: bool,
    render: bool,
}

impl Args {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Self {
            rows: None,
            peers: None,
            rounds: 5,
            time: 400,
            json: None,
            update: false,
            render: false,
        };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} what?"));
            let number = |value: String| {
                let number = value.parse::<u32>();
                number.map_err(|_| format!("{arg} {value}: no number"))
            };
            let names = |value: String| Some(value.split(',').map(str::to_owned).collect());
            match arg.as_str() {
                "--rows" => parsed.rows = names(value()?),
                "--peers" => parsed.peers = names(value()?),
                "--rounds" => parsed.rounds = number(value()?)?,
                "--time" => parsed.time = u64::from(number(value()?)?),
                "--json" => parsed.json = Some(value()?),
                "--update" => parsed.update = true,
                "--render" => parsed.render = true,
                _ => return Err(format!("{arg}: no such option")),
            }
        }
        Ok(parsed)
    }
}

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(error) => {
            eprint!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match bench(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the benchmark. Returns whether every server delivered every message.
fn bench(args: &Args) -> io::Result<bool> {
    if args.render {
        report::update(&kept()?)?;
        return Ok(true);
    }
    let rows: Vec<_> = rows::ROWS
        .iter()
        .filter(|row| {
            let names = args.rows.as_deref();
            names.is_none_or(|names| names.iter().any(|name| row.id.starts_with(name.as_str())))
        })
        .copied()
        .collect();
    let mut peers = peers::all()?;
    peers.retain(|peer| {
        let names = args.peers.as_deref();
        names.is_none_or(|names| names.iter().any(|name| peer.name == name))
    });
    peers.retain(|peer| {
        let installed = peer.is_installed();
        if !installed {
            eprintln!("not installed, so not measured: {}", peer.name);
        }
        installed
    });
    let plan = Plan {
        rounds: args.rounds.max(1),
        time: Duration::from_millis(args.time),
    };
    let results = rounds::run(&rows, &peers, plan)?;
    let mut rows = results.rows.values();
    let whole = rows.all(|row| row.peers.values().all(|peer| peer.failed.is_none()));
    if let Some(path) = &args.json {
        fs::write(path, serde_json::to_string_pretty(&results)? + "\n")?;
    }
    if args.update {
        let mut kept = kept()?;
        kept.rows.extend(results.rows);
        fs::write(report::path(), serde_json::to_string_pretty(&kept)? + "\n")?;
        report::update(&kept)?;
    }
    Ok(whole)
}

/// Reads the results of earlier runs.
fn kept() -> io::Result<Results> {
    match fs::read_to_string(report::path()) {
        Ok(json) => Ok(serde_json::from_str(&json)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Results::default()),
        Err(error) => Err(error),
    }
}

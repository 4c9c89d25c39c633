//! Measures what messages, connections and silence cost servers, ours and others': see README.md.

mod facts;
mod load;
mod peers;
mod process;
mod results;
mod rounds;
mod rows;
mod table;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use crate::rounds::Plan;

const USAGE: &str = "\
bench [--rows A,B] [--peers A,B] [--rounds N] [--time MS] [--json FILE]
  --rows    only these rows; a name stands for all that begin with it
  --peers   only these servers
  --rounds  how often each is measured (5)
  --time    how long each measurement takes, in milliseconds (400)
  --json    where the results go
";

#[derive(Debug)]
struct Args {
    rows: Option<Vec<String>>,
    peers: Option<Vec<String>>,
    rounds: u32,
    time: u64,
    json: Option<String>,
}

impl Args {
    fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Self {
            rows: None,
            peers: None,
            rounds: 5,
            time: 400,
            json: None,
        };
        let mut args = args;
        while let Some(arg) = args.next() {
            let value = args.next().ok_or_else(|| format!("{arg} what?"))?;
            let number = || {
                value
                    .parse()
                    .map_err(|_| format!("{arg} {value}: no number"))
            };
            let names = || Some(value.split(',').map(str::to_owned).collect());
            match arg.as_str() {
                "--rows" => parsed.rows = names(),
                "--peers" => parsed.peers = names(),
                "--rounds" => parsed.rounds = number()? as u32,
                "--time" => parsed.time = number()?,
                "--json" => parsed.json = Some(value),
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
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(args: &Args) -> io::Result<()> {
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
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&results)?;
        std::fs::write(path, json + "\n")?;
    }
    Ok(())
}

//! The run: measures every server in turn, round after round, so that a disturbance of the machine
//! affects all of them.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use crate::facts;
use crate::load::{Target, Work};
use crate::peers::{LOAD_CORE, Peer};
use crate::process::{self, Server};
use crate::results::{PeerResult, Results, RowResult};
use crate::row::Row;
use crate::table;

/// The duration and number of rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) rounds: u32,
    pub(crate) time: Duration,
}

/// Measures the rows, one after the other, and prints each when it is done.
pub(crate) fn run(rows: &[Row], peers: &[Peer], plan: Plan) -> io::Result<Results> {
    process::allow_files(15_000)?;
    process::pin(&[LOAD_CORE])?;
    let mut results = Results::default();
    for row in rows {
        let peers: Vec<_> = peers
            .iter()
            .filter(|peer| peer.takes_part(row.who))
            .collect();
        if peers.is_empty() {
            continue;
        }
        let result = measure(row, &peers, plan)?;
        print!("{}", table::row(row, &result));
        results.rows.insert(row.id.to_owned(), result);
    }
    Ok(results)
}

fn measure(row: &Row, peers: &[&Peer], plan: Plan) -> io::Result<RowResult> {
    let mut found: BTreeMap<String, PeerResult> = BTreeMap::new();
    let mut servers: BTreeMap<&str, Server> = BTreeMap::new();
    // Memory that one server releases must not count as free for the next.
    let fresh = matches!(row.work, Work::Idle { .. });
    // Memory hardly differs between rounds, and each round takes seconds.
    let rounds = if fresh {
        plan.rounds.min(3)
    } else {
        plan.rounds
    };
    // One more round, so that code is compiled. It does not count.
    for round in 0..=rounds {
        if fresh && round == 0 {
            continue;
        }
        for peer in peers {
            let result = found.entry(peer.name.to_owned()).or_default();
            if result.failed.is_some() {
                continue;
            }
            if fresh {
                servers.clear();
            }
            match once(row, peer, &mut servers, plan.time) {
                Ok(_) if round == 0 => {}
                Ok(sample) => result.add(row.measure, &sample),
                Err(error) => {
                    eprintln!("{}, {}: {error}", row.id, peer.name);
                    result.failed = Some(error.to_string());
                }
            }
        }
    }
    Ok(RowResult {
        facts: facts::gather(peers),
        peers: found,
    })
}

fn once<'a>(
    row: &Row,
    peer: &'a Peer,
    servers: &mut BTreeMap<&'a str, Server>,
    time: Duration,
) -> io::Result<crate::load::Sample> {
    if !servers.contains_key(peer.name) {
        let server = peer.launch.start(peer.cores, &[LOAD_CORE])?;
        servers.insert(peer.name, server);
    }
    let server = servers
        .get(peer.name)
        .ok_or_else(|| io::Error::other("no server"))?;
    let target = Target {
        address: server.address,
        framing: peer.framing,
        process: server.process(),
    };
    row.work.run(&target, time)
}

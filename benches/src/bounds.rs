//! The bounds of a row, and whether they are kept.

use crate::results::{Results, RowResult, median};
use crate::row::{Bound, Measure, Row, Who};

/// Formats the bounds of a row, and whether each is kept.
pub(crate) fn wanted(row: &Row, result: &RowResult, results: &Results) -> String {
    let subject = match row.who {
        Who::Threads => "ours-two",
        _ => "ours",
    };
    let ours = result.median(subject);
    let sign = if row.measure == Measure::Rate {
        "≥"
    } else {
        "≤"
    };
    // The lower bound for every server that makes a system call per message.
    let floors = ["floor", "tcp-echo"];
    let floor = floors.iter().filter_map(|name| result.median(name));
    let floor = floor
        .reduce(f64::min)
        .filter(|_| row.measure == Measure::Cpu);
    let mut said = Vec::new();
    for bound in row.bounds {
        let (text, have, limit) = match *bound {
            Bound::Peer(name, times) => {
                let label = match name {
                    "bun" => "Bun",
                    "uws" => "uWS",
                    "tcp-echo" => "TCP",
                    "ours-one" => "one",
                    name => name,
                };
                let limit = result.median(name).map(|value| value * times);
                (format!("{sign} {times:.2} × {label}"), ours, limit)
            }
            Bound::Best(times) => {
                let others = result
                    .peers
                    .iter()
                    .filter(|(name, _)| !name.starts_with("ours") && *name != "floor");
                let best = others
                    .filter_map(|(_, peer)| peer.median())
                    .reduce(f64::max);
                (
                    format!("{sign} the best"),
                    ours,
                    best.map(|best| best * times),
                )
            }
            Bound::Row(id, times) => {
                let other = results.rows.get(id);
                // The growth of a server that does no work at all.
                let floors = result
                    .median("floor")
                    .zip(other.and_then(|other| other.median("floor")))
                    .map_or_else(String::new, |(floor, other)| {
                        format!(" (the floor {:.2})", floor / other)
                    });
                let other = other.and_then(|other| other.median(subject));
                (
                    format!("{sign} {times:.2} × the row above{floors}"),
                    ours,
                    other.map(|other| other * times),
                )
            }
            Bound::User(most) => {
                let user = result
                    .peers
                    .get(subject)
                    .and_then(|peer| median(&peer.user));
                let have =
                    user.map_or_else(String::new, |user| format!(" (is {:.1})", user / 1000.0));
                (
                    format!("own time ≤ {:.1} µs{have}", most / 1000.0),
                    user,
                    Some(most),
                )
            }
            Bound::Bytes(most) => (format!("{sign} {:.0} KiB", most / 1024.0), ours, Some(most)),
        };
        let kept = have.zip(limit).map(|(have, limit)| {
            if row.measure == Measure::Rate {
                have >= limit
            } else {
                have <= limit
            }
        });
        said.push(match kept {
            Some(true) => format!("{text}: yes"),
            Some(false) if matches!(bound, Bound::Peer(..)) && limit < floor => {
                format!("{text}: **no**, and less than the floor's")
            }
            Some(false) => format!("{text}: **no**"),
            None => format!("{text}: not measured"),
        });
    }
    said.join("; ")
}

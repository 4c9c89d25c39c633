//! Results as text.

use std::fmt::Write as _;

use crate::results::RowResult;
use crate::row::{Measure, Row};

/// Formats a row with all measurements, for the terminal: median, minimum and maximum.
pub(crate) fn row(row: &Row, result: &RowResult) -> String {
    let mut out = format!("\n{}: {}\n", row.id, row.title);
    let names = [
        "ours",
        "ours-two",
        "ours-tls",
        "ours-http2",
        "ours-whole",
        "ours-whole-two",
    ];
    let ours = names.iter().find_map(|name| result.peers.get(*name));
    let ours = ours.and_then(|peer| peer.median());
    for (name, peer) in &result.peers {
        let (Some(median), Some((least, most))) = (peer.median(), peer.range()) else {
            let why = peer.failed.as_deref().unwrap_or("nothing measured");
            let _ = writeln!(out, "  {name:<16} FAILED: {why}");
            continue;
        };
        let user = crate::results::median(&peer.user).unwrap_or_default();
        let _ = write!(
            out,
            "  {name:<16} {:>12}  ({} to {})",
            amount(row.measure, median),
            amount(row.measure, least),
            amount(row.measure, most),
        );
        if row.measure == Measure::Cpu {
            let _ = write!(out, "  user {:.0} ns", user);
        }
        match ours {
            Some(ours) => {
                let _ = writeln!(out, "  ours / it {:.2}", ours / median);
            }
            None => out.push('\n'),
        }
    }
    out
}

/// Formats a value with its unit, to three digits.
pub(crate) fn amount(measure: Measure, value: f64) -> String {
    match measure {
        Measure::Cpu | Measure::Wall => match value {
            value if value >= 10_000.0 => format!("{:.1} µs", value / 1000.0),
            value if value >= 1000.0 => format!("{:.2} µs", value / 1000.0),
            value if value >= 100.0 => format!("{value:.0} ns"),
            value => format!("{value:.1} ns"),
        },
        Measure::Rate => format!("{value:.0}/s"),
        Measure::Memory => format!("{:.2} KiB", value / 1024.0),
    }
}

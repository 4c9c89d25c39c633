//! Formats results as Markdown, for the marked sections of the two READMEs.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use crate::bounds::wanted;
use crate::peers::{self, Peer};
use crate::plot;
use crate::results::{Results, RowResult, median};
use crate::row::{Measure, Row, Who};
use crate::rows::ROWS;
use crate::table::amount;

const BEGIN: &str = "<!-- measured: written by `benches/run --update` -->\n";
const END: &str = "<!-- /measured -->\n";

/// Returns the file of the results.
pub(crate) fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("results.json")
}

/// Rewrites the results in the documents.
pub(crate) fn update(results: &Results) -> io::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let peers = peers::all()?;
    fs::write(here.join("results.svg"), plot::svg(results, &peers))?;
    put(&here.join("README.md"), &full(results, &peers))?;
    put(&here.join("../README.md"), &short(results))
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    let old = fs::read_to_string(path)?;
    let parts = old.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let Some((before, after)) = parts else {
        let path = path.display();
        return Err(io::Error::other(format!(
            "no marks to write between in {path}"
        )));
    };
    fs::write(path, format!("{before}{BEGIN}\n{text}\n{END}{after}"))
}

/// The rows of the short table: one for each kind of work.
const SHORT: &[&str] = &[
    "chat",
    "turns",
    "echo-1",
    "echo-16k",
    "publish-64",
    "idle",
    "connect",
];

/// Returns the table for readers who compare projects: few rows, and no bounds of this project's
/// own.
fn short(results: &Results) -> String {
    let mut out = "| work | crossws | Bun | uWebSockets | raw epoll loop |\n\
                   | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for (row, result) in compared(results).filter(|(row, _)| SHORT.contains(&row.id)) {
        let _ = write!(out, "| {} |", row.title);
        for name in ["ours", "bun", "uws", floor_of(row)] {
            let _ = write!(out, " {} |", text(row.measure, result.median(name)));
        }
        out.push('\n');
    }
    let _ = writeln!(out, "\n{}", machine(results));
    out
}

/// Returns the server without a protocol that a row is compared with.
fn floor_of(row: &Row) -> &'static str {
    match row.who {
        Who::Echoes => "tcp-echo",
        _ => "floor",
    }
}

fn full(results: &Results, peers: &[Peer]) -> String {
    let mut out = main_table(results);
    out.push_str("\n![The same as a picture](results.svg)\n\n### Every server\n\n");
    out.push_str(&everybody(results, peers));
    out.push_str("\n### More connections, more topics\n\n");
    out.push_str(&scaling(results));
    out.push_str("\n### Two threads instead of one\n\n");
    out.push_str(&threads(results));
    for (title, who) in [
        ("Encrypted", Who::Tls),
        ("Over HTTP/2", Who::Http2),
        ("With and without a mechanism", Who::Without),
        ("The same on two threads", Who::WithoutOnTwo),
    ] {
        if measured(results).any(|(row, _)| row.who == who) {
            let _ = writeln!(out, "\n### {title}\n");
            out.push_str(&side_by_side(results, peers, who));
        }
    }
    out.push_str("\n### Where we lose\n\n");
    out.push_str(&losses(results, peers));
    out.push_str("\n### What it ran on\n\n");
    let mut facts = std::collections::BTreeMap::new();
    for row in results.rows.values() {
        facts.extend(row.facts.iter());
    }
    for (name, fact) in facts {
        let _ = writeln!(out, "- {name}: {fact}");
    }
    out
}

/// Returns the rows in which peers are compared, in the table's order.
fn compared(results: &Results) -> impl Iterator<Item = (&'static Row, &RowResult)> {
    measured(results).filter(|(row, _)| row.who.is_compared())
}

fn measured(results: &Results) -> impl Iterator<Item = (&'static Row, &RowResult)> {
    ROWS.iter()
        .filter_map(|row| Some((row, results.rows.get(row.id)?)))
}

fn main_table(results: &Results) -> String {
    let mut out = "| work | crossws | Bun | uWebSockets | floor | ours ÷ Bun | ours ÷ uWS | ours ÷ floor | wanted |\n\
                   | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for (row, result) in compared(results) {
        let names = ["ours", "bun", "uws", floor_of(row)];
        let values = names.map(|name| result.median(name));
        let _ = write!(out, "| {} |", row.title);
        for value in values {
            let _ = write!(out, " {} |", text(row.measure, value));
        }
        for value in &values[1..] {
            let _ = write!(out, " {} |", ratio(values[0], *value));
        }
        let _ = writeln!(out, " {} |", wanted(row, result, results));
    }
    out
}

fn everybody(results: &Results, peers: &[Peer]) -> String {
    let rows: Vec<_> = compared(results).collect();
    let mut out = "| |".to_owned();
    for (row, _) in &rows {
        let _ = write!(out, " {} |", row.id);
    }
    out.push_str("\n| --- |");
    out.push_str(&" --- |".repeat(rows.len()));
    out.push('\n');
    for peer in peers {
        if !rows
            .iter()
            .any(|(_, result)| result.peers.contains_key(peer.name))
        {
            continue;
        }
        let _ = write!(out, "| {} |", peer.label);
        for (row, result) in &rows {
            let failed = result
                .peers
                .get(peer.name)
                .is_some_and(|peer| peer.failed.is_some());
            let value = result.median(peer.name);
            let text = if failed {
                "failed".to_owned()
            } else {
                text(row.measure, value)
            };
            let _ = write!(out, " {text} |");
        }
        out.push('\n');
    }
    out
}

fn scaling(results: &Results) -> String {
    let mut out = "| work | crossws | Bun | uWebSockets | floor | wanted |\n\
                   | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    let rows = measured(results).filter(|(row, _)| row.who.is_scale());
    for (row, result) in rows {
        let _ = write!(out, "| {} |", row.title);
        for name in ["ours", "bun", "uws", "floor"] {
            let _ = write!(out, " {} |", text(row.measure, result.median(name)));
        }
        let _ = writeln!(out, " {} |", wanted(row, result, results));
    }
    out
}

fn threads(results: &Results) -> String {
    let mut out = "| work | one | two | two ÷ one | cores used by one | by two | wanted |\n\
                   | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for (row, result) in measured(results).filter(|(row, _)| row.who == Who::Threads) {
        let (one, two) = (result.median("ours-one"), result.median("ours-two"));
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} |",
            row.title,
            text(row.measure, one),
            text(row.measure, two),
            ratio(two, one),
            cores(result, "ours-one"),
            cores(result, "ours-two"),
            wanted(row, result, results)
        );
    }
    out
}

/// Returns the rows of some servers alone, with what the first is in multiples of each other.
fn side_by_side(results: &Results, peers: &[Peer], who: Who) -> String {
    let peers: Vec<_> = peers.iter().filter(|peer| peer.takes_part(who)).collect();
    let mut out = "| work |".to_owned();
    for peer in &peers {
        let _ = write!(out, " {} |", peer.label);
    }
    for peer in &peers[1..] {
        let _ = write!(out, " ÷ {} |", peer.label);
    }
    out.push_str("\n| --- |");
    out.push_str(&" --- |".repeat(2 * peers.len() - 1));
    out.push('\n');
    for (row, result) in measured(results).filter(|(row, _)| row.who == who) {
        let _ = write!(out, "| {} |", row.title);
        let values: Vec<_> = peers.iter().map(|peer| result.median(peer.name)).collect();
        for value in &values {
            let _ = write!(out, " {} |", text(row.measure, *value));
        }
        for peer in &peers[1..] {
            let _ = write!(out, " {} |", paired(result, peers[0].name, peer.name));
        }
        out.push('\n');
    }
    out
}

/// Returns the median of the rounds' ratios. From 15 rounds on, it comes with the interval that contains it
/// with a probability of 95 %.
fn paired(result: &RowResult, ours: &str, other: &str) -> String {
    let values = |name| result.peers.get(name).map(|peer| &*peer.values);
    let (Some(ours), Some(other)) = (values(ours), values(other)) else {
        return ratio(None, None);
    };
    let mut ratios: Vec<_> = ours.iter().zip(other).map(|(ours, it)| ours / it).collect();
    ratios.sort_by(f64::total_cmp);
    let middle = ratio(median(&ratios), Some(1.0));
    if ratios.len() < 15 {
        return middle;
    }
    // The ranks of the sign test.
    let rounds = ratios.len() as f64;
    let left_out = ((rounds - 1.96 * rounds.sqrt()) / 2.0) as usize;
    let (least, most) = (ratios[left_out], ratios[ratios.len() - 1 - left_out]);
    format!("{middle} ({least:.2} to {most:.2})")
}

/// Returns how many cores a server kept busy.
fn cores(result: &RowResult, name: &str) -> String {
    let used = result.peers.get(name).and_then(|peer| median(&peer.cores));
    used.map_or_else(|| "–".to_owned(), |used| format!("{used:.2}"))
}

/// Lists, per row, every server that is better than crossws.
fn losses(results: &Results, peers: &[Peer]) -> String {
    let mut out = String::new();
    for (row, result) in compared(results) {
        let Some(ours) = result.median("ours") else {
            continue;
        };
        let mut better: Vec<_> = peers
            .iter()
            .filter(|peer| peer.is_server() && !peer.is_of_this_crate())
            .filter_map(|peer| Some((peer.label, result.median(peer.name)?)))
            .map(|(label, value)| {
                (
                    label,
                    if row.measure == Measure::Rate {
                        value / ours
                    } else {
                        ours / value
                    },
                )
            })
            .filter(|(_, times)| *times > 1.0)
            .collect();
        better.sort_by(|a, b| b.1.total_cmp(&a.1));
        if better.is_empty() {
            continue;
        }
        let names: Vec<_> = better
            .iter()
            .map(|(label, times)| format!("{label} ({times:.2} times as good)"))
            .collect();
        let _ = writeln!(out, "- {}: to {}.", row.title, names.join(", "));
    }
    if out.is_empty() {
        out.push_str("In none of these rows.\n");
    }
    out
}

fn machine(results: &Results) -> String {
    let row = results.rows.values().next();
    let fact = |name: &str| {
        row.and_then(|row| row.facts.get(name))
            .cloned()
            .unwrap_or_default()
    };
    format!(
        "On {}, Linux {}, {}.",
        fact("CPU"),
        fact("kernel"),
        fact("rustc")
    )
}

fn text(measure: Measure, value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| amount(measure, value))
}

fn ratio(ours: Option<f64>, theirs: Option<f64>) -> String {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => format!("{:.2}", ours / theirs),
        _ => "–".to_owned(),
    }
}

//! The compatibility table in the docs is what a run of the suite says today.
//!
//! `CROSSWS_UPDATE=1 cargo test -p crossws-conformance --test table` rewrites it.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "targets/hyper.rs"]
mod hyper_target;
#[path = "targets/memory.rs"]
mod memory;
#[path = "targets/native.rs"]
mod native;

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use crossws_conformance::Target;
use crossws_conformance::cases::{self, Case};
use crossws_conformance::runner::{Outcome, run_all};
use crossws_core::Capabilities;
use native::Native;

/// Where the table lives.
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/compatibility.md");

fn main() -> ExitCode {
    let targets: [&dyn Target; 5] = [
        &Native::<crossws_tokio::Tokio>::new("tokio"),
        &hyper_target::Hyper,
        &Native::<crossws_smol::Smol>::new("smol"),
        &Native::<crossws_async_std::AsyncStd>::new("async-std"),
        &memory::Memory,
    ];
    let cases: Vec<Case> = cases::all().collect();
    let chosen: Vec<&Case> = cases.iter().collect();
    let columns: Vec<Column<'_>> = targets
        .into_iter()
        .map(|target| Column {
            target,
            results: run_all(target, &chosen, 4, |_, _| {}),
        })
        .collect();
    let table = table(&columns);
    let path = Path::new(PATH);
    if std::env::var_os("CROSSWS_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &table).unwrap();
        println!("wrote docs/compatibility.md");
        return ExitCode::SUCCESS;
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    if written == table {
        println!("test docs/compatibility.md is what a run says ... ok");
        println!("\ntest result: ok. 1 passed; 0 failed\n");
        return ExitCode::SUCCESS;
    }
    println!("test docs/compatibility.md is what a run says ... FAILED\n");
    difference(&written, &table);
    println!("\nTo rewrite it: CROSSWS_UPDATE=1 cargo test -p crossws-conformance --test table");
    println!("\ntest result: FAILED. 0 passed; 1 failed\n");
    ExitCode::from(101)
}

/// One adapter, and what became of each case.
struct Column<'a> {
    target: &'a dyn Target,
    results: Vec<(&'a Case, Outcome)>,
}

/// What the groups' names say at length.
const GROUPS: &[(&str, &str)] = &[
    (
        "upgrade",
        "The upgrade hook: request, headers, subprotocol, namespace, context",
    ),
    ("refusal", "Refusals, unclaimed routes, origins"),
    ("life", "Order of hooks, and what is served while one runs"),
    ("closing", "Close codes and reasons, both ways"),
    ("failure", "Hooks that fail or panic"),
    ("looped", "Loops and closures as hooks"),
    ("peer", "The peer's handle"),
    ("pubsub", "Topics"),
    ("hub", "Namespaces, and the hub from outside"),
    ("queue", "Slow clients, drain, size limits"),
    ("timing", "Heartbeat, idleness, time limits"),
    ("stopping", "Shutdown"),
    ("bad_http", "Malformed and odd handshakes"),
    ("bad_frames", "Frames that no client may send"),
    ("compression", "Compression"),
];

fn table(columns: &[Column<'_>]) -> String {
    for (case, _) in &columns[0].results {
        let titled = GROUPS.iter().any(|(group, _)| *group == case.group);
        assert!(titled, "{case}: give its group a title");
    }
    let mut table = String::from(
        "# Compatibility\n\n\
         What each adapter can do, and which of the contracts that apply to it it keeps. Written by a\n\
         run of the conformance suite (`tests/`); not by hand.\n\n\
         ## Capabilities\n\n",
    );
    let names: Vec<&str> = columns.iter().map(|column| column.target.name()).collect();
    let mut rows = Vec::new();
    for (capability, name) in Capabilities::ALL {
        let cells = columns.iter().map(|column| {
            let offered = column.target.capabilities().contains(*capability);
            if offered { "yes" } else { "–" }.to_owned()
        });
        rows.push((format!("`{name}`"), cells.collect()));
    }
    write_rows(&mut table, "capability", &names, &rows);
    table.push_str(
        "\n`yes`: declared, and proven by the cases below. `–`: not offered; asking for it is a \
         typed error.\n\n## Contracts\n\n",
    );
    let mut rows = Vec::new();
    for (group, title) in GROUPS {
        let cells = columns.iter().map(|column| column.cell(group));
        rows.push(((*title).to_owned(), cells.collect()));
    }
    write_rows(&mut table, "contracts", &names, &rows);
    table.push_str(
        "\nThe number of cases that pass; `–` where none applies. A case that needs a capability which\n\
         an adapter does not declare is skipped there, and not counted.\n\n## Case by case\n",
    );
    for (group, title) in GROUPS {
        write!(table, "\n### {title}\n\n").unwrap();
        let mut rows = Vec::new();
        for (index, (case, _)) in columns[0].results.iter().enumerate() {
            if case.group == *group {
                let cells = columns.iter().map(|column| column.verdict(index));
                rows.push((case.name.replace('_', " "), cells.collect()));
            }
        }
        write_rows(&mut table, "case", &names, &rows);
    }
    table
}

impl Column<'_> {
    fn verdict(&self, index: usize) -> String {
        match self.results[index].1 {
            Outcome::Passed => "yes",
            Outcome::Failed(_) => "**no**",
            Outcome::Skipped(_) => "–",
        }
        .to_owned()
    }

    fn cell(&self, group: &str) -> String {
        let results = self.results.iter().filter(|(case, _)| case.group == group);
        let (mut passed, mut failed) = (0, Vec::new());
        for (case, outcome) in results {
            match outcome {
                Outcome::Passed => passed += 1,
                Outcome::Failed(_) => failed.push(case.name),
                Outcome::Skipped(_) => {}
            }
        }
        match (passed, &failed[..]) {
            (0, []) => "–".to_owned(),
            (passed, []) => format!("yes ({passed})"),
            (_, failed) => format!("**no**: {}", failed.join(", ")),
        }
    }
}

fn write_rows(table: &mut String, title: &str, names: &[&str], rows: &[(String, Vec<String>)]) {
    writeln!(table, "| {title} | {} |", names.join(" | ")).unwrap();
    writeln!(table, "| --- |{}", " --- |".repeat(names.len())).unwrap();
    for (name, cells) in rows {
        writeln!(table, "| {name} | {} |", cells.join(" | ")).unwrap();
    }
}

/// Line by line: the table's rows keep their places.
fn difference(old: &str, new: &str) {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    for index in 0..old.len().max(new.len()) {
        let (old, new) = (old.get(index), new.get(index));
        if old != new {
            old.inspect(|line| println!("- {line}"));
            new.inspect(|line| println!("+ {line}"));
        }
    }
}

//! The compatibility table in the docs: the results of the suite, with a column for each target.
//!
//! A run knows its own targets. The columns of other targets stay unchanged, so that no run needs
//! everything installed. The run that has a target compares its column.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;

use crossws_core::Capabilities;

use crate::Target;
use crate::cases::Case;
use crate::runner::Outcome;

/// The file with the table.
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/compatibility.md");

/// The columns, in order: the names of the targets.
const ORDER: [&str; 14] = [
    "tokio",
    "tokio, TLS",
    "tokio, HTTP/2",
    "tokio, SSE",
    "tokio, proxied",
    "hyper",
    "smol",
    "async-std",
    "own runtime",
    "memory",
    "durable object",
    "asleep",
    "worker",
    "workers, SSE",
];

/// Compares the table with these columns, or rewrites them with `CROSSWS_UPDATE=1`, and prints the
/// result. `command` is the command of the run.
pub fn is_true(columns: &[Column<'_>], command: &str) -> bool {
    let path = Path::new(PATH);
    let written = std::fs::read_to_string(path).unwrap_or_default();
    let table = table(columns, &Written::parse(&written));
    if std::env::var_os("CROSSWS_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &table).unwrap();
        println!("wrote docs/compatibility.md");
        return true;
    }
    if written == table {
        println!("test docs/compatibility.md is what a run says ... ok\n");
        return true;
    }
    println!("test docs/compatibility.md is what a run says ... FAILED\n");
    difference(&written, &table);
    println!("\nTo rewrite it: CROSSWS_UPDATE=1 {command}\n");
    false
}

/// One target, with the result of each case.
#[allow(missing_debug_implementations)]
pub struct Column<'a> {
    /// The target.
    pub target: &'a dyn Target,
    /// Every case, in order.
    pub results: Vec<(&'a Case, Outcome)>,
}

/// The table in the file: the cell of each heading, row and column.
struct Written<'a>(HashMap<(&'a str, &'a str, &'a str), &'a str>);

impl<'a> Written<'a> {
    fn parse(text: &'a str) -> Self {
        let mut cells = HashMap::new();
        let (mut heading, mut names) = ("", Vec::new());
        for line in text.lines() {
            let row = line
                .strip_prefix("| ")
                .and_then(|line| line.strip_suffix(" |"));
            let Some(row) = row else {
                if line.starts_with('#') {
                    heading = line;
                }
                names.clear();
                continue;
            };
            let mut row = row.split(" | ");
            let first = row.next().unwrap_or_default();
            if names.is_empty() {
                names = row.collect();
            } else {
                for (name, cell) in names.iter().zip(row) {
                    cells.insert((heading, first, *name), cell);
                }
            }
        }
        Self(cells)
    }

    /// Returns the cell in the file, or a question mark if there is none.
    fn cell(&self, heading: &str, row: &str, name: &str) -> String {
        let cell = self.0.get(&(heading, row, name));
        cell.map_or_else(|| "?".to_owned(), |cell| (*cell).to_owned())
    }
}

/// The titles of the groups.
const GROUPS: &[(&str, &str)] = &[
    (
        "upgrade",
        "The upgrade hook: request, headers, subprotocol, namespace, context",
    ),
    ("refusal", "Refusals, unclaimed routes, origins"),
    (
        "routes",
        "Routes, layers, authentication, settings of a route",
    ),
    (
        "typed",
        "Messages of the application's types, in several formats",
    ),
    ("rules", "Declarative responses"),
    ("calls", "Events and calls in both directions, JSON-RPC 2.0"),
    ("life", "Order of hooks, and what is served while one runs"),
    ("closing", "Close codes and reasons, both ways"),
    ("failure", "Hooks that fail or panic"),
    ("loops", "Loops and closures as hooks"),
    ("peer", "The peer's handle"),
    ("traffic", "Counters and round trips"),
    ("ending", "Cleanups at a connection's end"),
    ("waiting", "Sends that wait, and policies of topics"),
    ("pubsub", "Topics"),
    ("several_topics", "Messages to several topics"),
    ("rooms", "Rooms"),
    ("retained", "Messages that topics retain"),
    ("identities", "Identities and tags"),
    ("hub", "Namespaces, and the hub from outside"),
    ("queue", "Outbound queue, drain, size limits"),
    ("overflow", "Slow clients"),
    ("timing", "Heartbeat, idleness, time limits"),
    ("timers", "Named timers and intervals of a peer"),
    ("stopping", "Shutdown"),
    ("bad_http", "Malformed and odd handshakes"),
    ("bad_frames", "Frames that no client may send"),
    ("compression", "Compression"),
];

fn table(columns: &[Column<'_>], written: &Written<'_>) -> String {
    let cases: Vec<&Case> = columns[0].results.iter().map(|(case, _)| *case).collect();
    for case in &cases {
        let titled = GROUPS.iter().any(|(group, _)| *group == case.group);
        assert!(titled, "{case}: give its group a title");
    }
    for column in columns {
        let name = column.target.name();
        assert!(
            ORDER.contains(&name),
            "{name}: give it a place in the order"
        );
    }
    let mut table = String::from(
        "# Compatibility\n\n\
         What each adapter can do, and which of the contracts that apply to it it keeps. Written by\n\
         runs of the conformance suite (`tests/`); not by hand. `durable object` and `worker` are a\n\
         Cloudflare Worker in real workerd, with objects and without; `asleep` is the same object,\n\
         which forgets before each step of a case all that is not stored. `workers, SSE` are event streams\n\
         and posts of an object.\n\n",
    );
    let row = |heading: &str, name: String, cell: &dyn Fn(&Column<'_>) -> String| {
        let cells = ORDER.iter().map(|column| {
            let own = columns.iter().find(|own| own.target.name() == *column);
            own.map_or_else(|| written.cell(heading, &name, column), cell)
        });
        format!("| {name} | {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    begin(&mut table, "## Capabilities", "capability");
    for (capability, name) in Capabilities::ALL {
        table.push_str(&row("## Capabilities", format!("`{name}`"), &|column| {
            let offered = column.target.capabilities().contains(*capability);
            if offered { "yes" } else { "–" }.to_owned()
        }));
    }
    table.push_str(
        "\n`yes`: declared, and proven by the cases below. `–`: not offered; asking for it is a \
         typed error.\n\n",
    );
    begin(&mut table, "## Contracts", "contracts");
    for (group, title) in GROUPS {
        let title = (*title).to_owned();
        table.push_str(&row("## Contracts", title, &|column| column.cell(group)));
    }
    table.push_str(
        "\nThe number of cases that pass; `–` where none applies. A case that needs a capability which\n\
         an adapter does not declare is skipped there, and not counted.\n\n## Case by case\n",
    );
    for (group, title) in GROUPS {
        let heading = format!("### {title}");
        table.push('\n');
        begin(&mut table, &heading, "case");
        for (index, case) in cases.iter().enumerate() {
            if case.group == *group {
                let name = case.name.replace('_', " ");
                table.push_str(&row(&heading, name, &|column| column.verdict(index)));
            }
        }
    }
    table
}

/// Writes a heading, and the first lines of a table under it.
fn begin(table: &mut String, heading: &str, rows: &str) {
    let lines = " --- |".repeat(ORDER.len());
    writeln!(
        table,
        "{heading}\n\n| {rows} | {} |\n| --- |{lines}",
        ORDER.join(" | ")
    )
    .unwrap();
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

/// Compares line by line, because the table's rows keep their places.
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

//! The public items have examples: many of the functions of core and app, and each type of every crate that
//! users meet.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Types that need no example, with the reasons.
const EXCEPTIONS: [(&str, &[&str]); 4] = [
    (
        "a bound that the compiler checks, and nothing that an application writes",
        &["MaybeSend", "MaybeSync"],
    ),
    (
        "a marker or an erased type in a signature of `IntoProvider` or `IntoTarget`",
        &["Awaited", "Called", "Fixed", "FoundTarget"],
    ),
    (
        "for a new runtime: docs/runtimes.md writes one",
        &[
            "ConnectRuntime",
            "FuturesIo",
            "Io",
            "Listen",
            "Runtime",
            "TlsStream",
        ],
    ),
    (
        "for adapters of platforms that serve event streams, or HTTP, themselves",
        &["Place", "SocketBody", "Streams", "Through"],
    ),
];

struct Crate {
    /// As paths begin with it.
    name: String,
    lib: String,
    files: Vec<String>,
    /// The files of the modules that the crate exports as such.
    modules: Vec<String>,
}

/// Core and app, and then all others whose types users meet.
fn crates() -> Vec<Crate> {
    let crates: [(&str, &[&str]); 14] = [
        ("crossws-core", &[]),
        ("crossws-app", &["calls", "description", "rooms", "rules"]),
        ("adapters/async-std", &[]),
        ("adapters/axum", &[]),
        ("adapters/client", &[]),
        ("adapters/memory", &[]),
        ("adapters/native", &[]),
        ("adapters/proxy", &[]),
        ("adapters/smol", &[]),
        ("adapters/sse", &[]),
        ("adapters/tokio", &[]),
        ("adapters/worker", &[]),
        ("codegen", &[]),
        ("metrics", &[]),
    ];
    let read = |(name, modules): (&str, &[&str])| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let src = root.join(name).join("src");
        let read = |name: &str| fs::read_to_string(src.join(name).with_extension("rs")).unwrap();
        let mut files = Vec::new();
        sources(&src, &mut files);
        if read("lib").contains("export_adapter!(") {
            // The macro declares the rest of the crate.
            let expanded = root.join("adapters/native/src/runtime/adapter.rs");
            files.push(fs::read_to_string(expanded).unwrap());
        }
        let package = name.rsplit('/').next().unwrap_or(name);
        let package = package.trim_start_matches("crossws-").replace('-', "_");
        Crate {
            name: format!("crossws_{package}"),
            lib: read("lib"),
            files,
            modules: modules.iter().map(|name| read(name)).collect(),
        }
    };
    crates.map(read).into()
}

/// The source files of a crate, without their tests.
fn sources(folder: &Path, found: &mut Vec<String>) {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            sources(&path, found);
        } else if !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let tests = text.find("\n#[cfg(test)]\nmod tests {");
            let code = &text[..tests.unwrap_or(text.len())];
            found.push(code.to_owned());
        }
    }
}

/// Returns the examples in the documentation of a file that are compiled.
fn examples(file: &str) -> Vec<String> {
    let mut examples = Vec::new();
    let mut open: Option<String> = None;
    for line in file.lines() {
        let line = line.trim_start();
        let Some(text) = line.strip_prefix("///").or(line.strip_prefix("//!")) else {
            // A macro's line of an example stands between the others.
            if !line.starts_with("#[doc = ") {
                open = None;
            }
            continue;
        };
        match (text.trim_start().strip_prefix("```"), open.take()) {
            (Some(_), Some(example)) => examples.push(example),
            (Some("ignore" | "text" | "toml" | "json" | "sh"), None) | (None, None) => {}
            (Some(_), None) => open = Some(String::new()),
            (None, Some(example)) => open = Some(example + text + "\n"),
        }
    }
    examples
}

fn is_function(line: &str) -> bool {
    let line = line.trim_start();
    ["pub fn ", "pub const fn ", "pub async fn "]
        .iter()
        .any(|start| line.starts_with(start))
}

/// Whether a text contains this word.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

/// Whether this is the name of a type, and not of a module, a function or a constant.
fn is_type(name: &str) -> bool {
    name.starts_with(char::is_uppercase) && !name.contains('_') && name.contains(char::is_lowercase)
}

/// Returns the types that a module exports and that its own crate declares.
fn exported(module: &str) -> BTreeSet<&str> {
    let declared = module.lines().filter_map(|line| {
        let mut words = line
            .strip_prefix("pub ")?
            .split(|c: char| !c.is_alphanumeric());
        let kind = words.next()?;
        ["struct", "enum", "trait", "type"]
            .contains(&kind)
            .then(|| words.next())?
    });
    // A list that follows `#[doc(hidden)]` is for macros.
    let uses = module.split("\npub use ").collect::<Vec<_>>();
    let lists = uses
        .windows(2)
        .filter(|pair| !pair[0].ends_with("#[doc(hidden)]"));
    let lists = lists.map(|pair| pair[1].split_once(';').unwrap().0);
    let foreign = ["bytes::", "crossws_", "tracing::"];
    let own = lists.filter(|list| !foreign.iter().any(|path| list.starts_with(path)));
    own.flat_map(|list| list.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .chain(declared)
        .filter(|name| is_type(name))
        .collect()
}

/// Returns the documentation and the attributes of the item whose line this is.
fn above(lines: &[&str], at: usize) -> String {
    let is_of_it = |line: &&&str| {
        let line = line.trim();
        line.starts_with("//") || !(line.is_empty() || line.ends_with(['{', '}', ';']))
    };
    let docs = lines[..at].iter().rev().take_while(is_of_it).count();
    lines[at - docs..at].join("\n")
}

/// Returns the documentation of an item: `start` is how its line starts.
fn documentation(text: &str, start: &str) -> Option<String> {
    if !text.contains(start) {
        return None; // most files
    }
    let lines: Vec<_> = text.lines().collect();
    let at = lines.iter().position(|line| {
        let rest = line.trim_start().strip_prefix(start);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    })?;
    Some(above(&lines, at))
}

/// Returns the documentation of a type, in the file that declares it.
fn documentation_of_type(files: &[String], name: &str) -> Option<String> {
    let kinds = ["struct", "enum", "trait", "type"];
    let starts = kinds.map(|kind| format!("pub {kind} {name}"));
    let mut found = files
        .iter()
        .flat_map(|file| starts.iter().map(move |start| (file, start)));
    found.find_map(|(file, start)| documentation(file, start))
}

/// Returns what has the methods of a type: its own implementations, and the declaration of a trait.
fn bodies<'f>(files: &'f [String], name: &str) -> Vec<&'f str> {
    let body = |rest: &'f str| rest.split_once("\n}\n").map_or(rest, |(body, _)| body);
    let of_file = |file: &'f String| {
        let implemented = file.split("\nimpl").skip(1).filter_map(|rest| {
            let (head, rest) = rest.split_once("{\n")?;
            let head = head.rsplit_once("where").map_or(head, |(head, _)| head);
            let is_own = has_word(head, name) && !has_word(head, "for");
            is_own.then(|| body(rest))
        });
        let traits = file.split("\npub trait ").skip(1);
        let declared = traits
            .filter(|rest| rest.split(|c: char| !c.is_alphanumeric()).next() == Some(name))
            .map(body);
        implemented.chain(declared).collect::<Vec<_>>()
    };
    let names_it = files.iter().filter(|file| file.contains(name));
    names_it.flat_map(of_file).collect()
}

/// Whether the documentation of a function has an example, in the methods of a type or in any file.
fn is_shown_function<'f>(texts: impl IntoIterator<Item = &'f str>, name: &str) -> bool {
    let starts = [
        "pub fn ",
        "pub const fn ",
        "pub async fn ",
        "fn ",
        "macro_rules! ",
    ];
    texts.into_iter().any(|text| {
        let docs = starts.map(|start| documentation(text, &format!("{start}{name}")));
        docs.into_iter()
            .flatten()
            .any(|docs| !examples(&docs).is_empty())
    })
}

/// Returns the targets of a documentation's sentences "See [`this`]".
fn links(documentation: &str) -> Vec<String> {
    let lines = documentation
        .lines()
        .map(|line| line.trim_start().trim_start_matches('/'));
    let text: String = lines.map(|line| format!("{} ", line.trim())).collect();
    let mut links = Vec::new();
    for start in ["See [", "see ["] {
        for rest in text.split(start).skip(1) {
            let Some((name, rest)) = rest.split_once(']') else {
                continue;
            };
            let path = rest.strip_prefix('(').and_then(|path| path.split_once(')'));
            links.push(path.map_or(name, |(path, _)| path).replace('`', ""));
        }
    }
    links
}

/// Whether the documentation of a type or one of its methods has an example.
fn is_shown_type(one: &Crate, name: &str) -> bool {
    let documentation = documentation_of_type(&one.files, name);
    let methods = || bodies(&one.files, name);
    documentation.is_some_and(|docs| {
        !examples(&docs).is_empty() || methods().iter().any(|body| !examples(body).is_empty())
    })
}

/// Whether the item that a link of a type's documentation names has an example. It is an item of the type's
/// own crate, unless the path begins with another one.
fn is_shown_link(all: &[Crate], one: &Crate, from: &str, link: &str) -> bool {
    let other = all
        .iter()
        .find(|other| link.split("::").next() == Some(&other.name));
    let one = other.unwrap_or(one);
    let mut path = link.rsplit("::");
    let name = path.next().unwrap_or_default();
    let owner = path
        .next()
        .map(|owner| if owner == "Self" { from } else { owner });
    match owner.filter(|owner| is_type(owner)) {
        _ if is_type(name) => is_shown_type(one, name),
        Some(owner) => is_shown_function(bodies(&one.files, owner), name),
        None => is_shown_function(one.files.iter().map(String::as_str), name),
    }
}

/// Returns each type that users meet, with its crate.
fn met(all: &[Crate]) -> Vec<(&Crate, &str)> {
    let mut met = Vec::new();
    for one in all {
        for module in one.modules.iter().chain([&one.lib]) {
            met.extend(exported(module).into_iter().map(|name| (one, name)));
        }
    }
    met
}

#[test]
fn two_of_five_public_functions_have_an_example() {
    let all = crates();
    let files = || all[..2].iter().flat_map(|one| &one.files);
    let functions: usize = files()
        .map(|file| file.lines().filter(|line| is_function(line)).count())
        .sum();
    let examples: usize = files().map(|file| examples(file).len()).sum();
    assert!(functions > 500, "{functions} functions were found");
    assert!(
        examples * 100 >= functions * 40,
        "{examples} examples, {functions} functions"
    );
}

#[test]
fn every_type_that_users_meet_has_an_example() {
    let all = crates();
    let met = met(&all);
    assert!(met.len() > 250, "{} types were found", met.len());
    let mut without = BTreeSet::new();
    for (one, name) in met {
        let documentation = documentation_of_type(&one.files, name)
            .unwrap_or_else(|| panic!("{name} is declared nowhere"));
        let is_shown = is_shown_type(one, name)
            || links(&documentation)
                .iter()
                .any(|link| is_shown_link(&all, one, name, link));
        if !is_shown {
            without.insert(name);
        }
    }
    let excepted: BTreeSet<_> = EXCEPTIONS
        .iter()
        .flat_map(|(_, names)| *names)
        .copied()
        .collect();
    assert_eq!(
        without, excepted,
        "types without an example, and the exceptions"
    );
}

#[test]
fn examples_links_and_types_are_found() {
    let file = "/// Text.\n///\n/// ```\n/// Peer::new();\n/// ```\n///\n/// ```text\n/// x\n/// ```\nfn f() {}\n";
    assert_eq!(examples(file), [" Peer::new();\n"]);
    assert!(examples("/// ```ignore\n/// x\n/// ```\n").is_empty());
    assert!(has_word("use Peer;", "Peer"));
    assert!(!has_word("use PeerId;", "Peer"));
    let docs = "/// A peer: see\n/// [`open`](crate::Hooks::open). See [`Hub`].\n";
    assert_eq!(links(docs), ["Hub", "crate::Hooks::open"]);
    let module = "\npub use a::{Bb, bb};\n#[doc(hidden)]\npub use c::Dd;\npub use crossws_core::Ee;\npub enum Ff {}\n";
    assert_eq!(exported(module), BTreeSet::from(["Bb", "Ff"]));
}

#[test]
fn an_example_counts_where_it_stands() {
    let file = "\n/// A.\npub struct Shown;\n\nimpl Shown {\n    /// ```\n    /// Other;\n    /// ```\n    pub fn new() {}\n\n             /// None.\n    pub fn rest() {}\n}\n\n/// See [`Shown::new`].\npub struct Other;\n";
    let named = |name: &str, file: &str| Crate {
        name: name.to_owned(),
        lib: String::new(),
        files: vec![file.to_owned()],
        modules: Vec::new(),
    };
    let all = [named("crossws_a", file), named("crossws_b", "")];
    let [one, without] = &all;
    assert!(is_shown_type(one, "Shown"));
    assert!(
        !is_shown_type(one, "Other"),
        "the word in an example is not enough"
    );
    assert!(is_shown_link(&all, one, "Other", "Shown::new"));
    assert!(!is_shown_link(&all, one, "Other", "Shown::rest"));
    assert!(
        !is_shown_link(&all, without, "Other", "crate::Shown::new"),
        "another crate's type of this name"
    );
    let link = "crossws_a::Shown::new";
    assert!(is_shown_link(&all, without, "Other", link));
}

//! The public items have examples: many of the functions of core and app, and each type of these and of
//! the adapters that users meet.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Traits and aliases that are in bounds and signatures, and in no application's code.
const IN_SIGNATURES: [&str; 32] = [
    "Awaited",
    "BeforeOutput",
    "BoxFuture",
    "Called",
    "Cleanup",
    "DuplicateId",
    "Durable",
    "DynHooks",
    "DynResolve",
    "EventBody",
    "Fixed",
    "FoundTarget",
    "HookOutput",
    "IntoResolution",
    "IntoRoute",
    "IntoUrl",
    "MaybeSend",
    "MaybeSync",
    "NameByNamespace",
    "NameByRequest",
    "NotFound",
    "PeerContext",
    "Place",
    "Provided",
    "Provider",
    "ResolveWith",
    "Sleep",
    "SocketBody",
    "SocketsOr",
    "Streams",
    "Through",
    "Wrapped",
];

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
            let (code, _) = text.split_once("#[cfg(test)]\nmod ").unwrap_or((&text, ""));
            found.push(code.to_owned());
        }
    }
}

struct Crate {
    lib: String,
    files: Vec<String>,
}

/// Core and app, then adapters.
fn crates() -> [Crate; 8] {
    let names = [
        "crossws-core",
        "crossws-app",
        "adapters/axum",
        "adapters/client",
        "adapters/memory",
        "adapters/proxy",
        "adapters/sse",
        "adapters/worker",
    ];
    names.map(|name| {
        let src = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(name)
            .join("src");
        let mut files = Vec::new();
        sources(&src, &mut files);
        let lib = fs::read_to_string(src.join("lib.rs")).unwrap();
        Crate { lib, files }
    })
}

/// Returns the examples in the documentation of a file.
fn examples(file: &str) -> Vec<String> {
    let mut examples = Vec::new();
    let mut open: Option<String> = None;
    for line in file.lines() {
        let line = line.trim_start();
        let Some(text) = line.strip_prefix("///").or(line.strip_prefix("//!")) else {
            open = None;
            continue;
        };
        match (text.trim_start().strip_prefix("```"), open.take()) {
            (Some(_), Some(example)) => examples.push(example),
            (Some("text" | "toml" | "json" | "sh"), None) | (None, None) => {}
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

/// Returns the types that the root of a crate exports.
fn exported(lib: &str) -> BTreeSet<&str> {
    let lib = lib.split("\n#[doc(hidden)]\npub use pubsub::filter::Filter;");
    let uses = lib.flat_map(|part| part.split("\npub use ").skip(1));
    let lists = uses.map(|rest| rest.split_once(';').unwrap().0);
    lists
        .flat_map(|list| list.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter(|name| name.starts_with(char::is_uppercase))
        .filter(|name| !name.contains('_') && name.contains(char::is_lowercase))
        .collect()
}

/// Whether an inherent method of a type has an example.
fn has_shown_method(files: &[String], name: &str) -> bool {
    files.iter().any(|file| {
        let implemented = file.split("\nimpl").skip(1).filter_map(|rest| {
            let (head, rest) = rest.split_once("{\n")?;
            let is_own = has_word(head, name) && !has_word(head, "for");
            is_own.then(|| rest.split_once("\n}\n").map_or(rest, |(body, _)| body))
        });
        implemented
            .into_iter()
            .any(|body| !examples(body).is_empty())
    })
}

/// Returns the documentation of a type, in the file that declares it.
fn documentation<'f>(files: &'f [String], name: &str) -> Option<Vec<&'f str>> {
    files.iter().find_map(|file| {
        let lines: Vec<_> = file.lines().collect();
        let declares = |line: &&str| {
            ["struct", "enum", "trait", "type"].iter().any(|kind| {
                let rest = line.strip_prefix(&format!("pub {kind} {name}"));
                rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
            })
        };
        let at = lines.iter().position(declares)?;
        let above = lines[..at].iter().rev();
        let docs = above.take_while(|line| !line.is_empty() && **line != "}");
        Some(docs.copied().collect())
    })
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
fn every_type_that_users_meet_is_in_an_example() {
    let all = crates();
    let shown = all.iter().flat_map(|one| &one.files);
    let shown: String = shown.flat_map(|file| examples(file)).collect();
    let mut without = Vec::new();
    for one in &all {
        for name in exported(&one.lib) {
            let Some(documentation) = documentation(&one.files, name) else {
                continue;
            };
            // The function that creates it has the example. Others are implemented by a blanket.
            let is_result = documentation
                .iter()
                .any(|line| line.starts_with("/// See [") || line.contains(" see ["));
            let is_bound = documentation
                .iter()
                .any(|line| line.starts_with("/// Implemented for all"));
            let needs_none = is_result || is_bound || IN_SIGNATURES.contains(&name);
            let is_shown = documentation.iter().any(|line| line.starts_with("/// ```"))
                || has_word(&shown, name)
                || has_shown_method(&one.files, name);
            if !needs_none && !is_shown {
                without.push(name);
            }
        }
    }
    assert!(without.is_empty(), "without an example: {without:?}");
}

#[test]
fn what_is_left_out_needs_to_be() {
    let all = crates();
    for name in IN_SIGNATURES {
        let known = all.iter().any(|one| exported(&one.lib).contains(name));
        assert!(known, "{name} is not exported");
    }
}

#[test]
fn examples_and_words_are_found() {
    let file = "/// Text.\n///\n/// ```\n/// Peer::new();\n/// ```\n///\n/// ```text\n/// x\n/// ```\nfn f() {}\n";
    assert_eq!(examples(file), [" Peer::new();\n"]);
    assert!(has_word("use Peer;", "Peer"));
    assert!(!has_word("use PeerId;", "Peer"));
}

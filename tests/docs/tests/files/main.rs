//! The files of the repository are short, and those of a library do not need each other.

#![allow(clippy::unwrap_used, clippy::panic)]

mod needs;
mod words;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A file holds one noun, and past this many lines usually two.
const MOST_LINES: usize = 400;

/// Module paths, such as `routes::router`, with the code of their files. The crate's root is empty.
type Files = BTreeMap<String, String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the folders of all libraries.
fn libraries() -> Vec<PathBuf> {
    let adapters = fs::read_dir(root().join("adapters")).unwrap();
    let adapters = adapters.map(|adapter| adapter.unwrap().path());
    let others = [
        "codegen",
        "crossws-app",
        "crossws-core",
        "crossws-proto",
        "metrics",
    ];
    let others = others.map(|name| root().join(name));
    let all: Vec<_> = others.into_iter().chain(adapters).collect();
    assert!(all.len() > 10, "{all:?}");
    all
}

fn join(module: &str, name: &str) -> String {
    format!("{module}::{name}").trim_matches(':').to_owned()
}

fn parent(module: &str) -> &str {
    module.rsplit_once("::").map_or("", |(parent, _)| parent)
}

fn read(folder: &Path, module: &str, files: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let name = join(module, name);
        if path.is_dir() {
            read(&path, &name, files);
        } else if !name.ends_with("tests") {
            let name = if name == "lib" { String::new() } else { name };
            files.insert(name, fs::read_to_string(path).unwrap());
        }
    }
}

/// Returns the code without comments, tests, documentation, and what only these import.
fn code_of(text: &str) -> String {
    let code = text.split("mod tests {").next().unwrap();
    let mut is_left_out = false;
    let lines = code.lines().filter(|line| {
        let line = line.trim_start();
        let left_out = is_left_out || line.starts_with("//") || line.contains("doc = ");
        is_left_out = line.starts_with("#[cfg(doc)]") || line.starts_with("#[cfg(test)]");
        !left_out
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Collects the Rust files of a folder, without what is built or downloaded.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_ours = !name.starts_with('.') && !["node_modules", "target"].contains(&name);
        if path.is_dir() && is_ours {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_file_is_longer_than_a_noun() {
    let mut files = Vec::new();
    sources(&root(), &mut files);
    assert!(files.len() > 900, "{} files", files.len());
    let lines = |file: &PathBuf| fs::read_to_string(file).unwrap().lines().count();
    files.retain(|file| lines(file) > MOST_LINES);
    assert!(
        files.is_empty(),
        "longer than {MOST_LINES} lines: {files:#?}"
    );
}

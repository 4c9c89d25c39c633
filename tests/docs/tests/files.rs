//! The files of a crate: short, and none needs a file that needs it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The crates whose files have this order.
const CRATES: [&str; 1] = ["crossws-app"];

/// A file holds one noun, and past this many lines usually two.
const MOST_LINES: usize = 400;

/// Module paths, such as `routes::router`, with the text of their files.
type Files = BTreeMap<String, String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn src(name: &str) -> PathBuf {
    root().join(name).join("src")
}

fn read(folder: &Path, module: &str, files: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let name = match module {
            "" => name.to_owned(),
            module => format!("{module}::{name}"),
        };
        if path.is_dir() {
            read(&path, &name, files);
        } else if name != "lib" && !name.ends_with("tests") {
            files.insert(name, fs::read_to_string(path).unwrap());
        }
    }
}

/// Returns the file that holds the longest part of a path.
fn owner(path: &str, files: &Files) -> Option<String> {
    let mut path = path;
    loop {
        if files.contains_key(path) {
            return Some(path.to_owned());
        }
        path = path.rsplit_once("::")?.0;
    }
}

/// Returns the files that a file imports from.
fn needs(module: &str, files: &Files) -> BTreeSet<String> {
    let code = files[module].split("mod tests {").next().unwrap();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
    let mut found = BTreeSet::new();
    for (start, base) in [("crate::", ""), ("super::", parent), ("self::", module)] {
        for rest in code.split(start).skip(1) {
            let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            let (path, after) = rest.split_at(end);
            let list = after
                .strip_prefix('{')
                .and_then(|list| list.split_once('}'));
            let names = list.map_or("", |(names, _)| names).split(',');
            for name in names {
                let path = format!("{base}::{path}{}", name.trim());
                found.extend(owner(path.trim_matches(':'), files));
            }
        }
    }
    found.remove(module);
    found
}

/// Returns a circle of files, if there is one.
fn circle(needs: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut left = needs.clone();
    loop {
        // What needs nothing that is left is in no circle.
        let free: Vec<_> = left
            .iter()
            .filter(|(_, needs)| !needs.iter().any(|need| left.contains_key(need)))
            .map(|(module, _)| module.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        for module in free {
            left.remove(&module);
        }
    }
    let mut at = left.keys().next()?.clone();
    let mut path = Vec::new();
    while !path.contains(&at) {
        path.push(at.clone());
        at = left[&at]
            .iter()
            .find(|need| left.contains_key(*need))?
            .clone();
    }
    let begin = path.iter().position(|module| *module == at)?;
    Some(path.split_off(begin))
}

#[test]
fn no_two_files_need_each_other() {
    for name in CRATES {
        let mut files = Files::new();
        read(&src(name), "", &mut files);
        assert!(files.len() > 20, "{name}: {} files", files.len());
        let needs: BTreeMap<_, _> = files
            .keys()
            .map(|module| (module.clone(), needs(module, &files)))
            .collect();
        assert!(needs.values().any(|needs| needs.len() > 3), "{needs:?}");
        assert_eq!(circle(&needs), None, "{name}");
    }
}

#[test]
fn no_file_is_longer_than_a_noun() {
    let adapters = fs::read_dir(root().join("adapters")).unwrap();
    let adapters = adapters.map(|adapter| adapter.unwrap().path().join("src"));
    let crates = [
        "codegen",
        "crossws-app",
        "crossws-core",
        "crossws-proto",
        "metrics",
    ];
    let mut folders: Vec<_> = crates.map(src).into_iter().chain(adapters).collect();
    assert!(folders.len() > 10, "{folders:?}");
    folders.extend(CRATES.map(|name| root().join(name).join("tests")));
    for folder in folders {
        let mut files = Files::new();
        read(&folder, "", &mut files);
        for (module, text) in files {
            let (folder, lines) = (folder.display(), text.lines().count());
            assert!(lines <= MOST_LINES, "{folder}: {module} has {lines} lines");
        }
    }
}

#[test]
fn a_circle_is_found() {
    let files = [
        ("a", "use crate::b::{C, D};"),
        ("b", "use crate::b::c::C;\n// use crate::a;"),
        ("b::c", "use super::super::none;\nfn f() { crate::a::g() }"),
        ("d", "use crate::a::A;"),
    ];
    let files: Files = files.map(|(name, text)| (name.into(), text.into())).into();
    let needs: BTreeMap<_, _> = files
        .keys()
        .map(|module| (module.clone(), needs(module, &files)))
        .collect();
    let expected = ["a", "b", "b::c"].map(String::from);
    assert_eq!(circle(&needs), Some(expected.to_vec()));
    let (without, _) = needs.into_iter().partition(|(module, _)| module != "b::c");
    assert_eq!(circle(&without), None);
}

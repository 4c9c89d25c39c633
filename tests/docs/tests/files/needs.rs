//! No two files of a library need each other, but for one circle of core.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Files, code_of, join, libraries, parent, read};

/// Core's one circle: see ARCHITECTURE, "One circle". Its files stand in these folders, and there are
/// at most [`MOST_CONNECTED`] of them.
const CONNECTED: [&str; 4] = ["hub", "observe", "peer", "pubsub"];
const MOST_CONNECTED: usize = 8;

type Needs = BTreeMap<String, BTreeSet<String>>;

/// Returns the paths of `a::{b, c::{d, e}}`, and what follows the tree.
fn expand<'t>(tree: &'t str, prefix: &str, paths: &mut Vec<String>) -> &'t str {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let end = tree.find(|c| !is_part(c)).unwrap_or(tree.len());
    let (path, mut rest) = tree.split_at(end);
    let path = format!("{prefix}{path}");
    let Some(list) = rest.strip_prefix('{') else {
        paths.push(path);
        return rest;
    };
    rest = list;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        match rest.strip_prefix('}') {
            Some(after) => return after,
            None if rest.starts_with(is_part) => rest = expand(rest, &path, paths),
            None => return rest,
        }
    }
}

/// Returns a path as seen from the crate's root, if it is one of this crate.
fn absolute(path: &str, module: &str, files: &Files) -> Option<String> {
    if let Some(path) = path.strip_prefix("crate::") {
        return Some(path.to_owned());
    }
    let mut base = module;
    let mut rest = path.strip_prefix("self::").unwrap_or(path);
    while let Some(outer) = rest.strip_prefix("super::") {
        (base, rest) = (parent(base), outer);
    }
    let own = join(base, rest.split("::").next()?);
    let is_own = rest.len() < path.len() || files.contains_key(&own);
    is_own.then(|| join(base, rest))
}

/// Returns the names that files pass on from others, as paths, with the paths of what they name.
fn exports(files: &Files) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for (module, text) in files {
        for line in code_of(text).split(';') {
            let Some((before, tree)) = line.rsplit_once("use ") else {
                continue;
            };
            if !before.rsplit('\n').next().unwrap().contains("pub") {
                continue;
            }
            let mut paths = Vec::new();
            expand(tree, "", &mut paths);
            for path in paths {
                let name = path.rsplit("::").next().unwrap();
                let target = absolute(&path, module, files);
                exports.extend(target.map(|target| (join(module, name), target)));
            }
        }
    }
    exports
}

/// Returns the file that defines what a path names.
fn owner(path: &str, files: &Files, exports: &BTreeMap<String, String>) -> String {
    let mut path = path.to_owned();
    // Names that are passed on often enough are not followed further.
    for _ in 0..8 {
        let mut file = path.as_str();
        while !files.contains_key(file) && !file.is_empty() {
            file = parent(file);
        }
        let rest = path[file.len()..].trim_start_matches(':');
        let (name, rest) = rest.split_once("::").unwrap_or((rest, ""));
        match exports.get(&join(file, name)) {
            Some(target) if !name.is_empty() => path = join(target, rest),
            _ => return file.to_owned(),
        }
    }
    path
}

/// Returns the files that each file needs. A file may need the file that owns its folder.
fn needs(files: &Files) -> Needs {
    let exports = exports(files);
    let mut needs = Needs::new();
    for (module, text) in files.iter().filter(|(module, _)| !module.is_empty()) {
        let found = needs.entry(module.clone()).or_default();
        let code = code_of(text);
        // Without what the file passes on.
        let code: String = code
            .split_inclusive(';')
            .filter(|line| !line.contains("pub use ") && !line.contains(") use "))
            .collect();
        for start in ["crate::", "super::", "self::"] {
            let mut from = 0;
            while let Some(at) = code[from..].find(start).map(|at| from + at) {
                from = at + start.len();
                let before = code[..at].chars().next_back().unwrap_or(' ');
                if before.is_alphanumeric() || "_:$".contains(before) {
                    continue;
                }
                let mut paths = Vec::new();
                expand(&code[at..], "", &mut paths);
                let paths = paths
                    .iter()
                    .filter_map(|path| absolute(path, module, files));
                found.extend(paths.map(|path| owner(&path, files, &exports)));
            }
        }
        let is_above = |need: &String| {
            need.is_empty() || format!("{module}::").starts_with(&format!("{need}::"))
        };
        found.retain(|need| !is_above(need));
    }
    needs
}

/// Returns the circles: the sets of files of which each needs all others, directly or not.
fn circles(needs: &Needs) -> Vec<BTreeSet<String>> {
    let reached = |from: &String| {
        let mut reached = BTreeSet::new();
        let mut next: Vec<_> = needs[from].iter().collect();
        while let Some(file) = next.pop() {
            if reached.insert(file.clone()) {
                next.extend(needs.get(file).into_iter().flatten());
            }
        }
        reached
    };
    let reached: Needs = needs
        .keys()
        .map(|file| (file.clone(), reached(file)))
        .collect();
    let circle = |file: &String| {
        let needs_it =
            |other: &&String| reached.get(*other).is_some_and(|back| back.contains(file));
        reached[file].iter().filter(needs_it).cloned().collect()
    };
    let circles: BTreeSet<BTreeSet<String>> = needs.keys().map(circle).collect();
    circles
        .into_iter()
        .filter(|circle| circle.len() > 1)
        .collect()
}

#[test]
fn no_two_files_need_each_other() {
    for library in libraries() {
        let mut files = Files::new();
        read(&library.join("src"), "", &mut files);
        let needs = needs(&files);
        let circles = circles(&needs);
        if !library.ends_with("crossws-core") {
            assert!(circles.is_empty(), "{}: {circles:#?}", library.display());
            continue;
        }
        assert!(needs.values().any(|needs| needs.len() > 10), "{needs:?}");
        let [circle] = &circles[..] else {
            panic!("not one circle: {circles:#?}");
        };
        let is_allowed = |file: &String| {
            let mut allowed = CONNECTED.iter();
            allowed.any(|folder| format!("{file}::").starts_with(&format!("{folder}::")))
        };
        assert!(circle.iter().all(is_allowed), "{circle:#?}");
        assert!(circle.len() <= MOST_CONNECTED, "{circle:#?}");
    }
}

/// The root is for users: inside of the library, an import names the file that it needs.
#[test]
fn no_file_imports_what_the_root_passes_on() {
    for library in libraries() {
        let mut files = Files::new();
        read(&library.join("src"), "", &mut files);
        let exports = exports(&files);
        for (module, text) in files.iter().filter(|(module, _)| !module.is_empty()) {
            for tree in code_of(text).split("use crate::").skip(1) {
                let mut paths = Vec::new();
                expand(tree, "", &mut paths);
                let mut names = paths.iter().filter(|path| !path.contains("::"));
                let passed_on = names.find(|name| exports.contains_key(*name));
                assert_eq!(passed_on, None, "{}: {module}", library.display());
            }
        }
    }
}

#[test]
fn a_circle_is_found() {
    let files = [
        ("", "pub use a::A;"),
        ("a", "use crate::{\n    b::{c::C, D},\n    e::E as F,\n};"),
        (
            "b",
            "pub use self::c::C;\npub(crate) use d::D;\n// use crate::a;",
        ),
        (
            "b::c",
            "use super::super::none;\n#[cfg(doc)]\nuse crate::e;\nfn f() { crate::A::g() }",
        ),
        ("b::d", "use super::B;\nfn f() { super::c::g() }"),
        ("e", "use crate::b::{B, D};\nuse std::mem;"),
    ];
    let files: Files = files.map(|(name, text)| (name.into(), text.into())).into();
    let mut needs = needs(&files);
    let expected = [
        ("a", &["b::c", "b::d", "e"][..]),
        ("b", &[]),
        ("b::c", &["a"]),
        ("b::d", &["b::c"]),
        ("e", &["b", "b::d"]),
    ];
    for (file, expected) in expected {
        assert!(needs[file].iter().eq(expected), "{file}: {:?}", needs[file]);
    }
    let circle = ["a", "b::c", "b::d", "e"].map(String::from);
    assert_eq!(circles(&needs), [BTreeSet::from(circle)]);
    needs.remove("b::c");
    assert!(circles(&needs).is_empty());
}

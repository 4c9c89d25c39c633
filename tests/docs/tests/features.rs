//! `docs/features.md` names a test for each feature, and every test that it names exists.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the numbers of the features that the page lists at least.
fn numbers() -> impl Iterator<Item = usize> {
    (1..=193)
        .chain([197])
        .chain(220..=225)
        .chain([230])
        .chain(241..=280)
        .chain([301])
        .chain(303..=313)
        .chain([324])
}

const NOT_YET: &str = "not yet";

/// A feature that is left out on purpose: the reason follows.
const LEFT_OUT: &str = "left out: ";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the number, and the cell with the tests, of each row.
fn rows(page: &str) -> Vec<(usize, &str)> {
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").collect();
        let number = cells.first()?.trim().parse().ok()?;
        Some((number, cells.last()?.trim_end_matches('|').trim()))
    });
    rows.collect()
}

/// Returns the folders of a package's tests.
fn folders(package: &str) -> Vec<PathBuf> {
    let root = root();
    let of = |folder: &str| {
        ["src", "tests"]
            .map(|part| root.join(folder).join(part))
            .to_vec()
    };
    match package {
        "suite" => vec![root.join("tests/src/cases")],
        "crossws" => vec![root.join("examples")],
        "crossws-codegen" => of("codegen"),
        "crossws-metrics" => of("metrics"),
        "crossws-conformance" => of("tests"),
        "crossws-docs-tests" => of("tests/docs"),
        "crossws-app" | "crossws-core" | "crossws-proto" => of(package),
        example if root.join("examples").join(example).is_dir() => {
            of(&format!("examples/{example}"))
        }
        adapter => of(&format!(
            "adapters/{}",
            adapter.trim_start_matches("crossws-")
        )),
    }
}

fn files_named(folder: &Path, name: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_named(&path, name, found);
        } else if path.ends_with(format!("{name}.rs")) || path.ends_with(format!("{name}/tests.rs"))
        {
            found.push(path);
        }
    }
}

/// Returns whether this text contains a test, a case or a check of this name.
fn has(text: &str, package: &str, test: &str) -> bool {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let declares = |line: &str| line.contains(&format!("fn {test}("));
    if package == "suite" {
        // Listed in `group!` with its capabilities, so that it runs.
        return lines
            .iter()
            .any(|line| line.starts_with(&format!("{test}: [")));
    }
    lines.iter().enumerate().any(|(at, line)| {
        let above = lines[at.saturating_sub(3)..at].iter();
        declares(line)
            && above
                .clone()
                .any(|line| line.starts_with("#[") && line.contains("test"))
    })
}

/// Returns whether `checks!` lists a check of the founding app, so that it runs.
fn is_listed_check(file: &str, test: &str) -> bool {
    let main = fs::read_to_string(root().join("examples/founding/tests/founding/main.rs")).unwrap();
    let (_, checks) = main.split_once("checks! {\n").unwrap();
    let (_, group) = checks.split_once(&format!("{file}: ")).unwrap_or_default();
    let (group, _) = group.split_once(';').unwrap_or_default();
    group.split_whitespace().any(|check| check == test)
}

fn exists(name: &str) -> bool {
    let parts: Vec<_> = name.split("::").collect();
    let (package, file, test) = match parts[..] {
        [package, file, test] => (package, file, test),
        [package, test] => (package, "main", test),
        _ => return false,
    };
    if package.starts_with("scripts/") {
        // A function of a script that a step runs.
        let script = fs::read_to_string(root().join(package)).unwrap_or_default();
        return script.contains(&format!("\n{test}() {{"));
    }
    if package == "founding" && is_listed_check(file, test) {
        return true;
    }
    let mut files = Vec::new();
    for folder in folders(package) {
        files_named(&folder, file, &mut files);
    }
    let mut texts = files.iter().map(|path| fs::read_to_string(path).unwrap());
    texts.any(|text| has(&text, package, test))
}

#[test]
fn every_feature_names_tests_that_exist_or_says_not_yet() {
    let page = fs::read_to_string(root().join("docs/features.md")).unwrap();
    let rows = rows(&page);
    assert!(rows.iter().map(|row| row.0).eq(numbers()), "{rows:?}");
    let (mut missing, mut left_out) = (0, 0);
    for (number, cell) in &rows {
        if *cell == NOT_YET {
            missing += 1;
            continue;
        }
        if cell.starts_with(LEFT_OUT) {
            left_out += 1;
            continue;
        }
        for name in cell.split(", ") {
            let name = name.trim_matches('`');
            assert!(
                exists(name),
                "row {number} names `{name}`, which is no test"
            );
        }
    }
    let said = format!("{} features, {missing} of them without a test", rows.len());
    assert!(page.contains(&said), "the page should say: {said}");
    let said = format!("{left_out} are left out");
    assert!(page.contains(&said), "the page should say: {said}");
}

#[test]
fn every_fault_that_others_have_seen_names_tests_that_exist() {
    let page = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let (_, table) = page.split_once("\n| seen elsewhere | ").unwrap();
    let rows: Vec<_> = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with("| "))
        .collect();
    assert!(rows.len() >= 27, "{} rows", rows.len());
    for row in rows {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for name in cell.split(", ") {
            let name = name.trim_matches('`');
            assert!(exists(name), "`{name}` is no test: {row}");
        }
    }
}

#[test]
fn a_missing_test_is_detected() {
    assert!(exists(
        "crossws-app::matching::a_conflict_names_both_patterns"
    ));
    for name in [
        "crossws-app::matching::a_conflict_names_no_pattern",
        "crossws-app::layers::a_conflict_names_both_patterns",
        "suite::routes::a_route_has_its_own_colour",
        "founding::files::roots_echo",
        "a_conflict_names_both_patterns",
    ] {
        assert!(!exists(name), "{name}");
    }
}

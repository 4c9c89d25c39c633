//! The links of the documents work where they are shown: the README on a registry's page and in the
//! crate's documentation, the others in the repository.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The address of the repository's files.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the targets of a document's links and pictures, in both forms of Markdown.
fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    for part in text.split("](").skip(1) {
        links.push(part.split_once(')').unwrap().0);
    }
    for line in text.lines().filter(|line| line.starts_with('[')) {
        links.extend(line.split_once("]: ").map(|(_, target)| target));
    }
    links
}

/// Returns what stands between the backticks of a text.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_readme_shows_every_line_of_its_code() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut in_rust = false;
    for line in readme.lines() {
        match line.strip_prefix("```") {
            Some(language) => in_rust = language.starts_with("rust"),
            None => assert!(
                !in_rust || !(line == "#" || line.starts_with("# ")),
                "{line:?} would be shown on a registry's page"
            ),
        }
    }
}

#[test]
fn the_readmes_links_work_outside_of_the_repository() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let links = links(&readme);
    assert!(links.len() > 10, "{links:?}");
    let raw = REPOSITORY.replace("github.com", "raw.githubusercontent.com");
    let bases = ["/blob/main/", "/tree/main/"].map(|base| format!("{REPOSITORY}{base}"));
    let [blob, tree] = &bases;
    for link in links {
        if link.starts_with('#') {
            continue;
        }
        assert!(link.starts_with("https://"), "{link}");
        let ours = [blob, tree, &format!("{raw}/main/")];
        if let Some(file) = ours.iter().find_map(|base| link.strip_prefix(&***base)) {
            assert!(root().join(file).exists(), "{link}");
        } else {
            assert!(!link.starts_with(REPOSITORY), "{link}");
        }
    }
}

#[test]
fn the_guides_links_lead_to_files() {
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for link in links(&text) {
            if link.starts_with('#') || link.contains("://") {
                continue;
            }
            let file = link.split('#').next().unwrap();
            let target = path.parent().unwrap().join(file);
            assert!(target.exists(), "{}: {link}", path.display());
        }
    }
}

/// Collects the code files below a folder.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !["target", "node_modules"].contains(&name.as_str()) {
                sources(&path, found);
            }
        } else if name.ends_with(".rs") {
            found.push(path.to_string_lossy().into_owned());
        }
    }
}

#[test]
fn the_source_files_that_the_guides_name_exist() {
    let mut found = Vec::new();
    sources(&root(), &mut found);
    let mut missing = Vec::new();
    for guide in [
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "tests/README.md",
        "benches/README.md",
    ] {
        let text = fs::read_to_string(root().join(guide)).unwrap();
        // Names between backticks, outside of code blocks.
        for name in names(&text) {
            let name = name.split("::").next().unwrap();
            let is_file = name.ends_with(".rs") && !name.contains(char::is_whitespace);
            if is_file && !found.iter().any(|path| path.ends_with(&format!("/{name}"))) {
                missing.push(format!("{guide}: {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn the_functions_that_the_architecture_names_exist() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let named: Vec<_> = names(&text)
        .filter_map(|name| name.split_once(".rs::"))
        .collect();
    assert!(named.len() > 20, "{named:?}");
    for (file, function) in named {
        let code = fs::read_to_string(root().join(format!("{file}.rs"))).unwrap();
        let is_defined = |after: &str| code.contains(&format!("fn {function}{after}"));
        assert!(
            is_defined("(") || is_defined("<"),
            "{file}.rs has no {function}"
        );
    }
}

/// Returns the structs of a file with a lock among their fields, and the statics that are locks.
fn owners(code: &str) -> Vec<&str> {
    let mut owners = Vec::new();
    let mut owner = None;
    for line in code.split("mod tests {").next().unwrap().lines() {
        let line = line.split("//").next().unwrap().trim_end();
        let name = line
            .trim_start()
            .strip_prefix("static ")
            .or_else(|| Some(line.split_once("struct ")?.1));
        if let Some(name) = name {
            owner = name
                .split(|c: char| c != '_' && !c.is_alphanumeric())
                .next();
        } else if line.starts_with('}') {
            owner = None;
        }
        if line.contains("Mutex<") {
            owners.extend(owner);
        }
        if line.ends_with(';') && name.is_some() {
            owner = None;
        }
    }
    owners
}

/// Returns the rows of the first table after a heading line, without that line: cells with their text.
fn rows<'t>(text: &'t str, heading: &str) -> Vec<Vec<&'t str>> {
    let (_, table) = text.split_once(heading).unwrap();
    let rows = table.trim_start().lines().skip(1);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|line| line.split('|').map(str::trim).skip(1).collect())
        .collect()
}

#[test]
fn the_architecture_names_every_owner_of_a_lock() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (_, text) = text.split_once("\n## Threads and locks\n").unwrap();
    let (text, _) = text.split_once("\n## ").unwrap();
    let mut named = BTreeSet::new();
    for row in rows(text, "| lock | owner | held for |") {
        named.extend(names(row[1]).map(|owner| (String::new(), owner.to_owned())));
    }
    for row in rows(text, "| crate | lock | owner | held for |") {
        named.extend(names(row[2]).map(|owner| (row[0].to_owned(), owner.to_owned())));
    }

    let mut found = Vec::new();
    for folder in ["crossws-core", "crossws-proto", "crossws-app", "adapters"] {
        sources(&root().join(folder), &mut found);
    }
    // The lock itself, and tests.
    let others = ["/sync.rs", "/tests", "/model", "/testing", "/joined.rs"];
    let mut owned = BTreeSet::new();
    for path in found {
        let (krate, file) = path.rsplit_once("/src/").unwrap_or((&path, "/tests"));
        if others
            .iter()
            .any(|other| format!("/{file}").contains(other))
        {
            continue;
        }
        let krate = krate.rsplit('/').next().unwrap();
        let krate = match krate {
            "crossws-core" | "crossws-proto" | "native" => "",
            other => other.trim_start_matches("crossws-"),
        };
        let code = fs::read_to_string(&path).unwrap();
        owned.extend(
            owners(&code)
                .into_iter()
                .map(|owner| (krate.to_owned(), owner.to_owned())),
        );
    }
    let missing: Vec<_> = owned.difference(&named).collect();
    let gone: Vec<_> = named.difference(&owned).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "missing: {missing:?}, gone: {gone:?}"
    );
}

/// Returns the folders below a folder that hold more than tests.
fn folders(folder: &Path, name: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            continue;
        }
        let name = format!("{name}{}/", path.file_name().unwrap().to_str().unwrap());
        let is_test = |path: PathBuf| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            ["tests", "model", "joined"].contains(&&*name)
        };
        let mut files = fs::read_dir(&path).unwrap();
        if is_test(path.clone()) || files.all(|file| is_test(file.unwrap().path())) {
            continue;
        }
        found.push(name.clone());
        folders(&path, &name, found);
    }
}

#[test]
fn the_architecture_names_every_folder_once() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (_, text) = text.split_once("\n## The folders\n").unwrap();
    let (text, _) = text.split_once("\n## ").unwrap();
    for krate in ["crossws-core", "crossws-proto", "adapters/native"] {
        let heading = format!("| folder of `{krate}/src/` |");
        let (_, table) = text.split_once(&heading).unwrap();
        let table = table.split("\n\n").next().unwrap();
        let mut named: Vec<_> = names(table).collect();
        let mut found = Vec::new();
        folders(&root().join(krate).join("src"), "", &mut found);
        named.sort_unstable();
        found.sort_unstable();
        assert_eq!(named, found, "{krate}");
    }
}

/// Returns the text without the section of this heading.
fn without(text: &str, heading: &str) -> String {
    let (before, rest) = text.split_once(&format!("\n{heading}\n")).unwrap();
    let end = rest.find("\n#").unwrap_or(rest.len());
    format!("{before}{}", &rest[end..])
}

/// Returns the names of code files between the backticks of a text.
fn files(text: &str) -> Vec<&str> {
    let is_file = |name: &&str| name.ends_with(".rs") && !name.contains(char::is_whitespace);
    names(text).filter(is_file).collect()
}

/// The drawn paths name the files that they go through again, and roles are not files of core.
#[test]
fn the_architecture_names_each_file_of_core_and_proto_once() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut text = without(&text, "## Three paths, function by function");
    text = without(&text, "### Roles");
    for krate in ["crossws-core", "crossws-proto"] {
        let heading = format!("| to change | in `{krate}/src/` |");
        let (before, table) = text.split_once(&heading).unwrap();
        let (table, after) = table.split_once("\n\n").unwrap();
        let mut named = files(table);
        assert!(named.len() > 15, "{named:?}");
        for name in &named {
            let path = root().join(krate).join("src").join(name);
            assert!(path.exists(), "{krate} has no {name}");
        }
        named.sort_unstable();
        let twice: Vec<_> = named.windows(2).filter(|two| two[0] == two[1]).collect();
        assert!(twice.is_empty(), "{krate}: {twice:?}");
        text = format!("{before}\n{after}");
    }
    // What is left are files of other crates, by their whole paths.
    for name in files(&text) {
        let is_other = !name.starts_with("crossws-core/") && !name.starts_with("crossws-proto/");
        assert!(is_other && root().join(name).exists(), "{name}");
    }
}

#[test]
fn a_role_has_the_same_file_name_in_every_adapter() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (_, table) = text.split_once("\n| file | role | ").unwrap();
    let (head, rows) = table.split_once(" |\n").unwrap();
    let rows = rows.split("\n\n").next().unwrap();
    let cells = |row: &str| {
        row.split('|')
            .map(|cell| cell.trim().to_owned())
            .collect::<Vec<_>>()
    };
    let mut checked = 0;
    for (at, adapter) in head.split(" | ").enumerate() {
        let src = root().join("adapters").join(adapter).join("src");
        let mut found = Vec::new();
        sources(&src, &mut found);
        // A file that only lists its folder has no role.
        found.retain(|path| fs::read_to_string(path).unwrap().contains("fn "));
        for row in rows.lines().skip(1) {
            let cells = cells(row);
            let names = files(&cells[1]);
            let has_role = |path: &&Path| names.iter().any(|name| path.ends_with(name));
            let mut expected = files(&cells[at + 3]);
            let mut playing: Vec<_> = found
                .iter()
                .map(Path::new)
                .filter(has_role)
                .map(|path| path.strip_prefix(&src).unwrap().to_str().unwrap())
                .collect();
            expected.sort_unstable();
            playing.sort_unstable();
            assert_eq!(playing, expected, "{adapter}: {names:?}");
            checked += names.len();
        }
    }
    assert!(checked > 40, "{checked}");
}

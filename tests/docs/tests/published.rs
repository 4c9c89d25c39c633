//! Published packages are documented where their users look.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the folders of the published packages.
fn published() -> Vec<PathBuf> {
    let mut folders = vec![root(), root().join("codegen")];
    folders.extend(["crossws-app", "crossws-core"].map(|folder| root().join(folder)));
    for entry in fs::read_dir(root().join("adapters")).unwrap() {
        folders.push(entry.unwrap().path());
    }
    folders
}

/// Returns the lines of a manifest's table.
fn table<'a>(manifest: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let header = format!("[{name}]");
    let mut lines = manifest.lines().skip_while(|line| *line != header);
    lines.next()?;
    Some(lines.take_while(|line| !line.starts_with('[')).collect())
}

#[test]
fn every_published_crate_is_documented_with_all_its_features() {
    let folders = published();
    assert!(folders.len() >= 11, "{folders:?}");
    for folder in folders {
        let shown = folder.display();
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(!manifest.contains("publish = false"), "{shown}");
        let docs = table(&manifest, "package.metadata.docs.rs");
        let docs = docs.unwrap_or_else(|| panic!("{shown} says nothing to docs.rs"));
        assert!(docs.contains(&"all-features = true"), "{shown}");
        let features = table(&manifest, "features").unwrap_or_default();
        let has_features = features
            .iter()
            .any(|line| line.contains(" = [") && !line.starts_with("default"));
        if has_features {
            // With this, each item shows the feature that it needs.
            let args = r#"rustdoc-args = ["--cfg", "docsrs"]"#;
            assert!(docs.contains(&args), "{shown}");
            let lib = fs::read_to_string(folder.join("src/lib.rs")).unwrap();
            let badges = "#![cfg_attr(docsrs, feature(doc_cfg))]";
            assert!(lib.contains(badges), "{shown}");
        }
    }
}

#[test]
fn every_published_crate_has_a_description_and_a_readme() {
    for folder in published() {
        let shown = folder.display();
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        for key in [
            "description = ",
            "license",
            "repository",
            "rust-version",
            "keywords",
        ] {
            assert!(manifest.contains(key), "{shown}: {key}");
        }
        let lib = fs::read_to_string(folder.join("src/lib.rs")).unwrap();
        let begins = ["//! ", "// Its code is tested"]
            .iter()
            .any(|begin| lib.starts_with(begin));
        assert!(begins, "{shown} has no front page");
    }
}

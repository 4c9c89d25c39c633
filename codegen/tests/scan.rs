//! The routes that the files in a folder become.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use crossws_app::Pattern;
use crossws_codegen::{ScanError, routes};
use tempfile::TempDir;

fn folder(files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    folder
}

/// Returns the patterns and names in the generated code, in its order.
fn table(folder: &Path, base: &str) -> Vec<(String, String)> {
    let code = routes(folder).base(base).generate().unwrap();
    let quoted = |line: &str| -> Vec<String> {
        line.split('"')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    let lines = code.lines().filter(|line| line.contains(".route("));
    lines
        .map(|line| {
            let [pattern, name] = quoted(line).try_into().unwrap();
            (pattern, name)
        })
        .collect()
}

/// Returns the error for these files, without the folder's own path.
fn wrong(files: &[&str]) -> String {
    let folder = folder(files);
    let error = routes(folder.path()).generate().unwrap_err();
    let path = format!("{}/", folder.path().display());
    error.to_string().replace(&path, "")
}

#[test]
fn files_are_routes() {
    let folder = folder(&[
        "index.rs",
        "chat.rs",
        "rooms/index.rs",
        "rooms/[id].rs",
        "rooms/[id]/log.v1.rs",
        "files/[...rest].rs",
        "img-[id].png.rs",
        "Case.rs",
        "_shared.rs",
        "_parts/some.rs",
        ".hidden.rs",
        "README.md",
    ]);
    let expected = [
        ("/api/ws", ""),
        ("/api/ws/Case", "Case"),
        ("/api/ws/chat", "chat"),
        ("/api/ws/files/{*rest}", "files/[...rest]"),
        ("/api/ws/img-{id}.png", "img-[id].png"),
        ("/api/ws/rooms", "rooms"),
        ("/api/ws/rooms/{id}", "rooms/[id]"),
        ("/api/ws/rooms/{id}/log.v1", "rooms/[id]/log.v1"),
    ];
    let found = table(folder.path(), "/api/ws/");
    assert_eq!(found.len(), expected.len());
    for ((pattern, name), expected) in found.iter().zip(expected) {
        assert_eq!((pattern.as_str(), name.as_str()), expected);
        // The router reads the same pattern from the code and from the file's name.
        let below = Pattern::parse(name).unwrap();
        let base = Pattern::parse("/api/ws").unwrap();
        assert_eq!(Pattern::parse(pattern).unwrap(), base.join(&below).unwrap());
    }
    assert_eq!(table(folder.path(), "")[0].0, "/");
}

#[test]
fn modules_have_names_of_their_own() {
    let folder = folder(&["a-b.rs", "a_b.rs", "a/b.rs"]);
    let code = routes(folder.path()).generate().unwrap();
    for module in ["mod route_a_b;", "mod route_a_b_2;", "mod route_a_b_3;"] {
        assert!(code.contains(module), "{code}");
    }
}

#[test]
fn two_files_for_one_route_are_named() {
    assert_eq!(
        wrong(&["rooms/[id].rs", "rooms/[name].rs"]),
        "rooms/[id].rs and rooms/[name].rs are both routes for `/rooms/{name}`"
    );
    let error = wrong(&["rooms.rs", "rooms/index.rs"]);
    assert!(
        error.contains("rooms.rs") && error.contains("rooms/index.rs"),
        "{error}"
    );
}

#[test]
fn bad_names_are_named() {
    for (file, why) in [
        ("a b.rs", "a b.rs is not a route: its name has ` `;"),
        ("a b/c.rs", "a b is not a route: its name has ` `;"),
        ("{id}.rs", "{id}.rs is not a route: its name has `{`;"),
        (
            "[].rs",
            "[].rs is not a route: `` is not a parameter's name",
        ),
        (
            "[a b].rs",
            "[a b].rs is not a route: `a b` is not a parameter's name",
        ),
        (
            "[id.rs",
            "[id.rs is not a route: the brackets of its name do not match",
        ),
        ("id].rs", "id].rs is not a route: its name has `]`;"),
        (
            "[a][b].rs",
            "[a][b].rs is not a route: a name has at most one parameter",
        ),
        (
            "x[...r].rs",
            "x[...r].rs is not a route: `[...name]` must be the whole name",
        ),
        (
            "[id]/[id].rs",
            "[id]/[id].rs is not a route: two parameters have the name `id`",
        ),
        (
            "[...r]/a.rs",
            "[...r]/a.rs is not a route: nothing may be below `[...name]`",
        ),
        (
            "mod.rs",
            "mod.rs is not a route: the route of a folder is its `index.rs`",
        ),
    ] {
        let error = wrong(&[file]);
        assert!(error.starts_with(why), "{file}: {error}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let error = routes("no/such/folder").generate().unwrap_err();
    assert!(matches!(error, ScanError::Read { .. }));
    assert!(error.to_string().contains("no/such/folder"), "{error}");
}

#[test]
fn a_base_is_a_pattern() {
    let folder = folder(&["chat.rs"]);
    assert_eq!(
        table(folder.path(), "{tenant}/ws")[0].0,
        "/{tenant}/ws/chat"
    );
    for base in ["/a//b", "/[id]", "/{", "/a?b", "/{*rest}"] {
        let error = routes(folder.path()).base(base).generate().unwrap_err();
        assert!(matches!(error, ScanError::Base(_)), "{base}: {error}");
    }
}

#[test]
fn layers_are_around_the_routes_of_their_folder_and_no_others() {
    let folder = folder(&[
        "index.rs",
        "rooms/_layers.rs",
        "rooms/[id].rs",
        "rooms/deep/_layers.rs",
        "rooms/deep/log.rs",
        "rooms/plain/log.rs",
        "rooms-of-others.rs",
    ]);
    let code = routes(folder.path()).generate().unwrap();
    let router = code.split("fn router()").nth(1).unwrap();
    let shape: Vec<_> = router
        .lines()
        .map(str::trim)
        .filter_map(|line| {
            let name = |line: &str| line.rsplit('"').nth(1).unwrap().to_owned();
            match line {
                line if line.starts_with(".route(") => Some(name(line)),
                line if line.starts_with(".merge(") => {
                    Some(line.replace(".merge(", "").replace("::layers(", " {"))
                }
                "))" => Some("}".to_owned()),
                _ => None,
            }
        })
        .collect();
    assert_eq!(
        shape,
        [
            "",
            "rooms-of-others",
            "route_rooms_layers {",
            "rooms/[id]",
            "rooms/plain/log",
            "route_rooms_deep_layers {",
            "rooms/deep/log",
            "}",
            "}",
        ]
    );
}

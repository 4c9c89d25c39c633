//! Functions that modules export by name.

#![allow(clippy::unwrap_used)]

use std::fs;

use crossws_codegen::sockets;
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (file, code) in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, code).unwrap();
    }
    folder
}

/// The generated code for these files.
fn code(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let sockets = sockets(folder.path()).module("crate::pages");
    sockets.generate().unwrap()
}

/// The error for these files, with the folder's own path taken out.
fn wrong(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let error = sockets(folder.path()).generate().unwrap_err();
    let path = format!("{}/", folder.path().display());
    error.to_string().replace(&path, "")
}

#[test]
fn exported_functions_are_routes_and_keep_their_case() {
    let code = code(&[
        (
            "tools.rs",
            "pub fn socket_terminal() -> H { x } pub(crate) fn socket_liveData() -> H { y }",
        ),
        (
            "Admin/Users.rs",
            "/// Docs.\n#[must_use]\npub fn socket_Log() -> H { z }",
        ),
        ("Admin/mod.rs", "pub fn socket_all() -> H { z }"),
    ]);
    let lines: Vec<_> = code
        .lines()
        .filter(|line| line.contains(".route("))
        .collect();
    let route = |path: &str, function: &str, name: &str| {
        format!(
            "        .route({path:?}, ::crossws::route(crate::pages::{function}()).default_name({name:?}))"
        )
    };
    let expected = [
        route(
            "/_socket/Admin/Users/Log",
            "Admin::Users::socket_Log",
            "Admin/Users/Log",
        ),
        route("/_socket/Admin/all", "Admin::socket_all", "Admin/all"),
        route(
            "/_socket/tools/liveData",
            "tools::socket_liveData",
            "tools/liveData",
        ),
        route(
            "/_socket/tools/terminal",
            "tools::socket_terminal",
            "tools/terminal",
        ),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn what_is_not_exported_is_no_route() {
    let code = code(&[
        (
            "page.rs",
            r##"
            // pub fn socket_comment() {}
            /* pub fn socket_block() {} /* nested */ */
            fn socket_private() {}
            pub(super) fn socket_above() {}
            pub fn other() { pub fn socket_inner() {} }
            pub fn socket_() {}
            mod inner { pub fn socket_nested() {} }
            const TEXT: &str = r#"pub fn socket_text() {}"#;
            const C: char = '"'; // pub fn socket_quote() {}
            "##,
        ),
        ("_draft.rs", "pub fn socket_draft() {}"),
        ("notes.txt", "pub fn socket_text() {}"),
        ("odd-name.rs", "pub fn nothing() {}"),
    ]);
    assert!(!code.contains(".route("), "{code}");
}

#[test]
fn a_folder_in_src_is_its_module_and_the_base_may_be_another() {
    let folder = folder(&[("src/pages/a.rs", "pub fn socket_b() {}")]);
    let pages = folder.path().join("src/pages");
    let code = sockets(&pages)
        .module("crate::pages")
        .base("/live/")
        .generate();
    assert!(code.unwrap().contains("\"/live/a/b\""));
    let debug = format!("{:?}", sockets("src/web/pages"));
    assert!(debug.contains("\"crate::web::pages\""), "{debug}");
}

#[test]
fn what_is_wrong_is_said_with_the_files_name() {
    let function = "pub fn socket_a() {}";
    for (files, error) in [
        (
            vec![("tools.rs", function), ("tools/mod.rs", function)],
            "tools/mod.rs and tools.rs are both routes for `/_socket/tools/a`",
        ),
        (
            vec![("odd-name.rs", function)],
            "odd-name.rs is not a route: `odd-name` is no module's name",
        ),
        (
            vec![("a.rs", "pub async fn socket_a() {}")],
            "a.rs is not a route: `socket_a` is async: it returns hooks at once",
        ),
        (
            vec![("a.rs", "pub fn socket_a(peer: Peer) {}")],
            "a.rs is not a route: `socket_a` takes arguments: it is called without any",
        ),
        (
            vec![("a.rs", "pub fn socket_ä() {}")],
            "a.rs is not a route: its name has `ä`; use letters, digits, `-`, `_`, `.`, `~`, or a parameter in brackets",
        ),
    ] {
        let said = wrong(&files);
        let swapped = error.replace("tools/mod.rs and tools.rs", "tools.rs and tools/mod.rs");
        assert!(said == error || said == swapped, "{said}");
    }
    let broken = wrong(&[("a.rs", "pub fn socket_a() {")]);
    assert!(
        broken.starts_with("a.rs is not a route: it is no Rust"),
        "{broken}"
    );
}

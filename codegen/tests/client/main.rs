//! Generated clients and documents, compared with the files in `golden`. `CROSSWS_UPDATE=1` renews the
//! files; `scripts/test typescript` compiles them and validates the documents.

#![allow(clippy::unwrap_used, clippy::panic)]

mod apps;

use std::path::{Path, PathBuf};
use std::{env, fs};

use crossws_app::{Description, Router};
use crossws_codegen::{CheckError, asyncapi, javascript, typescript};
use crossws_core::{BoxError, Peer};

fn golden(app: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(app)
}

fn describe(router: Router) -> Description {
    router.describe().unwrap()
}

/// Compares all that is generated for an app.
fn compare(app: &str, router: Router) {
    let description = describe(router);
    let folder = golden(app);
    let document = asyncapi(&description).title("Golden").version("1.0.0");
    // Two modules of one name in one folder would be one to a compiler.
    for (part, generated) in [
        ("ts", typescript(&description)),
        ("js", javascript(&description)),
        (".", document.generated()),
    ] {
        let folder = folder.join(part);
        if env::var_os("CROSSWS_UPDATE").is_some() {
            generated.write(&folder).unwrap();
        }
        if let Err(error) = generated.check(&folder) {
            panic!("{error}\nCROSSWS_UPDATE=1 renews the files");
        }
    }
}

#[test]
fn hard_names_are_told_apart() {
    compare("names", apps::names());
}

#[test]
fn types_are_as_serde_writes_them() {
    compare("types", apps::types());
}

#[test]
fn calls_have_types_in_both_forms() {
    compare("calls", apps::calls());
}

#[test]
fn no_text_of_an_app_leaves_its_place() {
    compare("injection", apps::injection());
    let description = describe(apps::injection());
    let sources = [typescript(&description), javascript(&description)];
    for (name, code) in sources.iter().flat_map(|source| source.files()) {
        for bad in ["</script", "<!--", "\u{2028}", "\u{202e}", "\0"] {
            assert!(!code.contains(bad), "{name} contains {bad:?}");
        }
        // What the app's texts would run.
        for line in code.lines().filter(|line| line.contains("alert(1)")) {
            let line = line.trim_start();
            let is_comment = line.starts_with("/**") || line.starts_with("* ");
            let before = line.split_once("alert(1)").unwrap().0;
            let quotes = before
                .replace("\\\\", "")
                .replace("\\\"", "")
                .matches('"')
                .count();
            assert!(is_comment || quotes % 2 == 1, "{name}: {line}");
        }
    }
}

#[test]
fn a_client_that_is_not_what_the_routes_generate_is_found_with_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let one = typescript(&describe(apps::rooms("/rooms/{id}")));
    let missing = one.check(folder.path()).unwrap_err();
    assert!(matches!(missing, CheckError::Missing { .. }));
    one.write(folder.path().join("new")).unwrap();
    one.check(folder.path().join("new")).unwrap();

    let other = typescript(&describe(apps::rooms("/rooms/{room}")));
    let error = other.check(folder.path().join("new")).unwrap_err();
    let CheckError::Stale { difference, .. } = &error else {
        panic!("{error}");
    };
    assert!(difference.line() > 1);
    let text = error.to_string();
    assert!(
        text.contains("sockets.ts is not what the routes generate"),
        "{text}"
    );
    assert!(text.contains("\n-/** `/rooms/{id}` */"), "{text}");
    assert!(text.contains("\n+/** `/rooms/{room}` */"), "{text}");

    // Git may have changed the ends of lines.
    let path = folder.path().join("new/sockets.ts");
    let windows = fs::read_to_string(&path).unwrap().replace('\n', "\r\n");
    fs::write(&path, windows).unwrap();
    one.check(folder.path().join("new")).unwrap();
}

#[test]
fn what_did_not_change_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let client = typescript(&describe(apps::rooms("/rooms/{id}")));
    client.write(folder.path()).unwrap();
    let path = folder.path().join("sockets.ts");
    let read_only = {
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        permissions
    };
    fs::set_permissions(&path, read_only).unwrap();
    let written = fs::metadata(&path).unwrap().modified().unwrap();
    client.write(folder.path()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
}

#[test]
fn a_document_names_what_is_known() {
    let description = describe(apps::rooms("/rooms/{id}/{*rest}"));
    let document = asyncapi(&description)
        .title("Rooms")
        .version("1.2.3")
        .about("All *rooms*.")
        .server("local", "ws", "127.0.0.1:3000")
        .document();
    assert_eq!(document["asyncapi"], "3.0.0");
    assert_eq!(document["info"]["description"], "All *rooms*.");
    assert_eq!(document["servers"]["local"]["host"], "127.0.0.1:3000");
    let channel = &document["channels"]["rooms"];
    assert_eq!(channel["address"], "/rooms/{id}/{rest}");
    assert_eq!(channel["parameters"]["id"], serde_json::json!({}));
    let payload = &channel["messages"]["fromClient"]["payload"];
    assert_eq!(payload["$ref"], "#/components/schemas/Said");
    assert_eq!(document["operations"]["receiveRooms"]["action"], "receive");
    assert_eq!(document["operations"]["sendRooms"]["action"], "send");
}

#[test]
fn an_answer_takes_no_methods_place_in_a_document() {
    let calls = crossws_app::calls::calls(crossws_core::hooks())
        .described_method(
            "AskAnswer",
            |_: Peer, n: u8| async move { Ok::<_, BoxError>(n) },
        )
        .described_method("ask", |_: Peer, n: u16| async move { Ok::<_, BoxError>(n) });
    let description = describe(Router::new().route("/", calls.described()));
    let document = asyncapi(&description).document();
    let messages = document["channels"]["index"]["messages"]
        .as_object()
        .unwrap();
    let called = |key: &str| &messages[key]["payload"]["properties"]["call"]["const"];
    assert_eq!(called("clientCallAskAnswer"), "AskAnswer");
    assert_eq!(called("clientCallAsk"), "ask");
    assert!(messages.contains_key("clientCallAskAnswer2"));
}

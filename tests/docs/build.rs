//! Copies the code of the documents to where rustdoc tests it.
//!
//! The documents show only what a reader needs, and hide nothing, because a registry's page would
//! show hidden lines. The additions that a block needs to compile are made here, by these rules:
//!
//! - a block that names `Chat` and does not define it gets hooks of that name;
//! - a block with a `#[tokio::test]` is compiled and run as tests;
//! - a block that is a Worker becomes a crate of its own;
//! - if the first block of a document is nothing but `use`, every other block gets it.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The documents whose code is tested.
const DOCUMENTS: &[&str] = &[
    "README.md",
    "docs/client.md",
    "docs/coming-from.md",
    "docs/limits.md",
    "docs/loops.md",
    "docs/messages.md",
    "docs/operations.md",
    "docs/proxy.md",
    "docs/rooms.md",
    "docs/sse.md",
    "docs/testing.md",
    "docs/typescript.md",
    "docs/workers.md",
];

const CHAT: &str = "\
# #[derive(Default)]
# struct Chat;
# impl crossws::Hooks for Chat {}
";

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut code = String::new();
    for name in DOCUMENTS {
        let document = root.join(name);
        println!("cargo::rerun-if-changed={}", document.display());
        let text = fs::read_to_string(&document)?;
        code.push_str(&format!("# {name}\n\n"));
        for block in blocks(&text) {
            code.push_str(&block);
        }
    }
    let out = env::var_os("OUT_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    fs::write(out.join("documents.md"), code)
}

/// Returns the blocks of Rust, ready to be tested. Blocks of `rust src/…` are parts of files, which
/// other tests compare with the files; blocks of `rust theirs` show another library.
fn blocks(text: &str) -> impl Iterator<Item = String> {
    let imports = imports(text);
    text.split("\n```rust").skip(1).filter_map(move |block| {
        let (attributes, rest) = block.split_once('\n')?;
        let (code, _) = rest.split_once("\n```")?;
        if attributes.starts_with(' ') {
            return None;
        }
        let mut block = format!("```rust{attributes}");
        if code.contains("#[tokio::test]") {
            block.push_str(",test_harness");
        }
        let is_worker = code.contains("durable_object!") || code.contains("worker::serve!");
        if is_worker {
            block.push_str(",standalone_crate");
        }
        block.push('\n');
        if is_worker {
            block.push_str("# fn main() {}\n");
        }
        if code.contains("Chat") && !code.contains("struct Chat;") {
            block.push_str(CHAT);
        }
        if code != imports {
            let hidden = imports.lines().map(|line| format!("# {line}\n"));
            block.extend(hidden);
        }
        block.push_str(code);
        block.push_str("\n```\n\n");
        Some(block)
    })
}

/// Returns the first block, if it contains only the imports of the others.
fn imports(text: &str) -> &str {
    let first = text
        .split_once("\n```rust\n")
        .and_then(|(_, rest)| rest.split_once("\n```"));
    let code = first.map_or("", |(code, _)| code);
    match code.lines().all(|line| line.starts_with("use ")) {
        true => code,
        false => "",
    }
}

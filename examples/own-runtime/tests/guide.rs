//! The code in `docs/runtimes.md` is the code of this crate, and all of its adapter is explained.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;

/// Where the guide leaves something out.
const LEFT_OUT: &str = "// …";

#[test]
fn the_guide_shows_the_code_that_is_compiled() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(here.join("../../docs/runtimes.md")).unwrap();
    let mut shown = Vec::new();
    // A block of code names its file after its language.
    for block in guide.split("\n```rust src/").skip(1) {
        let (file, rest) = block.split_once('\n').unwrap();
        let code = rest.split_once("\n```").unwrap().0;
        let source = fs::read_to_string(here.join("src").join(file)).unwrap();
        let mut source = &source[..];
        let mut part = String::new();
        for line in code.lines().chain([LEFT_OUT]) {
            if line.trim() != LEFT_OUT {
                part.push_str(line);
                part.push('\n');
                continue;
            }
            let wanted = part.trim_matches('\n');
            let Some(at) = source.find(wanted) else {
                panic!("docs/runtimes.md shows what is not in src/{file}:\n{wanted}");
            };
            source = &source[at + wanted.len()..];
            part.clear();
        }
        shown.push(file.to_owned());
    }
    for file in ["io.rs", "listen.rs", "runtime.rs"] {
        assert!(shown.iter().any(|one| one == file), "{file} is not shown");
    }
}

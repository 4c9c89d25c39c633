//! The documents' code, with what `build.rs` puts before it, as documentation tests.
#![doc = include_str!(concat!(env!("OUT_DIR"), "/documents.md"))]

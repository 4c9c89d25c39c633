//! The suite against the tokio adapter with tungstenite as its engine.

use crossws_native::EngineKind;

#[path = "targets/native.rs"]
mod target;

fn main() -> std::process::ExitCode {
    let engine = EngineKind::Tungstenite;
    let target = target::Native::<crossws_tokio::Tokio>::with_engine("tungstenite", engine);
    crossws_conformance::runner::main(&target)
}

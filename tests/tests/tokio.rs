//! The suite against the tokio adapter.

#[path = "targets/tokio.rs"]
mod target;

fn main() -> std::process::ExitCode {
    crossws_conformance::runner::main(&target::Tokio)
}

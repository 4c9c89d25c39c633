//! The suite against the smol adapter.

#[path = "targets/smol.rs"]
mod target;

fn main() -> std::process::ExitCode {
    crossws_conformance::runner::main(&target::Smol)
}

//! The suite against the memory adapter.

#[path = "targets/memory.rs"]
mod target;

fn main() -> std::process::ExitCode {
    crossws_conformance::runner::main(&target::Memory)
}

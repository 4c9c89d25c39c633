//! The suite against the smol adapter.

#[path = "targets/native.rs"]
mod target;

fn main() -> std::process::ExitCode {
    crossws_conformance::runner::main(&target::Native::<crossws_smol::Smol>::new("smol"))
}

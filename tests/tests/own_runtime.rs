//! The suite against the adapter of the guide docs/runtimes.md, on a runtime of its own.

#[path = "targets/native.rs"]
mod target;

fn main() -> std::process::ExitCode {
    crossws_conformance::runner::main(&target::Native::<crossws_own_runtime::OwnRuntime>::new(
        "own runtime",
    ))
}

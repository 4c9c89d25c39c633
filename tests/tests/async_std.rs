//! The suite against the async-std adapter.

#[path = "targets/async_std.rs"]
mod target;

fn main() -> std::process::ExitCode {
    crossws_conformance::runner::main(&target::AsyncStd)
}

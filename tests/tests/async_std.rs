//! The suite against the async-std adapter.

#[path = "targets/native.rs"]
mod target;

fn main() -> std::process::ExitCode {
    crossws_conformance::runner::main(&target::Native::<crossws_async_std::AsyncStd>::new(
        "async-std",
    ))
}

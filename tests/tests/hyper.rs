//! The suite against the tokio adapter inside a hyper server.

#[path = "targets/hyper.rs"]
mod target;

fn main() -> std::process::ExitCode {
    crossws_conformance::runner::main(&target::Hyper)
}

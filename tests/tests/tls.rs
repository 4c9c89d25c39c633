//! The suite against the tokio adapter over TLS.

#[path = "targets/native.rs"]
mod target;

fn main() -> std::process::ExitCode {
    crossws_conformance::runner::main(&target::Native::<crossws_tokio::Tokio>::secure(
        "tokio, TLS",
    ))
}

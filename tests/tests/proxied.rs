//! The suite through a proxy.

#[path = "targets/native.rs"]
mod native;
#[path = "targets/proxied.rs"]
mod target;

fn main() -> std::process::ExitCode {
    crossws_conformance::runner::main(&target::Proxied)
}

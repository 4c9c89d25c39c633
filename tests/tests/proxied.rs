//! The suite through a proxy.

#[path = "targets/native.rs"]
mod native;
#[path = "targets/proxied.rs"]
mod target;

use crossws_conformance::{cases, runner};

fn main() -> std::process::ExitCode {
    for excluded in target::not_carried() {
        let exists = cases::all().any(|case| case.to_string() == excluded);
        assert!(exists, "no case is named {excluded}");
    }
    runner::main(&target::Proxied)
}

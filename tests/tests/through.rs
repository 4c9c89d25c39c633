//! The suite against servers whose sockets are inside the middleware of their HTTP service.

#[path = "targets/native.rs"]
mod target;

use std::process::ExitCode;

use crossws_conformance::runner::main as run;
use target::Native;

fn main() -> ExitCode {
    for code in [
        run(&Native::<crossws_tokio::Tokio>::through(
            "tokio, through HTTP",
        )),
        run(&Native::<crossws_smol::Smol>::through("smol, through HTTP")),
        run(&Native::<crossws_async_std::AsyncStd>::through(
            "async-std, through HTTP",
        )),
    ] {
        if code != ExitCode::SUCCESS {
            return code;
        }
    }
    ExitCode::SUCCESS
}

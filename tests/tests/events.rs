//! The suite over event streams: each client reads one, and posts its messages.

#[path = "targets/native.rs"]
mod target;

use std::process::ExitCode;

use crossws_conformance::runner::main as run;
use target::Native;

fn main() -> ExitCode {
    for code in [
        run(&Native::<crossws_tokio::Tokio>::events("tokio, SSE")),
        run(&Native::<crossws_tokio::Tokio>::secure_events(
            "tokio, SSE, TLS",
        )),
        run(&Native::<crossws_smol::Smol>::events("smol, SSE")),
        run(&Native::<crossws_async_std::AsyncStd>::events(
            "async-std, SSE",
        )),
    ] {
        if code != ExitCode::SUCCESS {
            return code;
        }
    }
    ExitCode::SUCCESS
}

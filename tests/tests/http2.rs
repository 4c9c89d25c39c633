//! The suite over HTTP/2: all WebSockets of a case are streams of one encrypted connection.

#[path = "targets/native.rs"]
mod target;

use std::process::ExitCode;

use crossws_conformance::runner::main as run;
use target::Native;

fn main() -> ExitCode {
    for code in [
        run(&Native::<crossws_tokio::Tokio>::http2("tokio, HTTP/2")),
        run(&Native::<crossws_smol::Smol>::http2("smol, HTTP/2")),
        run(&Native::<crossws_async_std::AsyncStd>::http2(
            "async-std, HTTP/2",
        )),
    ] {
        if code != ExitCode::SUCCESS {
            return code;
        }
    }
    ExitCode::SUCCESS
}

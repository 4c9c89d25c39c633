//! The server on smol, in a process without a tokio runtime.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "../../native/tests/server/mod.rs"]
mod server;

use std::path::Path;

use crossws_smol as adapter;
use smol::block_on;
use smol::net::unix::UnixListener;

fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    smol::spawn(future).detach();
}

fn unix_listener(path: &Path) -> UnixListener {
    UnixListener::bind(path).unwrap()
}

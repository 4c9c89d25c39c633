//! The server on async-std, in a process without a tokio runtime.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "../../native/tests/server/mod.rs"]
mod server;

use std::path::Path;

use async_std::os::unix::net::UnixListener;
use async_std::task::block_on;
use crossws_async_std as adapter;

fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    drop(async_std::task::spawn(future));
}

fn unix_listener(path: &Path) -> UnixListener {
    block_on(UnixListener::bind(path)).unwrap()
}

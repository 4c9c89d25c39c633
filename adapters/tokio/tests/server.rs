//! The server on tokio, as the tests of all native adapters see it.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::field_reassign_with_default
)]

#[path = "../../native/tests/server/mod.rs"]
mod server;

use std::path::Path;

use std::sync::LazyLock;

use crossws_tokio as adapter;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixListener};
use tokio::runtime::{Builder, Runtime};

/// The name of the threads that run hooks.
const THREADS: &str = "tokio-of-the-test";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).thread_name(THREADS).enable_all();
    builder.build().unwrap()
});

fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    RUNTIME.spawn(future);
}

fn unix_listener(path: &Path) -> UnixListener {
    let _inside = RUNTIME.enter();
    UnixListener::bind(path).unwrap()
}

fn adopt(stream: std::net::TcpStream) -> TcpStream {
    TcpStream::from_std(stream).unwrap()
}

fn hyper_io(stream: TcpStream) -> TokioIo<TcpStream> {
    TokioIo::new(stream)
}

/// Sends eight bytes back and ends the stream, with the runtime's own traits.
async fn send_back(mut stream: adapter::RawStream) -> std::io::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut bytes = [0; 8];
    stream.read_exact(&mut bytes).await?;
    stream.write_all(&bytes).await?;
    stream.shutdown().await
}

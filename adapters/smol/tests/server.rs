//! The server on smol, in a process without a tokio runtime.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::field_reassign_with_default
)]

#[path = "../../native/tests/server/mod.rs"]
mod server;

use std::path::Path;

use crossws_smol as adapter;
use smol::block_on;
use smol::net::TcpStream;
use smol::net::unix::UnixListener;
use smol_hyper::rt::FuturesIo;

/// The name of the threads that run hooks.
const THREADS: &str = "smol-";

fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    smol::spawn(future).detach();
}

fn unix_listener(path: &Path) -> UnixListener {
    UnixListener::bind(path).unwrap()
}

fn adopt(stream: std::net::TcpStream) -> TcpStream {
    TcpStream::try_from(stream).unwrap()
}

fn hyper_io(stream: TcpStream) -> FuturesIo<TcpStream> {
    FuturesIo::new(stream)
}

/// Sends eight bytes back and ends the stream, with the runtime's own traits.
async fn send_back(mut stream: adapter::RawStream) -> std::io::Result<()> {
    use futures_lite::io::{AsyncReadExt, AsyncWriteExt};
    let mut bytes = [0; 8];
    stream.read_exact(&mut bytes).await?;
    stream.write_all(&bytes).await?;
    stream.close().await
}

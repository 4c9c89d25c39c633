//! The streams that connections use: what [`Acceptor::serve_stream`](crate::Acceptor::serve_stream)
//! takes.

use std::net::Shutdown;

use async_std::io::{Read as AsyncRead, Write as AsyncWrite};
use async_std::net::TcpStream;
#[cfg(unix)]
use async_std::os::unix::net::UnixStream;
use crossws_native::{FuturesIo, reset_on_drop};

/// A stream on async-std.
pub type Stream<S> = FuturesIo<S>;

/// Wraps any stream. An abort is an ordinary drop.
pub fn stream<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(stream: S) -> Stream<S> {
    FuturesIo::new(stream)
}

/// Wraps a TCP stream. An abort resets it.
pub fn tcp(stream: TcpStream) -> Stream<TcpStream> {
    let shutdown = |stream: &TcpStream| stream.shutdown(Shutdown::Write);
    FuturesIo::socket(stream, shutdown, reset_on_drop)
}

/// Wraps a Unix-domain stream. An abort is an ordinary drop.
#[cfg(unix)]
pub fn unix(stream: UnixStream) -> Stream<UnixStream> {
    let shutdown = |stream: &UnixStream| stream.shutdown(Shutdown::Write);
    FuturesIo::socket(stream, shutdown, |_| {})
}

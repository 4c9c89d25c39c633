//! Streams as the connections use them: what [`Acceptor::serve_stream`](crate::Acceptor::serve_stream)
//! takes.

use std::net::Shutdown;

use async_std::io::{Read as AsyncRead, Write as AsyncWrite};
use async_std::net::TcpStream;
#[cfg(unix)]
use async_std::os::unix::net::UnixStream;
use crossws_native::{FuturesIo, reset_on_drop};

/// A stream on async-std.
pub type Stream<S> = FuturesIo<S>;

/// Any stream; an abort is an ordinary drop.
pub fn stream<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(stream: S) -> Stream<S> {
    FuturesIo::new(stream)
}

/// A TCP stream, which an abort resets.
pub fn tcp(stream: TcpStream) -> Stream<TcpStream> {
    let shutdown = |stream: &TcpStream| stream.shutdown(Shutdown::Write);
    FuturesIo::socket(stream, shutdown, reset_on_drop)
}

/// A Unix-domain stream; an abort is an ordinary drop.
#[cfg(unix)]
pub fn unix(stream: UnixStream) -> Stream<UnixStream> {
    let shutdown = |stream: &UnixStream| stream.shutdown(Shutdown::Write);
    FuturesIo::socket(stream, shutdown, |_| {})
}

use std::net::Shutdown;

use crossws_native::{FuturesIo, reset_on_drop};
use smol::net::TcpStream;

/// A TCP stream, which an abort resets.
pub(crate) fn tcp(stream: TcpStream) -> FuturesIo<TcpStream> {
    FuturesIo::new(
        stream,
        |stream| stream.shutdown(Shutdown::Write),
        reset_on_drop,
    )
}

/// A Unix-domain stream; an abort is an ordinary drop.
#[cfg(unix)]
pub(crate) fn unix(stream: smol::net::unix::UnixStream) -> FuturesIo<smol::net::unix::UnixStream> {
    FuturesIo::new(stream, |stream| stream.shutdown(Shutdown::Write), |_| {})
}

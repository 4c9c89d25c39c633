use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use crate::runtime::Runtime;
use crate::runtime::io::Io;

/// Longest pause after an accept that failed for want of resources.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Whatever connections come from: TCP, Unix-domain sockets, or streams of one's own making, on
/// the runtime `T`.
pub trait Listen<T>: Send + 'static {
    /// Its connections.
    type Io: Io;

    /// The next connection, and the client's address where there is one.
    ///
    /// # Errors
    /// Whatever the listener reports. The server tries again: at once after a connection that
    /// ended before it was accepted, else after a pause.
    ///
    /// # Cancel safety
    /// Dropping the future must lose no connection.
    fn accept(&mut self)
    -> impl Future<Output = io::Result<(Self::Io, Option<SocketAddr>)>> + Send;

    /// The address it listens on, where it is one of a network.
    ///
    /// # Errors
    /// When the listener should know its address and does not.
    fn local_addr(&self) -> io::Result<Option<SocketAddr>>;

    /// Whether its connections are encrypted, so that URLs read `https` and `wss`. They are not,
    /// by default.
    fn is_secure(&self) -> bool {
        false
    }

    /// Whether a drop is an orderly end of its connections: what was written still arrives, and the
    /// end behind it. So it is with a socket of which nobody else has a handle. It is not with
    /// layers that have last words of their own, such as TLS, and not by default: then the writing
    /// side is ended, and the client's end awaited, also where both sides have said everything.
    fn ends_on_drop(&self) -> bool {
        false
    }
}

/// The next connection. Out of file descriptors or memory, it waits from 10 ms up to 1 s and tries
/// again: connections that end meanwhile make room.
///
/// # Cancel safety
/// Dropping the future loses no connection.
pub(crate) async fn accept<T: Runtime, L: Listen<T>>(
    listener: &mut L,
    runtime: &T,
) -> (L::Io, Option<SocketAddr>) {
    let mut pause = Duration::ZERO;
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                pause = (pause * 2).clamp(Duration::from_millis(10), MAX_PAUSE);
                tracing::warn!(%error, ?pause, "cannot accept");
                runtime.sleep(pause).await;
            }
        }
    }
}

/// Whether an accept failed because of the one connection it was about.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

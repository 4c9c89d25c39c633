use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use crate::runtime::Runtime;
use crate::runtime::io::Io;

/// The longest pause after an accept that failed for lack of resources.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// A source of connections on the runtime `T`: TCP, Unix-domain sockets, or streams of your own.
pub trait Listen<T>: Send + 'static {
    /// The stream of a connection.
    type Io: Io;

    /// Returns the next connection, and the client's address if it has one.
    ///
    /// # Errors
    /// Whatever the listener reports. The server tries again: at once if a connection ended before
    /// it was accepted, otherwise after a pause.
    ///
    /// # Cancel safety
    /// Dropping the future must lose no connection.
    fn accept(&mut self)
    -> impl Future<Output = io::Result<(Self::Io, Option<SocketAddr>)>> + Send;

    /// Returns the address that it listens on, or `None` if it is not a network address.
    ///
    /// # Errors
    /// When the listener cannot determine its address.
    fn local_addr(&self) -> io::Result<Option<SocketAddr>>;

    /// Returns whether its connections are encrypted, so that URLs have `https` and `wss`. `false`
    /// by default.
    fn is_secure(&self) -> bool {
        false
    }

    /// Returns whether a drop ends its connections in order: written data still arrives, and then
    /// the end. That holds for a socket to which no other code has a handle. It does not hold for
    /// layers that must send something at the end, such as TLS. `false` by default: then the
    /// connection ends its writing side and waits for the client's end, even if both sides have
    /// finished.
    fn ends_on_drop(&self) -> bool {
        false
    }
}

/// Returns the next connection. Without file descriptors or memory, it waits from 10 ms up to 1 s
/// and tries again: connections that end meanwhile release some.
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

/// Returns whether an accept failed because of the connection that it would have returned.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

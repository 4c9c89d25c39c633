use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

/// Longest pause after an accept that failed for want of resources.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// A listener that survives what an accept loop meets.
#[derive(Debug)]
pub(crate) struct Listener {
    listener: TcpListener,
    pause: Duration,
}

impl Listener {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            pause: Duration::ZERO,
        }
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The next connection. Out of file descriptors or memory, it waits from 10 ms up to 1 s and
    /// tries again: connections that end meanwhile make room.
    ///
    /// # Cancel safety
    /// Dropping the future loses no connection.
    pub(crate) async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, addr)) => {
                    self.pause = Duration::ZERO;
                    tune(&stream);
                    return (stream, addr);
                }
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    self.pause = (self.pause * 2).clamp(Duration::from_millis(10), MAX_PAUSE);
                    tracing::warn!(%error, pause = ?self.pause, "cannot accept");
                    tokio::time::sleep(self.pause).await;
                }
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

/// What sockets of small messages want. Failures are harmless: the system's defaults remain.
pub(crate) fn tune(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let socket = socket2::SockRef::from(stream);
        // A client whose network vanished is noticed although our data is never acknowledged.
        let _ = socket.set_tcp_user_timeout(Some(Duration::from_secs(30)));
        // What a slow client has not taken waits in our bounded queue, not in the kernel's.
        let _ = socket.set_tcp_notsent_lowat(64 << 10);
    }
}

#[cfg(feature = "futures-io")]
pub(crate) mod futures;
pub(crate) mod io;
pub(crate) mod listen;
pub(crate) mod socket;

#[cfg(feature = "http")]
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::runtime::listen::Listen;

/// The one door to a runtime: everything the pump needs besides a stream. It spawns nothing: a
/// connection is one future, and whoever calls decides where it runs.
///
/// A value, not a feature: several runtimes may serve in one process.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A timer.
    type Sleep: Future<Output = ()> + Send + 'static;

    /// A timer that ends after this time, and not before it has passed by [`now`](Self::now). Its first
    /// poll sees to the wake-up: it is polled again only when its time has come, or for another waker.
    fn sleep(&self, duration: Duration) -> Self::Sleep;

    /// The time by which the timers go. Monotonic; virtual in tests.
    fn now(&self) -> Instant;
}

/// A runtime that a [`Server`](crate::Server) runs on: all that tells one native adapter from
/// another.
pub trait ServerRuntime: Runtime + Default {
    /// Its TCP listener.
    type TcpListener: Listen<Self>;

    /// Runs a future on its own, to its end. It does not panic.
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static);

    /// Takes over a listener that the standard library has bound; it does not block.
    ///
    /// # Errors
    /// When the runtime cannot watch it.
    fn tcp_listener(&self, listener: std::net::TcpListener) -> std::io::Result<Self::TcpListener>;

    /// Returns the request target before a framework's router stripped a prefix from it, if the
    /// framework leaves it in the request's extensions.
    #[cfg(feature = "http")]
    fn original_uri(extensions: &http::Extensions) -> Option<&http::Uri> {
        let _ = extensions;
        None
    }

    /// Returns the client's address as another HTTP server leaves it in the request's extensions.
    #[cfg(feature = "http")]
    fn remote_addr(extensions: &http::Extensions) -> Option<SocketAddr> {
        extensions.get().copied()
    }

    /// Puts the client's address into a request's extensions, where the service of
    /// [`ServerBuilder::http`](crate::ServerBuilder::http) looks for it.
    #[cfg(feature = "http")]
    fn set_remote_addr(extensions: &mut http::Extensions, addr: SocketAddr) {
        extensions.insert(addr);
    }

    /// Takes the runtime's own stream out of a connection that another HTTP server has upgraded,
    /// with what that server had read ahead, where this finds one: the pump then writes to it
    /// directly, and can reset it.
    ///
    /// # Errors
    /// Gives back what holds another stream.
    #[cfg(feature = "http")]
    fn reclaim(
        upgraded: hyper::upgrade::Upgraded,
    ) -> Result<(Box<dyn crate::Io>, bytes::Bytes), hyper::upgrade::Upgraded> {
        Err(upgraded)
    }
}

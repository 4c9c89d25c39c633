mod adapter;
pub(crate) mod connect;
#[cfg(feature = "futures-io")]
pub(crate) mod futures;
pub(crate) mod io;
pub(crate) mod listen;
pub(crate) mod tcp;

#[cfg(feature = "http")]
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::runtime::listen::Listen;

/// The interface to a runtime: everything that the pump needs besides a stream. It spawns nothing:
/// a connection is one future, and the caller decides where it runs.
///
/// It is a value, not a feature: several runtimes may serve in one process.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A timer.
    type Sleep: Future<Output = ()> + Send + 'static;

    /// Returns a timer that ends after this time, and not before it has passed by
    /// [`now`](Self::now). The timer's first poll must register the wake-up: an open connection polls
    /// its timer again only when the time has come. Others are polled whenever their future is.
    fn sleep(&self, duration: Duration) -> Self::Sleep;

    /// Returns the time of the runtime's timers. Monotonic; virtual in tests.
    fn now(&self) -> Instant;
}

/// A runtime that a [`Server`](crate::Server) runs on: everything in which native adapters differ.
pub trait ServerRuntime: Runtime + Default {
    /// Its TCP listener.
    type TcpListener: Listen<Self>;

    /// Spawns a future, which runs to its end. The future does not panic.
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static);

    /// Wraps a non-blocking listener that the standard library has bound.
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
    /// with the bytes that the server had read ahead. The pump then writes to the stream directly
    /// and can reset it.
    ///
    /// # Errors
    /// Returns the connection if it holds another stream.
    #[cfg(feature = "http")]
    fn reclaim(
        upgraded: hyper::upgrade::Upgraded,
    ) -> Result<(Box<dyn crate::Io>, bytes::Bytes), hyper::upgrade::Upgraded> {
        Err(upgraded)
    }
}

pub(crate) mod accept;
pub(crate) mod accept_loop;
pub(crate) mod acceptor;
pub(crate) mod background;
pub(crate) mod builder;
pub(crate) mod handle;
pub(crate) mod head;
pub(crate) mod response;
pub(crate) mod rest;
pub(crate) mod shutdown;
pub(crate) mod signal;
pub(crate) mod stop;
pub(crate) mod stream_info;
pub(crate) mod tasks;

use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use crossws_core::adapter::HubChoice;
use crossws_core::{BoxFuture, Report, Resolve, Shutdown};

use crate::runtime::ServerRuntime;
use crate::server::builder::ServerBuilder;
use crate::server::handle::ServerHandle;
use crate::server::head::HeadLimits;

/// A server that listens. [`run`](Self::run) it.
#[must_use = "a server accepts nothing until it runs"]
pub struct Server<R, T> {
    local_addr: SocketAddr,
    run: BoxFuture<'static, io::Result<()>>,
    handle: ServerHandle<T>,
    resolver: PhantomData<fn() -> R>,
}

impl<R: Resolve, T: ServerRuntime> Server<R, T> {
    /// Returns a builder for these hooks, or for a resolver that chooses among several.
    pub fn builder(resolver: R) -> ServerBuilder<R, T> {
        ServerBuilder {
            resolver: Arc::new(resolver),
            hub: HubChoice::default(),
            head: HeadLimits::default(),
            shares_port: false,
            fallback: None,
            api: None,
            bind_sockets: None,
            #[cfg(feature = "http2")]
            http2: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Returns the address that it listens on. For a listener without one, such as a Unix-domain
    /// socket, it is the unspecified address.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Returns a handle for publishing from outside and for the shutdown.
    pub fn handle(&self) -> ServerHandle<T> {
        self.handle.clone()
    }

    /// Runs the `start` hook, then accepts connections until [`ServerHandle::shutdown`] is called,
    /// and stops listening. The future of `shutdown` resolves when the connections have ended.
    ///
    /// # Errors
    /// The error of the `start` hook. No connection was accepted.
    ///
    /// # Cancel safety
    /// Dropping the future stops accepting. Open connections continue.
    pub async fn run(self) -> io::Result<()> {
        self.run.await
    }

    /// Accepts connections until `signal` resolves, then shuts down in an orderly way.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_until(self, signal: impl Future, shutdown: Shutdown) -> io::Result<Report> {
        let handle = self.handle();
        let mut signal = pin!(signal);
        let mut run = self.run;
        let mut ended = std::future::poll_fn(|cx| {
            if signal.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(false));
            }
            run.as_mut().poll(cx).map_ok(|()| true)
        })
        .await?;
        // The server runs on for the shutdown's delay, and then the shutdown ends it.
        let mut shutdown = pin!(handle.shutdown(shutdown));
        std::future::poll_fn(|cx| {
            if let Poll::Ready(report) = shutdown.as_mut().poll(cx) {
                return Poll::Ready(Ok(report));
            }
            if !ended && let Poll::Ready(result) = run.as_mut().poll(cx) {
                ended = true;
                result?;
            }
            Poll::Pending
        })
        .await
    }
}

crossws_core::opaque_debug!([R, T] Server<R, T>, self => local_addr: self.local_addr);

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use crossws_core::{BoxFuture, Hub, Resolve};
use crossws_native::{HeadLimits, StreamInfo, Unclaimed, not_found, serve_stream};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::watch;

use crate::io::TokioIo;
use crate::listen::Listener;
use crate::runtime::Tokio;
use crate::shutdown::{Report, Shutdown, shut_down};
use crate::tasks::Tasks;

/// Serves hooks on an address, for ever. Requests that are no WebSocket are answered with 404.
///
/// # Errors
/// When the address cannot be bound.
///
/// # Cancel safety
/// Dropping the future stops accepting; connections go on. For more, see [`Server`].
pub async fn serve<R: Resolve>(addr: impl ToSocketAddrs, resolver: R) -> io::Result<()> {
    Server::builder(resolver).bind(addr).await?.run().await;
    Ok(())
}

/// Serves what the hooks do not claim, one connection at a time.
pub(crate) type Fallback<R> = Arc<dyn Fn(Rest<R>) -> BoxFuture<'static, ()> + Send + Sync>;

/// A connection that the hooks did not claim, and whom to ask about its later requests.
pub(crate) struct Rest<R> {
    pub(crate) unclaimed: Unclaimed<TokioIo<TcpStream>>,
    pub(crate) info: StreamInfo,
    pub(crate) resolver: Arc<R>,
    pub(crate) handle: ServerHandle,
}

/// What a [`Server`] is made with.
#[must_use = "a builder makes nothing until `bind` or `listen`"]
pub struct ServerBuilder<R> {
    pub(crate) resolver: Arc<R>,
    pub(crate) hub: Hub,
    pub(crate) head: HeadLimits,
    pub(crate) fallback: Option<Fallback<R>>,
}

impl<R: Resolve> ServerBuilder<R> {
    /// The hub that peers join: its limits and its origin policy apply. By default one of its
    /// own, with default limits and the same-origin policy.
    pub fn hub(mut self, hub: Hub) -> Self {
        self.hub = hub;
        self
    }

    /// The bounds of reading a request's head.
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.head = limits;
        self
    }

    /// Binds an address; port 0 lets the system choose one.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(self, addr: impl ToSocketAddrs) -> io::Result<Server<R>> {
        self.listen(TcpListener::bind(addr).await?)
    }

    /// Serves on a listener that exists already.
    ///
    /// # Errors
    /// When the listener does not know its address.
    pub fn listen(self, listener: TcpListener) -> io::Result<Server<R>> {
        let listener = Listener::new(listener);
        let local_addr = listener.local_addr()?;
        let handle = ServerHandle(Arc::new(Shared {
            hub: self.hub,
            head: self.head,
            tasks: Tasks::default(),
            stopping: watch::Sender::new(false),
        }));
        Ok(Server {
            listener,
            local_addr,
            resolver: self.resolver,
            fallback: self.fallback,
            handle,
        })
    }
}

impl<R> fmt::Debug for ServerBuilder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("hub", &self.hub)
            .finish_non_exhaustive()
    }
}

/// A server that listens: [`run`](Self::run) it.
#[must_use = "a server accepts nothing until it runs"]
pub struct Server<R> {
    listener: Listener,
    local_addr: SocketAddr,
    resolver: Arc<R>,
    fallback: Option<Fallback<R>>,
    handle: ServerHandle,
}

impl<R: Resolve> Server<R> {
    /// A builder for these hooks, or for a resolver that chooses among several.
    pub fn builder(resolver: R) -> ServerBuilder<R> {
        ServerBuilder {
            resolver: Arc::new(resolver),
            hub: Hub::default(),
            head: HeadLimits::default(),
            fallback: None,
        }
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// A handle for publishing from outside and for the shutdown.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Accepts connections until [`ServerHandle::shutdown`] is called, then stops listening.
    /// The shutdown's own future tells when the connections have ended.
    ///
    /// # Cancel safety
    /// Dropping the future stops accepting; connections go on.
    pub async fn run(mut self) {
        let mut stopping = self.handle.0.stopping.subscribe();
        loop {
            let accepted = {
                let mut stop = pin!(stopping.wait_for(|stopping| *stopping));
                let mut accept = pin!(self.listener.accept());
                std::future::poll_fn(|cx| {
                    if stop.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(None);
                    }
                    accept.as_mut().poll(cx).map(Some)
                })
                .await
            };
            let Some((stream, addr)) = accepted else {
                return;
            };
            let resolver = Arc::clone(&self.resolver);
            let handle = self.handle.clone();
            let fallback = self.fallback.clone();
            self.handle.0.tasks.spawn(async move {
                connection(stream, addr, resolver, handle, fallback).await;
            });
        }
    }

    /// Accepts connections until `signal` resolves, then shuts down in an orderly way.
    pub async fn run_until(self, signal: impl Future, shutdown: Shutdown) -> Report {
        let handle = self.handle();
        {
            // Gone before the shutdown, which waits for the listener to be.
            let mut signal = pin!(signal);
            let mut run = pin!(self.run());
            std::future::poll_fn(|cx| {
                if signal.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                run.as_mut().poll(cx)
            })
            .await;
        }
        handle.shutdown(shutdown).await
    }
}

impl<R> fmt::Debug for Server<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addr", &self.local_addr)
            .finish_non_exhaustive()
    }
}

async fn connection<R: Resolve>(
    stream: TcpStream,
    addr: SocketAddr,
    resolver: Arc<R>,
    handle: ServerHandle,
    fallback: Option<Fallback<R>>,
) {
    let info = StreamInfo::new(Some(addr));
    let shared = &handle.0;
    let io = TokioIo::tcp(stream);
    let served = serve_stream(io, info, &resolver, &shared.hub, &Tokio, &shared.head);
    if let Err(unclaimed) = served.await {
        match fallback {
            Some(fallback) => {
                let rest = Rest {
                    unclaimed,
                    info,
                    resolver,
                    handle,
                };
                fallback(rest).await;
            }
            None => not_found(unclaimed, &Tokio).await,
        }
    }
}

/// A handle to a server, also while it runs. Cheap to clone.
#[derive(Clone)]
pub struct ServerHandle(Arc<Shared>);

struct Shared {
    hub: Hub,
    head: HeadLimits,
    tasks: Tasks,
    stopping: watch::Sender<bool>,
}

impl ServerHandle {
    /// Peers, namespaces and topics.
    pub fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// Stops accepting, tells every peer, waits for their `close` hooks and for HTTP requests at
    /// hand up to the grace, and drops the rest. When it resolves, nothing of this server runs
    /// any more.
    ///
    /// # Cancel safety
    /// The peers have been told at the first poll; dropping the future afterwards means only that
    /// nobody forces the rest.
    pub async fn shutdown(&self, shutdown: Shutdown) -> Report {
        let shared = &self.0;
        shared.stopping.send_replace(true);
        // Whoever still listens for the stop still works: the accept loop, and HTTP connections
        // with a request at hand.
        let others = shared.stopping.closed();
        shut_down(&shared.hub, &shared.tasks, &shutdown, others).await
    }

    #[cfg(feature = "http")]
    pub(crate) fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    #[cfg(feature = "http")]
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.0.stopping.subscribe()
    }

    #[cfg(feature = "http")]
    pub(crate) fn head_limits(&self) -> &HeadLimits {
        &self.0.head
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerHandle").field(&self.0.hub).finish()
    }
}

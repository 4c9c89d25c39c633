pub(crate) mod accept;
pub(crate) mod acceptor;
pub(crate) mod background;
pub(crate) mod head;
pub(crate) mod shutdown;
pub(crate) mod signal;
pub(crate) mod stop;
pub(crate) mod tasks;

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

#[cfg(feature = "http2")]
use crossws_core::Sockets;
use crossws_core::adapter::{HttpService, HubChoice, Start};
use crossws_core::{BoxFuture, Hub, Report, Resolve, Shutdown, hub_setters};

use crate::driver::crew::Crew;
use crate::driver::stage::Stage;
#[cfg(feature = "http2")]
use crate::http::serve;
#[cfg(feature = "http2")]
use crate::http2::{Http2, PREFACE};
use crate::runtime::ServerRuntime;
use crate::runtime::io::Io;
use crate::runtime::listen::{Listen, accept};
use crate::runtime::socket;
use crate::server::accept::{NotHandled, StreamInfo, not_found, shake_hands};
use crate::server::head::HeadLimits;
use crate::server::shutdown::{delay, shut_down};
use crate::server::stop::Stop;
use crate::server::tasks::Tasks;
#[cfg(feature = "tls")]
use crate::tls::{Tls, TlsListener};

/// Serves a connection whose first request the hooks did not claim.
pub(crate) type Fallback<R, T> = Arc<dyn Fn(Rest<R, T>) -> BoxFuture<'static, ()> + Send + Sync>;

/// Called once the server exists.
pub(crate) type BindSockets<T> = Box<dyn FnOnce(&ServerHandle<T>) + Send + Sync>;

/// A connection that the hooks did not claim, with the resolver of its later requests.
#[cfg_attr(
    not(feature = "http"),
    expect(dead_code, reason = "read by the HTTP service")
)]
pub(crate) struct Rest<R, T> {
    /// Boxed: listeners differ in their streams, and for a page the cost is acceptable.
    pub(crate) unclaimed: NotHandled<Box<dyn Io>>,
    pub(crate) info: StreamInfo,
    pub(crate) resolver: Arc<R>,
    pub(crate) handle: ServerHandle<T>,
}

#[cfg(feature = "http2")]
impl<R, T> Rest<R, T> {
    /// Returns the settings of HTTP/2, if the client speaks it.
    pub(crate) fn http2(&self) -> Option<&Http2> {
        let settings = self.handle.0.http2.as_ref();
        settings.filter(|_| self.unclaimed.read.starts_with(PREFACE))
    }
}

/// A builder of a [`Server`].
#[must_use = "a builder has no effect until `bind` or `listen`"]
pub struct ServerBuilder<R, T> {
    pub(crate) resolver: Arc<R>,
    pub(crate) hub: HubChoice,
    pub(crate) head: HeadLimits,
    pub(crate) shares_port: bool,
    pub(crate) fallback: Option<Fallback<R, T>>,
    /// The same service, for calls by hooks.
    pub(crate) api: Option<Arc<dyn HttpService>>,
    /// Gives the sockets to the service.
    pub(crate) bind_sockets: Option<BindSockets<T>>,
    #[cfg(feature = "http2")]
    pub(crate) http2: Option<Http2>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Tls>,
}

impl<R: Resolve, T: ServerRuntime> ServerBuilder<R, T> {
    hub_setters!(given);

    /// Sets the bounds of reading a request's head.
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.head = limits;
        self
    }

    /// Uses TLS on every connection: `https` and `wss`, HTTP included. [`HeadLimits::timeout`] also
    /// bounds the TLS handshake.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Shares the port with other servers that share it, of this process or of the same user's others
    /// (`SO_REUSEPORT`): the next version starts before this one stops. The system chooses which of them
    /// gets a new connection. [`bind`](Self::bind) fails with
    /// [`Unsupported`](io::ErrorKind::Unsupported) where the system has no such thing, as on Windows.
    pub fn share_port(mut self) -> Self {
        self.shares_port = true;
        self
    }

    /// Binds an address. Port 0 lets the system choose a port. A host name is resolved on this
    /// thread.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(self, addr: impl ToSocketAddrs) -> io::Result<Server<R, T>> {
        let listener = socket::bind(addr, self.shares_port)?;
        self.listen(T::default().tcp_listener(listener)?)
    }

    /// Serves on an existing listener.
    ///
    /// # Errors
    /// When the listener does not know its address.
    pub fn listen(self, listener: impl Listen<T>) -> io::Result<Server<R, T>> {
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls.clone() {
            #[cfg(feature = "http2")]
            let tls = match self.http2 {
                Some(_) => tls.with_http2(),
                None => tls,
            };
            return self.serve(TlsListener { listener, tls });
        }
        self.serve(listener)
    }

    #[cfg_attr(
        not(feature = "http2"),
        expect(unused_mut, reason = "HTTP/2 alone changes it")
    )]
    fn serve(mut self, listener: impl Listen<T>) -> io::Result<Server<R, T>> {
        #[cfg(feature = "http2")]
        if let Some(http2) = &self.http2 {
            self.head.http2 = listener.is_secure() || http2.allows_prior_knowledge();
        }
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let local_addr = listener.local_addr()?.unwrap_or(nowhere);
        let runtime = T::default();
        let hub = self.hub.build();
        if let Some(api) = &self.api {
            hub.lend_http(api);
        }
        let handle = ServerHandle(Arc::new(Shared {
            hub,
            _api: self.api,
            head: self.head,
            #[cfg(feature = "http2")]
            http2: self.http2,
            tasks: Tasks::default(),
            crew: Arc::new(Crew::new(runtime.now())),
            stop: Stop::default(),
            runtime,
        }));
        background::lend(&handle.0.runtime, &handle.0.hub, &handle.0.tasks);
        if let Some(bind) = self.bind_sockets {
            bind(&handle);
        }
        let run = run(listener, self.resolver, self.fallback, handle.clone());
        Ok(Server {
            local_addr,
            run: Box::pin(run),
            handle,
            resolver: PhantomData,
        })
    }
}

impl<R, T> fmt::Debug for ServerBuilder<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("hub", &self.hub)
            .finish_non_exhaustive()
    }
}

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

impl<R, T> fmt::Debug for Server<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addr", &self.local_addr)
            .finish_non_exhaustive()
    }
}

/// Runs the accept loop.
async fn run<R: Resolve, T: ServerRuntime, L: Listen<T>>(
    mut listener: L,
    resolver: Arc<R>,
    fallback: Option<Fallback<R, T>>,
    handle: ServerHandle<T>,
) -> io::Result<()> {
    let shared = &handle.0;
    let watch = shared.stop.watch();
    let started = Start::default().run(&resolver, &shared.hub).await;
    started.map_err(io::Error::other)?;
    shared.crew.hire(&shared.tasks, &shared.runtime);
    let mut stopping = pin!(watch.stopping());
    let info = StreamInfo::new(None)
        .with_secure(listener.is_secure())
        .with_forwarded(!has_default_port(&listener))
        .with_ends_on_drop(listener.ends_on_drop());
    loop {
        let accepted = {
            let mut accept = pin!(accept(&mut listener, &shared.runtime));
            std::future::poll_fn(|cx| {
                if stopping.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                accept.as_mut().poll(cx).map(Some)
            })
            .await
        };
        let Some((io, addr)) = accepted else {
            return Ok(());
        };
        let resolver = Arc::clone(&resolver);
        let fallback = fallback.clone();
        let info = StreamInfo {
            remote_addr: addr,
            ..info
        };
        let connection = connection(io, info, resolver, handle.clone(), fallback);
        shared.tasks.spawn(&shared.runtime, Stage::new(connection));
    }
}

/// Returns whether browsers leave this listener's port out of `Host`. They can reach a listener
/// without a port, such as a Unix-domain socket, only through a proxy.
fn has_default_port<T>(listener: &impl Listen<T>) -> bool {
    let port = |addr: SocketAddr| matches!(addr.port(), 80 | 443);
    listener.local_addr().ok().flatten().is_some_and(port)
}

/// Runs the beginning of a connection, up to its 101. Returns the next stage.
async fn connection<I: Io, R: Resolve, T: ServerRuntime>(
    io: I,
    info: StreamInfo,
    resolver: Arc<R>,
    handle: ServerHandle<T>,
    fallback: Option<Fallback<R, T>>,
) -> Option<Stage> {
    let shared = &handle.0;
    let runtime = &shared.runtime;
    let crew = Some(Arc::clone(&shared.crew));
    match shake_hands(
        crew,
        io,
        info,
        &resolver,
        &shared.hub,
        runtime,
        &shared.head,
    )
    .await
    {
        Ok(next) => next,
        Err(unclaimed) => {
            let rest = Rest {
                unclaimed: NotHandled {
                    io: Box::new(unclaimed.io) as Box<dyn Io>,
                    read: unclaimed.read,
                    unfinished: unclaimed.unfinished,
                },
                info,
                resolver,
                handle,
            };
            Some(match fallback {
                Some(fallback) => Stage::last(fallback(rest)),
                #[cfg(feature = "http2")]
                None if rest.http2().is_some() => Stage::last(serve(rest, Sockets::unbound())),
                None => Stage::last(async move {
                    not_found(rest.unclaimed, &rest.handle.0.runtime).await;
                }),
            })
        }
    }
}

/// A handle to a server, usable while the server runs. Cheap to clone.
pub struct ServerHandle<T>(Arc<Shared<T>>);

struct Shared<T> {
    hub: Hub,
    /// Owned here, because the hub only borrows it: a service may hold the hub.
    _api: Option<Arc<dyn HttpService>>,
    head: HeadLimits,
    #[cfg(feature = "http2")]
    http2: Option<Http2>,
    tasks: Tasks,
    crew: Arc<Crew>,
    stop: Stop,
    runtime: T,
}

impl<T: ServerRuntime> ServerHandle<T> {
    /// Returns the hub of peers, namespaces and topics.
    pub fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// Stops accepting, closes every peer, waits up to the grace for `close` hooks and for current
    /// HTTP requests, and drops the rest. When it resolves, nothing of this server runs any more.
    /// If a hook awaits it, that hook's connection still runs. An HTTP handler should not await it,
    /// because it waits for current requests.
    ///
    /// # Cancel safety
    /// Without a delay and a spread, the first poll has closed the peers. Dropping the future after
    /// that only means that the rest is not forced. If it is dropped earlier, the remaining peers
    /// stay open.
    pub async fn shutdown(&self, shutdown: Shutdown) -> Report {
        let shared = &self.0;
        delay(&shared.runtime, &shared.hub, &shutdown).await;
        shared.stop.stop();
        // These still run while they watch for the stop: the accept loop, and HTTP connections with
        // a current request.
        let others = shared.stop.heeded();
        let runtime = &shared.runtime;
        shut_down(runtime, &shared.hub, &shared.tasks, &shutdown, others).await
    }
}

#[cfg(feature = "http")]
impl<T> ServerHandle<T> {
    pub(crate) fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    pub(crate) fn crew(&self) -> &Arc<Crew> {
        &self.0.crew
    }

    pub(crate) fn watch(&self) -> crate::server::stop::Watch {
        self.0.stop.watch()
    }

    pub(crate) fn head_limits(&self) -> &HeadLimits {
        &self.0.head
    }
}

impl<T> Clone for ServerHandle<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for ServerHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerHandle").field(&self.0.hub).finish()
    }
}

use std::io;
use std::marker::PhantomData;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use crossws_core::adapter::{HttpService, HubChoice};
use crossws_core::{Resolve, hub_setters};

use crate::driver::server_crew::ServerCrew;
#[cfg(feature = "http2")]
use crate::http2::Http2;
use crate::runtime::ServerRuntime;
use crate::runtime::listen::Listen;
use crate::runtime::tcp;
use crate::server::Server;
use crate::server::accept_loop::run;
use crate::server::background;
use crate::server::handle::{ServerHandle, Shared};
use crate::server::head::HeadLimits;
use crate::server::rest::Fallback;
use crate::server::stop::Stop;
use crate::server::tasks::Tasks;
#[cfg(feature = "tls")]
use crate::tls::{Tls, TlsListener};

/// Called once the server exists.
pub(crate) type BindSockets<T> = Box<dyn FnOnce(&ServerHandle<T>) + Send + Sync>;

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
    /// When the address cannot be bound; and those of [`listen`](Self::listen).
    pub async fn bind(self, addr: impl ToSocketAddrs) -> io::Result<Server<R, T>> {
        let listener = tcp::bind(addr, self.shares_port)?;
        self.listen(T::default().tcp_listener(listener)?)
    }

    /// Serves on an existing listener.
    ///
    /// # Errors
    /// When the listener does not know its address, or
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if a bound of zero lets no request in.
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
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        self.head.check().map_err(invalid)?;
        #[cfg(feature = "http2")]
        if let Some(http2) = &self.http2 {
            http2.check().map_err(invalid)?;
            self.head.http2 = listener.is_secure() || http2.prior_knowledge;
        }
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let local_addr = listener.local_addr()?.unwrap_or(nowhere);
        let runtime = T::default();
        let (hub, checked) = self.hub.build();
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
            crew: Arc::new(ServerCrew::new()),
            stop: Stop::default(),
            runtime,
        }));
        background::lend(&handle.0.runtime, &handle.0.hub, &handle.0.tasks);
        if let Some(bind) = self.bind_sockets {
            bind(&handle);
        }
        let (resolver, fallback) = (self.resolver, self.fallback);
        let run = run(listener, resolver, fallback, handle.clone(), checked);
        Ok(Server {
            local_addr,
            run: Box::pin(run),
            handle,
            resolver: PhantomData,
        })
    }
}

crossws_core::opaque_debug!([R, T] ServerBuilder<R, T>, self => hub: self.hub);

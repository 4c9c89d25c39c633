//! HTTP on the same port: requests that the hooks do not claim go to a tower service, through
//! hyper.

pub(crate) mod hyper_io;
pub(crate) mod keep_alive;
pub(crate) mod layer;
pub(crate) mod serve;
pub(crate) mod site;
pub(crate) mod upgrade;
pub(crate) mod way;

use std::sync::Arc;

use crossws_core::adapter::{HttpApp, http_service};
use crossws_core::{Resolve, Sockets, Through};

use crate::http::serve::serve;
#[cfg(feature = "http2")]
use crate::http2::Http2;
use crate::runtime::ServerRuntime;
use crate::server::builder::ServerBuilder;
use crate::server::handle::ServerHandle;
use crate::server::rest::Fallback;

impl<R: Resolve, T: ServerRuntime> ServerBuilder<R, T> {
    /// Serves every request that no hooks claim with this service, on the same port. The service is
    /// an `axum::Router`, or any other tower service. Without one, such requests get a 404.
    ///
    /// **Sockets come before HTTP**: middleware of the service does not run for requests that the
    /// hooks claim. With [`http_through`](Self::http_through) it does.
    ///
    /// Hooks call the same service with [`Peer::api`](crossws_core::Peer::api), while the server
    /// runs.
    ///
    /// Each request's extensions contain the [`Hub`](crossws_core::Hub), so that a handler can
    /// publish, and the client's address as a [`SocketAddr`](std::net::SocketAddr). On tokio with
    /// the feature `axum`, handlers that extract axum's `ConnectInfo<SocketAddr>` get it too.
    pub fn http(mut self, service: impl HttpApp) -> Self {
        // As in a client's request.
        self.api = Some(http_service(service.clone(), |extensions| {
            if let Some(addr) = extensions.get().copied() {
                T::set_remote_addr(extensions, addr);
            }
        }));
        let fallback: Fallback<R, T> = Arc::new(move |rest| Box::pin(serve(rest, service.clone())));
        self.fallback = Some(fallback);
        self
    }

    /// Accepts HTTP/2 too, with WebSockets by extended CONNECT (RFC 8441): over [`tls`](Self::tls)
    /// by ALPN, where a browser then opens all WebSockets of a page in one connection; and without
    /// TLS if [`Http2::prior_knowledge`] allows it. HTTP/1.1 works as before, on the same port.
    ///
    /// Hooks get the request as over HTTP/1.1, a `GET` of a path with a `Host` header, but of the
    /// version HTTP/2. All else is the same over both: limits, origins, subprotocols, compression,
    /// and the service of [`http`](Self::http), which serves the connection's other
    /// requests. A shutdown sends `GOAWAY` and lets the streams end.
    #[cfg(feature = "http2")]
    pub fn http2(mut self, settings: Http2) -> Self {
        self.http2 = Some(settings);
        self
    }

    /// As [`http`](Self::http), with **sockets through HTTP**: every request, upgrade or not, goes
    /// to the service. Its middleware may refuse the request, and puts values for hooks into its
    /// extensions. Upgrades end where the service places `sockets`: in a router as the fallback, or
    /// for a path. A service that does not place them upgrades nothing.
    ///
    /// ```
    /// # use crossws_core::{Resolve, BoxError, Sockets, Body};
    /// # use crossws_native::{ServerBuilder, ServerRuntime};
    /// # use tower_service::Service;
    /// # fn with_session(sockets: Sockets) -> Sockets { sockets }
    /// # fn example<R: Resolve, T: ServerRuntime>(builder: ServerBuilder<R, T>) {
    /// // With axum: `|sockets| Router::new().fallback_service(sockets).layer(session)`.
    /// let builder = builder.http_through(|sockets| with_session(sockets));
    /// # }
    /// ```
    pub fn http_through<S: HttpApp>(
        self,
        service: impl FnOnce(Sockets) -> S,
    ) -> ServerBuilder<Through<R>, T> {
        let sockets = Sockets::unbound();
        let service = service(sockets.clone());
        let resolver = Arc::clone(&self.resolver);
        let builder = ServerBuilder {
            resolver: Arc::new(Through::new(self.resolver)),
            hub: self.hub,
            head: self.head,
            shares_port: self.shares_port,
            fallback: None,
            api: None,
            #[cfg(feature = "http2")]
            http2: self.http2,
            bind_sockets: Some(Box::new(move |handle: &ServerHandle<T>| {
                handle.acceptor(resolver).bind(&sockets);
            })),
            #[cfg(feature = "tls")]
            tls: self.tls,
        };
        builder.http(service)
    }
}

//! HTTP on the same port: requests that the hooks do not claim go to a tower service, through
//! hyper.

pub(crate) mod hyper_io;
pub(crate) mod keep_alive;
pub(crate) mod layer;
pub(crate) mod site;
pub(crate) mod upgrade;
pub(crate) mod way;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use crossws_core::adapter::{HttpApp, http_service};
use crossws_core::{Resolve, Sockets, Through};
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;

use crate::http::hyper_io::{HyperIo, HyperTimer};
use crate::http::keep_alive::{Activity, KeepAlive, Served};
use crate::http::site::{Failed, Site};
#[cfg(feature = "http2")]
use crate::http2::Http2;
use crate::runtime::ServerRuntime;
use crate::server::accept::CONNECTION_BYTES;
use crate::server::accept_loop::{Fallback, Rest};
use crate::server::acceptor::Acceptor;
use crate::server::builder::ServerBuilder;
use crate::server::handle::ServerHandle;
use crate::server::response::{overloaded, refuse};

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
                let acceptor = Acceptor::<R, T>::from_parts(
                    resolver,
                    handle.hub().clone(),
                    handle.tasks().clone(),
                    Some(Arc::clone(handle.crew())),
                );
                acceptor.bind(&sockets);
            })),
            #[cfg(feature = "tls")]
            tls: self.tls,
        };
        builder.http(service)
    }
}

/// Serves one connection from its first request on. Later requests may be upgrades too.
pub(crate) async fn serve<R, T, S>(rest: Rest<R, T>, service: S)
where
    R: Resolve,
    T: ServerRuntime,
    S: HttpApp,
{
    #[cfg(feature = "http2")]
    if let Some(settings) = rest.http2().cloned() {
        return Box::pin(crate::http2::connection::serve(rest, &settings, service)).await;
    }
    let Rest {
        unclaimed,
        info,
        resolver,
        handle,
    } = rest;
    let limits = handle.head_limits();
    // hyper's minimum is 8 KiB.
    let max_buffer = limits.max_head.max(8 << 10);
    // Until the connection ends or becomes a WebSocket.
    let mut unfinished = unclaimed.unfinished;
    if unfinished.hold(CONNECTION_BYTES + max_buffer).is_err() {
        let rejection = overloaded(handle.hub(), info.remote_addr);
        return refuse(unclaimed.io, &T::default(), rejection).await;
    }
    let activity = Activity::default();
    let io = HyperIo {
        front: unclaimed.read,
        io: unclaimed.io,
        activity: activity.clone(),
    };
    let mut keep_alive = KeepAlive::new(activity.clone());
    let site = Site::new(resolver, &handle, info, service);
    // The hooks did not claim the first request.
    let first = AtomicBool::new(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        site.note(&mut request);
        activity.called();
        let activity = activity.clone();
        let is_unclaimed = first.swap(false, Ordering::Relaxed);
        let site = site.clone();
        async move {
            let response = match is_unclaimed {
                true => site.serve(request).await,
                false => site.respond(request).await,
            };
            Ok::<_, Failed>(response?.map(|body| Served::new(body, activity)))
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(HyperTimer(T::default()))
            // hyper's own time would count from the end of the previous response; `keep_alive` has
            // the times.
            .header_read_timeout(None)
            .max_headers(limits.max_headers)
            .max_buf_size(max_buffer)
            .serve_connection(io, service)
            .with_upgrades()
    );
    let runtime = T::default();
    let watch = handle.watch();
    let mut stop = pin!(watch.stopping());
    let mut told = false;
    let served = std::future::poll_fn(|cx| {
        if !told && stop.as_mut().poll(cx).is_ready() {
            told = true;
            // The current request gets its response; idle connections end at once.
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        std::task::ready!(keep_alive.poll(&runtime, limits, cx));
        // An idle connection ends at once, and in an orderly way. Other connections are dropped.
        connection.as_mut().graceful_shutdown();
        match connection.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => Poll::Ready(Ok(())),
        }
    })
    .await;
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

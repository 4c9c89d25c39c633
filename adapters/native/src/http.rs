//! HTTP on the same port: requests that the hooks do not claim go to a tower service, through
//! hyper.

#[cfg(feature = "http")]
pub(crate) mod hyper_io;
#[cfg(feature = "http")]
pub(crate) mod keep_alive;
#[cfg(feature = "http")]
pub(crate) mod layer;
#[cfg(feature = "http")]
pub(crate) mod upgrade;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Instant;

use crossws_core::adapter::{HttpApp, OriginalTarget, http_service};
use crossws_core::{Body, BoxError, Hub, Resolve, Responded, Sockets, Through};
use http::{Method, Request, StatusCode};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;

use crate::http::hyper_io::{HyperIo, HyperTimer};
use crate::http::keep_alive::{Activity, KeepAlive, Served};
use crate::runtime::ServerRuntime;
use crate::server::accept::{CONNECTION_BYTES, overloaded, refuse};
use crate::server::acceptor::Acceptor;
use crate::server::{Fallback, Rest, ServerBuilder, ServerHandle};

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

/// The service's error, on its way through hyper. It has a type of its own, because the compiler
/// cannot prove a future `Send` that converts a boxed error into itself.
#[derive(Debug)]
struct Failed(BoxError);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Failed {}

/// A request, for those who watch the hub.
struct Exchange<T> {
    method: Method,
    path: String,
    since: Instant,
    runtime: T,
}

impl<T: ServerRuntime> Exchange<T> {
    /// Notes the request, if anybody watches.
    fn begin<B>(hub: &Hub, request: &Request<B>, runtime: T) -> Option<Self> {
        hub.is_watched().then(|| Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            since: runtime.now(),
            runtime,
        })
    }

    fn end(self, hub: &Hub, status: StatusCode) {
        let took = self.runtime.now().saturating_duration_since(self.since);
        let method = self.method.as_str();
        hub.responded(&Responded::new(method, &self.path, status, took));
    }
}

/// Serves one connection from its first request on. Later requests may be upgrades too.
async fn serve<R, T, S>(rest: Rest<R, T>, service: S)
where
    R: Resolve,
    T: ServerRuntime,
    S: HttpApp,
{
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
    let acceptor = Acceptor::<R, T>::from_parts(
        resolver,
        handle.hub().clone(),
        handle.tasks().clone(),
        Some(Arc::clone(handle.crew())),
    );
    // The hooks did not claim the first request.
    let first = AtomicBool::new(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        if let Some(addr) = info.remote_addr {
            T::set_remote_addr(request.extensions_mut(), addr);
        }
        // For an upgrade that the service accepts: whether the connection is encrypted.
        request.extensions_mut().insert(info);
        request.extensions_mut().insert(acceptor.hub().clone());
        // Routers may strip a prefix.
        let target = OriginalTarget::of(request.uri());
        request.extensions_mut().insert(target);
        activity.called();
        let activity = activity.clone();
        let asked = first.swap(false, Ordering::Relaxed);
        let acceptor = acceptor.clone();
        let mut service = service.clone();
        async move {
            let claimed = if asked {
                Err(request)
            } else {
                acceptor.handle_upgrade_from(request, info).await
            };
            let served = |body| Served::new(body, activity);
            match claimed {
                Ok(response) => Ok(response.map(Either::Left).map(served)),
                Err(request) => {
                    let told = Exchange::begin(acceptor.hub(), &request, T::default());
                    std::future::poll_fn(|cx| service.poll_ready(cx))
                        .await
                        .map_err(|error| Failed(error.into()))?;
                    let response = service.call(request.map(Body::new)).await;
                    let response = response.map_err(|error| Failed(error.into()))?;
                    if let Some(told) = told {
                        told.end(acceptor.hub(), response.status());
                    }
                    Ok::<_, Failed>(response.map(Either::Right).map(served))
                }
            }
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

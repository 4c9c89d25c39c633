//! **crossws in axum apps**, on tokio: a WebSocket is a route among the app's others, with the
//! app's paths, state and middleware.
//!
//! ```
//! use axum::Router;
//! use crossws_app::{PeerExt, route};
//! use crossws_axum::websocket;
//! use crossws_core::{HookResult, Hooks, Hub, Peer};
//!
//! struct Orders;
//!
//! impl Hooks for Orders {
//!     async fn open(&self, peer: &Peer) -> HookResult {
//!         let id: u64 = peer.path()?; // from axum's pattern
//!         peer.send(format!("order {id}"))?;
//!         Ok(())
//!     }
//! }
//!
//! let app: Router = Router::new()
//!     .route("/orders/{id}", websocket(Orders))
//!     .route("/chat", websocket(route(Orders).topic("general")))
//!     .with_state(Hub::default());
//! ```
//!
//! - The app's state must contain the [`Hub`]: it is the state, or `FromRef` finds
//!   it there. Handlers publish with the same `State<Hub>`.
//! - The path of a peer, and therefore its default namespace, is the path that the client
//!   requested: two routers that are nested in different places are different namespaces.
//! - `peer.params()` and `peer.path::<T>()` are axum's parameters, `peer.route()` is axum's pattern.
//! - Values that middleware puts into the request's extensions are in
//!   `peer.request().parts().extensions`. With [`adopt`](crossws_app::RouteBuilder::adopt), they
//!   are `peer.attached::<T>()`.
//! - `peer.remote_addr()` needs `into_make_service_with_connect_info::<SocketAddr>()` under
//!   `axum::serve`; [`Server::http`](crossws_tokio::ServerBuilder) knows it.
//! - `peer.api()` calls the app itself, once [`with_api`] has been applied.
//! - axum's graceful shutdown ignores upgraded connections: call [`shutdown`].

#![cfg_attr(docsrs, feature(doc_cfg))]

mod endpoint;
mod extract;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRef};
use axum::routing::{MethodRouter, get};
use axum::{Extension, Router};
use crossws_app::IntoRoute;
use crossws_core::adapter::{HttpService, http_service};
use crossws_core::{Hub, Report, Shutdown, hooks};
use crossws_tokio::{Acceptor, lend_background};

pub use endpoint::Endpoint;
pub use extract::{WebSockets, WebSocketsRejection};

/// Returns a method router that upgrades GET requests to hooks, or to
/// [`route`](crossws_app::route)`(hooks)` with settings. With the feature `http2`, it also upgrades
/// the CONNECT requests of WebSockets over HTTP/2 (RFC 8441), which `axum::serve` then accepts.
///
/// A request that is not an upgrade gets a 426. Add handlers of other methods to the same path with
/// axum's own `.post(..)`. For a handler that decides about the upgrade, see [`WebSockets`].
#[doc(alias = "WebSocketUpgrade")]
pub fn websocket<S>(route: impl IntoRoute) -> MethodRouter<S>
where
    Hub: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    let endpoint = Endpoint::new(route);
    let upgrade = move |sockets: WebSockets| {
        let endpoint = endpoint.clone();
        async move { sockets.upgrade(&endpoint).await }
    };
    #[cfg(feature = "http2")]
    let router = get(upgrade.clone()).connect(upgrade);
    #[cfg(not(feature = "http2"))]
    let router = get(upgrade);
    router
}

/// Gives the hooks of an app's WebSockets access to the app itself:
/// [`Peer::api`](crossws_core::Peer::api) then calls it, with its layers. Call it last, on the app
/// that is served. A [`Server`](crossws_tokio::Server) or a `TestServer` that gets the app by
/// `.http(app)` does the same on its own.
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use crossws_axum::{websocket, with_api};
/// use crossws_core::{Hub, hooks};
///
/// let hub = Hub::default();
/// let asks = hooks().on_open(|peer| async move {
///     let health = peer.api().get("/health").await?;
///     peer.send(health.text()?)?;
///     Ok::<_, crossws_core::BoxError>(())
/// });
/// let app: Router = Router::new()
///     .route("/ws", websocket(asks))
///     .route("/health", get(|| async { "ok" }))
///     .with_state(hub.clone());
/// let app = with_api(app, &hub); // axum::serve(listener, app)
/// ```
pub fn with_api(app: Router, hub: &Hub) -> Router {
    let service = http_service(app.clone(), |extensions| {
        if let Some(addr) = extensions.get::<SocketAddr>().copied() {
            extensions.insert(ConnectInfo(addr));
        }
    });
    hub.lend_http(&service);
    lend_background(hub);
    // The hub borrows the service: a handler may hold the hub.
    app.layer(Extension(Kept { _service: service }))
        .layer(Extension(hub.clone()))
}

/// Keeps the service for as long as the app that is served.
#[derive(Clone)]
struct Kept {
    _service: Arc<dyn HttpService>,
}

/// Stops the WebSockets of an app: refuses further upgrades, closes every peer, waits for their
/// `close` hooks up to the grace, and drops the rest.
///
/// Call it after `axum::serve(..).with_graceful_shutdown(..)` has returned. axum's shutdown waits
/// only for HTTP.
pub async fn shutdown(hub: &Hub, shutdown: Shutdown) -> Report {
    let acceptor = Acceptor::sharing_hub(hooks(), hub.clone());
    acceptor.shutdown(shutdown).await
}

use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{
    FromRef, FromRequestParts, MatchedPath, OptionalFromRequestParts, RawPathParams,
};
use axum::http::header::{CONNECTION, UPGRADE};
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use crossws_core::{Hub, Params, Rejection};
use crossws_tokio::{Acceptor, is_upgrade};

use crate::endpoint::{Endpoint, Matched};

/// An extractor for handlers that decide whether, and to which hooks, a WebSocket is upgraded. For
/// a route that only serves a WebSocket, use [`websocket`](crate::websocket). Over HTTP/2 (feature
/// `http2`) a WebSocket begins with CONNECT: route the handler with axum's `any`, or with
/// `get(..).connect(..)`.
///
/// A request that is not an upgrade gets a 426. For it, `Option<WebSockets>` is `None`, for a
/// handler that also serves a page at the same path.
///
/// ```
/// use axum::Router;
/// use axum::extract::{FromRef, State};
/// use axum::http::StatusCode;
/// use axum::response::{IntoResponse, Response};
/// use axum::routing::get;
/// use crossws_axum::{Endpoint, WebSockets};
/// use crossws_core::{Hub, hooks};
///
/// #[derive(Clone)]
/// struct Shop {
///     hub: Hub,
///     orders: Endpoint,
///     open: bool,
/// }
///
/// // Or `#[derive(FromRef)]`, with axum's macros.
/// impl FromRef<Shop> for Hub {
///     fn from_ref(shop: &Shop) -> Self {
///         shop.hub.clone()
///     }
/// }
///
/// async fn orders(State(shop): State<Shop>, sockets: WebSockets) -> Response {
///     if !shop.open {
///         return StatusCode::SERVICE_UNAVAILABLE.into_response();
///     }
///     sockets.upgrade(&shop.orders).await
/// }
///
/// let echo = hooks().on_message(|peer, message| async move { peer.send(message) });
/// let app: Router = Router::new().route("/orders", get(orders)).with_state(Shop {
///     hub: Hub::default(),
///     orders: Endpoint::new(echo),
///     open: true,
/// });
/// ```
#[doc(alias = "WebSocketUpgrade")]
pub struct WebSockets {
    hub: Hub,
    request: Request<()>,
    pattern: String,
    params: Params,
}

impl WebSockets {
    /// Upgrades the request, or refuses it as the route says. The handler must return the response
    /// unchanged: without it there is no WebSocket.
    ///
    /// # Cancel safety
    /// Dropping the future drops the upgrade.
    pub async fn upgrade(self, endpoint: &Endpoint) -> Response<Body> {
        let matched = Matched {
            route: endpoint.route.clone(),
            pattern: self.pattern,
            params: self.params,
        };
        let acceptor = Acceptor::sharing_hub(matched, self.hub);
        let started = endpoint.started.get_or_try_init(|| acceptor.start()).await;
        if started.is_err() {
            // The error has already been logged.
            let rejection = Rejection::unavailable("the application has not started");
            return rejection.into_response().map(Body::from);
        }
        match acceptor.handle_upgrade(self.request).await {
            Ok(response) => response.into_response(),
            // The hooks passed the request on, but no service follows.
            Err(_) => StatusCode::NOT_FOUND.into_response(),
        }
    }

    /// Returns the parameters that axum's pattern matched.
    pub fn params(&self) -> &Params {
        &self.params
    }

    async fn of(parts: &mut Parts, hub: Hub) -> Result<Self, WebSocketsRejection> {
        let params = match RawPathParams::from_request_parts(parts, &()).await {
            Ok(params) => params.iter().collect(),
            // Only a fallback has no parameters.
            Err(RawPathParamsRejection::MissingPathParams(_)) => Params::default(),
            Err(error) => return Err(WebSocketsRejection::Path(error)),
        };
        let pattern = parts.extensions.get::<MatchedPath>();
        let pattern = pattern.map_or_else(String::new, |matched| matched.as_str().to_owned());
        Ok(Self {
            hub,
            request: Request::from_parts(parts.clone(), ()),
            pattern,
            params,
        })
    }
}

impl<S> FromRequestParts<S> for WebSockets
where
    Hub: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = WebSocketsRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        if !is_upgrade(parts) {
            return Err(WebSocketsRejection::NotUpgrade);
        }
        Self::of(parts, Hub::from_ref(state)).await
    }
}

impl<S> OptionalFromRequestParts<S> for WebSockets
where
    Hub: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = WebSocketsRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, Self::Rejection> {
        if !is_upgrade(parts) {
            return Ok(None);
        }
        Self::of(parts, Hub::from_ref(state)).await.map(Some)
    }
}

crossws_core::opaque_debug!([] WebSockets, self => pattern: self.pattern, params: self.params);

/// Why [`WebSockets`] cannot be extracted.
///
/// ```
/// use axum::http::StatusCode;
/// use axum::response::{IntoResponse, Response};
/// use crossws_axum::{Endpoint, WebSockets, WebSocketsRejection};
///
/// async fn chat(chat: Endpoint, sockets: Result<WebSockets, WebSocketsRejection>) -> Response {
///     match sockets {
///         Ok(sockets) => sockets.upgrade(&chat).await,
///         Err(WebSocketsRejection::NotUpgrade) => "a page about the chat".into_response(),
///         Err(_) => StatusCode::NOT_FOUND.into_response(),
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebSocketsRejection {
    /// The request does not ask for a WebSocket: 426.
    #[error("this is a WebSocket: send an upgrade request")]
    NotUpgrade,
    /// A parameter of the path is not UTF-8 when it is percent-decoded: 400.
    #[error(transparent)]
    Path(RawPathParamsRejection),
}

impl IntoResponse for WebSocketsRejection {
    fn into_response(self) -> Response<Body> {
        match self {
            Self::NotUpgrade => {
                let headers = [(UPGRADE, "websocket"), (CONNECTION, "upgrade")];
                (StatusCode::UPGRADE_REQUIRED, headers, self.to_string()).into_response()
            }
            Self::Path(error) => error.into_response(),
        }
    }
}

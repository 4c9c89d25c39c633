use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use crossws_core::adapter::OriginalTarget;
use crossws_core::{
    Body, BoxError, BoxFuture, ConnectionInfo, Hub, Resolve, SharedResolver, UpgradeRequest,
};
use crossws_proto::handshake::convert_target;
use http::request::Parts;
use http::{Request, Response, StatusCode, Version};
use tower_service::Service;

use crate::transport::request::{empty, may_be_asked, respond};
use crate::transport::settings::{StreamSettings, stream_setters};
use crate::transport::streams::Streams;

/// The application's sockets for clients that cannot open a WebSocket: the same hooks over
/// `EventSource`, with messages from the client by `POST`. A tower service; `docs/sse.md` describes
/// what clients do.
///
/// ```
/// use crossws_core::{Hub, SharedResolver, hooks};
/// use crossws_sse::EventSockets;
/// # use crossws_memory::TestServer;
/// # #[derive(Clone)] struct Pages;
/// # impl tower_service::Service<http::Request<crossws_core::Body>> for Pages {
/// #     type Response = http::Response<String>;
/// #     type Error = std::convert::Infallible;
/// #     type Future = std::future::Ready<Result<Self::Response, Self::Error>>;
/// #     fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
/// #         std::task::Poll::Ready(Ok(()))
/// #     }
/// #     fn call(&mut self, _: http::Request<crossws_core::Body>) -> Self::Future {
/// #         std::future::ready(Ok(http::Response::new(String::new())))
/// #     }
/// # }
///
/// let hub = Hub::default();
/// let app = SharedResolver::new(hooks()); // or a `Router`
/// let http = EventSockets::new(app.clone(), &hub).or(Pages);
/// # let _server =
/// TestServer::builder(app).hub(hub).http(http).build();
/// ```
///
/// A `GET` that accepts `text/event-stream`, of a path that the hooks claim, opens a connection: the
/// origin is checked, layers and the `upgrade` hook run as for a WebSocket. A client whose stream is
/// cut may take it up again within the [grace](Self::grace).
#[derive(Clone)]
pub struct EventSockets<S = NotFound> {
    resolver: Arc<SharedResolver>,
    streams: Streams,
    next: S,
}

/// The service that follows the sockets unless there is [another](EventSockets::or): it responds 404. See
/// [`EventSockets`].
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct NotFound;

impl EventSockets {
    /// Creates the sockets of an application that a server serves with the same resolver and hub.
    /// The server runs the `start` hook.
    pub fn new(resolver: impl Resolve, hub: &Hub) -> Self {
        Self {
            resolver: Arc::new(SharedResolver::new(resolver)),
            streams: Streams::new(hub, StreamSettings::default()),
            next: NotFound,
        }
    }

    /// Passes every other request on to this service: those of paths that no hooks claim, and those
    /// that have nothing to do with event streams.
    pub fn or<S>(self, service: S) -> EventSockets<S> {
        EventSockets {
            resolver: self.resolver,
            streams: self.streams,
            next: service,
        }
    }
}

impl<S> EventSockets<S> {
    stream_setters!(streams.settings);
}

crossws_core::opaque_debug!([S] EventSockets<S>, self => streams: self.streams);

impl<B> Service<Request<B>> for NotFound {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        std::future::ready(Ok(empty(StatusCode::NOT_FOUND)))
    }
}

impl<S, B, Answer> Service<Request<B>> for EventSockets<S>
where
    S: Service<Request<B>, Response = Response<Answer>> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    Answer: http_body::Body<Data = Bytes> + Send + 'static,
    Answer::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.next.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (resolver, streams) = (Arc::clone(&self.resolver), self.streams.clone());
        // The instance that was polled ready must be the one that is called.
        let next = self.next.clone();
        let mut next = std::mem::replace(&mut self.next, next);
        Box::pin(async move {
            let (routed, body) = request.into_parts();
            let body = match may_be_asked(&routed) {
                true => {
                    match respond(&streams, streams.hub(), &resolver, asked(&routed), body).await {
                        Ok(response) => return Ok(response.map(Body::new)),
                        Err(body) => body,
                    }
                }
                false => body,
            };
            let request = Request::from_parts(routed, body);
            Ok(next.call(request).await?.map(Body::new))
        })
    }
}

/// Returns a request as hooks get it.
fn asked(routed: &Parts) -> UpgradeRequest {
    let mut parts = routed.clone();
    // As for a WebSocket: a router before this service may have stripped a prefix, and the paths of two
    // routers would be one namespace.
    if let Some(target) = routed.extensions.get() {
        parts.uri = OriginalTarget::get(target).clone();
    }
    if parts.version >= Version::HTTP_2 {
        convert_target(&mut parts);
    }
    let info = ConnectionInfo::of(&parts.extensions);
    UpgradeRequest::new(parts).with_connection(info)
}

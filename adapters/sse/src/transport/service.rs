use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use crossws_core::{Body, BoxError, BoxFuture, Hub, Resolve, SharedResolver};
use http::{Request, Response, StatusCode};
use tower_service::Service;

use crate::stream::EventStream;
use crate::transport::request::{Transporting, empty};
use crate::transport::settings::TransportSettings;
use crate::transport::shared::Shared;

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
    shared: Arc<Shared>,
    settings: TransportSettings,
    next: S,
}

/// The service after [`EventSockets`] unless there is [another](EventSockets::or): it responds 404.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct NotFound;

impl EventSockets {
    /// Creates the sockets of an application that a server serves with the same resolver and hub.
    /// The server runs the `start` hook.
    pub fn new(resolver: impl Resolve, hub: &Hub) -> Self {
        Self {
            shared: Arc::new(Shared::new(SharedResolver::new(resolver), hub)),
            settings: TransportSettings {
                grace: Duration::from_secs(30),
                retained: 64 << 10,
                keep_alive: EventStream::KEEP_ALIVE,
                padding: 0,
                retry: None,
            },
            next: NotFound,
        }
    }

    /// Passes every other request on to this service: those of paths that no hooks claim, and those
    /// that have nothing to do with event streams.
    pub fn or<S>(self, service: S) -> EventSockets<S> {
        EventSockets {
            shared: self.shared,
            settings: self.settings,
            next: service,
        }
    }
}

impl<S> EventSockets<S> {
    /// Sets how long a connection waits for a client whose stream was cut. Meanwhile its messages
    /// are queued, within the limits of every queue. Default 30 s.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Sets how many bytes of written events are kept for a client that has not read them when its
    /// stream is cut. A client that has missed more gets a new connection. Default 64 KiB.
    #[must_use]
    pub fn retained(mut self, bytes: usize) -> Self {
        self.settings.retained = bytes;
        self
    }

    /// Sets the time of a stream without events, after which it carries a comment. A server notices
    /// a client that has silently gone only when it writes. Default 15 s.
    #[must_use]
    pub fn keep_alive(mut self, every: Duration) -> Self {
        self.settings.keep_alive = every.max(Duration::from_millis(1));
        self
    }

    /// Begins each stream with a comment of this many bytes: see
    /// [`EventStream::padding`](crate::EventStream::padding).
    #[must_use]
    pub fn padding(mut self, bytes: usize) -> Self {
        self.settings.padding = bytes;
        self
    }

    /// Sets how long the client waits before it reconnects. By default the client decides.
    #[must_use]
    pub fn retry(mut self, retry: Duration) -> Self {
        self.settings.retry = Some(retry);
        self
    }

    fn begin(&self) -> Transporting {
        Transporting {
            shared: Arc::clone(&self.shared),
            settings: self.settings.clone(),
        }
    }
}

impl<S> fmt::Debug for EventSockets<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSockets")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

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
        let transporting = self.begin();
        // The instance that was polled ready must be the one that is called.
        let next = self.next.clone();
        let mut next = std::mem::replace(&mut self.next, next);
        Box::pin(async move {
            match transporting.respond(request).await {
                Ok(response) => Ok(response),
                Err(request) => Ok(next.call(request).await?.map(Body::new)),
            }
        })
    }
}

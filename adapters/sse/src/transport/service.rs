use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use crossws_core::adapter::{Background, Claim, ClaimError};
use crossws_core::{
    Body, BoxError, BoxFuture, Hub, Rejection, Resolve, SharedHooks, SharedResolver, UpgradeRequest,
};
use http::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ORIGIN, RETRY_AFTER, UPGRADE, VARY,
};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::json;
use tower_service::Service;

use crate::format::event::Event;
use crate::keep_alive::KeepAlive;
use crate::stream::{EventStream, LAST_EVENT_ID, event_response, padding};
use crate::transport::connection::{Connection, NotTaken};
use crate::transport::downlink::Downlink;
use crate::transport::driver;
use crate::transport::key::Key;
use crate::transport::outbound::EventTransport;
use crate::transport::settings::TransportSettings;
use crate::transport::uplink;

/// How long a posted message may take to arrive.
const POST_TIME: Duration = Duration::from_secs(10);

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

struct Shared {
    resolver: Arc<SharedResolver>,
    hub: Hub,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    connections: HashMap<u64, Arc<Connection>>,
    last: u64,
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
            shared: Arc::new(Shared {
                resolver: Arc::new(SharedResolver::new(resolver)),
                hub: hub.clone(),
                open: Mutex::default(),
            }),
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

/// One request.
struct Transporting {
    shared: Arc<Shared>,
    settings: TransportSettings,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    Stream,
    Post,
    Close,
    /// A browser asks whether a page of another origin may post.
    Preflight,
}

impl Transporting {
    /// Returns the response, or the request if it is not for the sockets.
    async fn respond<B>(self, request: Request<B>) -> Result<Response<Body>, Request<B>>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let Some(asks) = asks(&request) else {
            return Err(request);
        };
        let Some(background) = self.shared.hub.background() else {
            tracing::error!("event streams need a server that serves their hub");
            return Ok(empty(StatusCode::INTERNAL_SERVER_ERROR));
        };
        let (parts, body) = request.into_parts();
        let request = UpgradeRequest::new(parts.clone())
            .with_remote_addr(parts.extensions.get::<SocketAddr>().copied());
        let hub = self.shared.hub.clone();
        let claim = hub.claim(&self.shared.resolver, request);
        let limit = hub.limits().upgrade_timeout;
        let claim = match within(&background, limit, claim).await {
            Some(Ok(claim)) => claim,
            Some(Err(ClaimError::NotHandled(_))) => return Err(Request::from_parts(parts, body)),
            // The resolver speaks about streams; what else has this path is the pages' own.
            Some(Err(_)) if asks != Asks::Stream => return Err(Request::from_parts(parts, body)),
            Some(Err(other)) => return Ok(refusal(other)),
            None => return Ok(rejected(hub.upgrade_timed_out())),
        };
        let settings = Arc::clone(claim.settings());
        let admits = settings.origin.admits(claim.request());
        let response = match asks {
            Asks::Stream => match self.stream(claim, &parts, &background).await {
                Some(response) => response,
                None => return Err(Request::from_parts(parts, body)),
            },
            _ if !admits => empty(StatusCode::FORBIDDEN),
            Asks::Preflight => {
                let mut response = empty(StatusCode::NO_CONTENT);
                for (name, value) in [
                    (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE"),
                    (ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"),
                ] {
                    let value = HeaderValue::from_static(value);
                    response.headers_mut().insert(name, value);
                }
                response
            }
            Asks::Post => {
                let posted = self.post(&parts, body);
                match within(&background, POST_TIME, posted).await {
                    Some(status) => empty(status),
                    None => empty(StatusCode::REQUEST_TIMEOUT),
                }
            }
            Asks::Close => match self.shared.of(&parts) {
                Some(connection) if connection.close_by_client() => empty(StatusCode::NO_CONTENT),
                _ => empty(StatusCode::UNAUTHORIZED),
            },
        };
        Ok(share(response, &parts, admits))
    }

    /// Opens a connection's stream, or takes one up again. `None` if the hook passes the request on.
    async fn stream(
        &self,
        claim: Claim<SharedHooks>,
        parts: &Parts,
        background: &Arc<dyn Background>,
    ) -> Option<Response<Body>> {
        let origin_admits = claim.settings().origin.admits(claim.request());
        if origin_admits && let Some((connection, stream, events)) = self.resumed(parts) {
            let downlink = self.downlink(connection, stream, events, background);
            return Some(event_response(Body::new(downlink)));
        }
        let hub = claim.hub().clone();
        let deadline = claim.deadline();
        let accepted = match within(background, deadline, claim.upgrade()).await {
            Some(Ok(accepted)) => accepted,
            Some(Err(ClaimError::NotHandled(_))) => return None,
            Some(Err(other)) => return Some(refusal(other)),
            None => return Some(rejected(hub.upgrade_timed_out())),
        };
        let headers = accepted.headers().clone();
        let id = accepted.id();
        let path = parts.uri.path();
        let settings = Arc::clone(accepted.settings());
        let opened = self
            .shared
            .open(path, settings, background, self.settings.retained);
        let connection = match opened {
            Ok(connection) => connection,
            // The system's random source fails: there is no secret.
            Err(error) => return Some(rejected(Rejection::internal(error))),
        };
        let listed = Listed {
            shared: Arc::clone(&self.shared),
            connection: Arc::clone(&connection),
        };
        let joined = match accepted.join(EventTransport(Arc::clone(&connection))) {
            Ok(joined) => joined,
            Err(_) => return Some(rejected(Rejection::unavailable("not now"))),
        };
        let open = json!({
            "id": id.to_string(),
            "secret": connection.secret.to_string(),
            "url": path,
        });
        let open = Event::new(open.to_string()).event("open");
        let first = open.id(connection.first_id()).encode().ok();
        let (stream, _) = connection.attach(0)?;
        let downlink = self.downlink(Arc::clone(&connection), stream, first, background);
        let (grace, lent) = (self.settings.grace, Arc::clone(background));
        background.spawn(Box::pin(async move {
            let listed = listed;
            driver::run(joined, Arc::clone(&listed.connection), lent, grace).await;
        }));
        let mut response = event_response(Body::new(downlink));
        response.headers_mut().extend(headers);
        Some(response)
    }

    /// Returns the connection that a client takes up again, and what it has missed.
    fn resumed(&self, parts: &Parts) -> Option<(Arc<Connection>, u64, Vec<Bytes>)> {
        let last = parts.headers.get(LAST_EVENT_ID)?.to_str().ok()?;
        let (key, last) = last.rsplit_once('.')?;
        let (key, last) = (Key::<16>::parse(key)?, last.parse().ok()?);
        let connection = self.shared.get(key.serial)?;
        if !connection.resume.matches(&key) || connection.path != parts.uri.path() {
            return None;
        }
        match connection.attach(last) {
            Some((stream, events)) => Some((connection, stream, events)),
            None => {
                // The client gets a new connection, and this one has no client left.
                connection.terminate();
                None
            }
        }
    }

    fn downlink(
        &self,
        connection: Arc<Connection>,
        stream: u64,
        events: impl IntoIterator<Item = Bytes>,
        background: &Arc<dyn Background>,
    ) -> Downlink {
        let mut start = BytesMut::new();
        padding(&mut start, self.settings.padding, self.settings.retry);
        let start = (!start.is_empty()).then(|| start.freeze());
        let first: VecDeque<_> = start.into_iter().chain(events).collect();
        Downlink {
            connection,
            stream,
            first,
            keep_alive: KeepAlive::new(Arc::clone(background), Some(self.settings.keep_alive)),
            background: Arc::clone(background),
            is_over: false,
        }
    }

    /// Takes a message from the client.
    async fn post<B>(&self, parts: &Parts, body: B) -> StatusCode
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let Some(connection) = self.shared.of(parts) else {
            return StatusCode::UNAUTHORIZED;
        };
        let most = connection.settings.limits.max_message_size.get();
        let message = match uplink::read(body, most).await {
            Ok(body) => uplink::message(&parts.headers, body),
            Err(status) => return status,
        };
        match message {
            Ok(message) => match connection.receive(message).await {
                Ok(()) => StatusCode::NO_CONTENT,
                Err(NotTaken::Over) => StatusCode::UNAUTHORIZED,
                Err(NotTaken::Busy) => StatusCode::TOO_MANY_REQUESTS,
            },
            Err(status) => status,
        }
    }
}

impl Shared {
    fn open(
        &self,
        path: &str,
        settings: Arc<crossws_core::Settings>,
        background: &Arc<dyn Background>,
        retained: usize,
    ) -> Result<Arc<Connection>, getrandom::Error> {
        let serial = {
            let mut open = self.lock();
            open.last += 1;
            open.last
        };
        let keys = (Key::random(serial)?, Key::random(serial)?);
        let connection = Connection::new(keys, path.to_owned(), settings, background, retained);
        let connection = Arc::new(connection);
        let listed = Arc::clone(&connection);
        self.lock().connections.insert(serial, listed);
        Ok(connection)
    }

    fn get(&self, serial: u64) -> Option<Arc<Connection>> {
        self.lock().connections.get(&serial).cloned()
    }

    /// Returns the connection whose secret a request has, for the connection's own path.
    fn of(&self, parts: &Parts) -> Option<Arc<Connection>> {
        let secret = uplink::secret(&parts.headers)?;
        let connection = self.get(secret.serial)?;
        let is_its_own = connection.secret.matches(&secret) && connection.path == parts.uri.path();
        is_its_own.then_some(connection)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place in the list, until its last hook has ended.
struct Listed {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.connection.end();
        let serial = self.connection.secret.serial;
        let removed = self.shared.lock().connections.remove(&serial);
        drop(removed);
    }
}

/// Returns what a request asks of the sockets, if it may be for them.
fn asks<B>(request: &Request<B>) -> Option<Asks> {
    let headers = request.headers();
    match *request.method() {
        Method::GET if !headers.contains_key(UPGRADE) => {
            let accepts = headers.get_all(ACCEPT).iter().any(|accept| {
                let accept = accept.to_str().unwrap_or_default();
                accept
                    .split(',')
                    .any(|kind| kind.trim().split(';').next() == Some("text/event-stream"))
            });
            accepts.then_some(Asks::Stream)
        }
        Method::POST => Some(Asks::Post),
        Method::DELETE => Some(Asks::Close),
        Method::OPTIONS if headers.contains_key(ORIGIN) => Some(Asks::Preflight),
        _ => None,
    }
}

/// Lets the page of an admitted origin read the response.
fn share(mut response: Response<Body>, parts: &Parts, admits: bool) -> Response<Body> {
    if admits && let Some(origin) = parts.headers.get(ORIGIN) {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
    response
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    if status == StatusCode::TOO_MANY_REQUESTS {
        let second = HeaderValue::from_static("1");
        response.headers_mut().insert(RETRY_AFTER, second);
    }
    response
}

fn refusal(error: ClaimError) -> Response<Body> {
    match error {
        ClaimError::Rejected(rejection) => rejected(rejection),
        _ => empty(StatusCode::NOT_FOUND),
    }
}

fn rejected(rejection: Rejection) -> Response<Body> {
    rejection.into_response().map(Body::from)
}

/// Runs a future for at most this time.
async fn within<F: Future>(
    background: &Arc<dyn Background>,
    time: Duration,
    future: F,
) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut timer = None;
    std::future::poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        let timer = timer.get_or_insert_with(|| background.sleep(time));
        timer.as_mut().poll(cx).map(|()| None)
    })
    .await
}

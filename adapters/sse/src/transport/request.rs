//! One request of a client: its stream, a message, or its close.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use crossws_core::adapter::{Background, Claim, ClaimError, OriginalTarget, Unfinished};
use crossws_core::{
    Body, BoxError, CloseCode, ConnectionInfo, Rejection, SharedHooks, UpgradeRequest,
};
use crossws_proto::frame::Violation;
use crossws_proto::outbox::Framing;
use http::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ORIGIN, RETRY_AFTER, UPGRADE, VARY,
};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::json;

use crate::format::event::Event;
use crate::keep_alive::KeepAlive;
use crate::stream::{LAST_EVENT_ID, event_response, start};
use crate::transport::connection::Connection;
use crate::transport::downlink::Downlink;
use crate::transport::driver;
use crate::transport::frame::EventFrame;
use crate::transport::key::Key;
use crate::transport::outbound::EventTransport;
use crate::transport::settings::TransportSettings;
use crate::transport::shared::{Listed, Shared};
use crate::transport::uplink;

/// How long a posted message may take to arrive.
const POST_TIME: Duration = Duration::from_secs(10);

/// One request.
pub(crate) struct Transporting {
    pub(crate) shared: Arc<Shared>,
    pub(crate) settings: TransportSettings,
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
    pub(crate) async fn respond<B>(self, request: Request<B>) -> Result<Response<Body>, Request<B>>
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
        let (routed, body) = request.into_parts();
        let mut parts = routed.clone();
        // As for a WebSocket: a router before this service may have stripped a prefix, and the paths
        // of two routers would be one namespace.
        if let Some(target) = routed.extensions.get() {
            parts.uri = OriginalTarget::get(target).clone();
        }
        let info = ConnectionInfo::of(&parts.extensions);
        let request = UpgradeRequest::new(parts.clone()).with_connection(info);
        let hub = self.shared.hub.clone();
        let claim = hub.claim(&self.shared.resolver, request);
        let limit = hub.limits().upgrade_timeout;
        let claim = match within(&background, limit, claim).await {
            Some(Ok(claim)) => claim,
            Some(Err(ClaimError::NotHandled(_))) => return Err(Request::from_parts(routed, body)),
            // The resolver speaks about streams; what else has this path is the pages' own.
            Some(Err(_)) if asks != Asks::Stream => return Err(Request::from_parts(routed, body)),
            Some(Err(other)) => return Ok(refusal(other)),
            None => return Ok(rejected(hub.upgrade_timed_out())),
        };
        let settings = Arc::clone(claim.settings());
        let admits = settings.origin.admits(claim.request());
        let response = match asks {
            Asks::Stream => match self.stream(claim, &parts, &background).await {
                Some(response) => response,
                None => return Err(Request::from_parts(routed, body)),
            },
            _ if !admits => empty(StatusCode::FORBIDDEN),
            Asks::Preflight => {
                let mut response = empty(StatusCode::NO_CONTENT);
                for (name, value) in [
                    (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE"),
                    (
                        ACCESS_CONTROL_ALLOW_HEADERS,
                        "authorization, content-type, last-event-id",
                    ),
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
            Asks::Close => {
                let closed = self.close(&parts, body);
                match within(&background, POST_TIME, closed).await {
                    Some(status) => empty(status),
                    None => empty(StatusCode::REQUEST_TIMEOUT),
                }
            }
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
        if origin_admits && let Some(resumed) = self.resumed(parts, background) {
            return Some(event_response(Body::new(resumed)));
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
        let listed = Listed::new(&self.shared, &connection);
        let open = json!({
            "id": id.to_string(),
            "secret": connection.secret.to_string(),
            "url": path,
        });
        let open = Event::new(open.to_string()).event("open");
        let first = open.id(connection.first_id()).encode().ok();
        let joined = match accepted.join(EventTransport(Arc::clone(&connection))) {
            Ok(joined) => joined,
            Err(frame) => {
                // As on a socket: it is open, and closes.
                let mut events = BytesMut::from(&*first.unwrap_or_default());
                EventFrame::put_close(&mut events, Some(&frame));
                return Some(event_response(Body::from(events.freeze())));
            }
        };
        let Some((stream, _)) = connection.attach(0) else {
            // Terminated meanwhile.
            return Some(rejected(Rejection::unavailable("not now")));
        };
        let downlink = self.downlink(Arc::clone(&connection), stream, None, first, background);
        let (grace, lent) = (self.settings.grace, Arc::clone(background));
        background.spawn(Box::pin(async move {
            let listed = listed;
            driver::run(joined, Arc::clone(&listed.connection), lent, grace).await;
        }));
        let mut response = event_response(Body::new(downlink));
        response.headers_mut().extend(headers);
        Some(response)
    }

    /// Takes up the connection of a client that comes back, with what it has missed.
    fn resumed(&self, parts: &Parts, background: &Arc<dyn Background>) -> Option<Downlink> {
        let id = parts.headers.get(LAST_EVENT_ID)?.to_str().ok()?;
        let (key, last) = id.rsplit_once('.')?;
        let (key, last) = (Key::<16>::parse(key)?, last.parse().ok()?);
        let connection = self.shared.get(key.serial)?;
        if !connection.resume.matches(&key) || connection.path != parts.uri.path() {
            return None;
        }
        match connection.attach(last) {
            Some((stream, events)) => {
                Some(self.downlink(connection, stream, Some(id), events, background))
            }
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
        last_event_id: Option<&str>,
        events: impl IntoIterator<Item = Bytes>,
        background: &Arc<dyn Background>,
    ) -> Downlink {
        let start = start(last_event_id, self.settings.padding, self.settings.retry);
        let start = Some(start).filter(|start| !start.is_empty());
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

    /// Closes a connection for its client.
    async fn close<B>(&self, parts: &Parts, body: B) -> StatusCode
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let Some(connection) = self.shared.of(parts) else {
            return StatusCode::UNAUTHORIZED;
        };
        let mut unfinished = Unfinished::new(self.shared.hub.clone());
        let body = uplink::read(body, uplink::MOST_CLOSE, &mut unfinished).await;
        match body.and_then(|body| uplink::close(&body)) {
            Ok(frame) => match connection.close_by_client(frame) {
                true => StatusCode::NO_CONTENT,
                false => StatusCode::UNAUTHORIZED,
            },
            Err(status) => status,
        }
    }

    /// Takes a message from the client. One that breaks a rule ends the connection, as it does on a
    /// WebSocket.
    async fn post<B>(&self, parts: &Parts, body: B) -> StatusCode
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let Some(connection) = self.shared.of(parts) else {
            return StatusCode::UNAUTHORIZED;
        };
        // Before its body takes memory.
        let Some(post) = connection.begin_post() else {
            return StatusCode::TOO_MANY_REQUESTS;
        };
        let most = connection.settings.limits.max_message_size.get();
        // Until the message is queued.
        let mut unfinished = Unfinished::new(self.shared.hub.clone());
        let body = uplink::read(body, most, &mut unfinished).await;
        let message = match &body {
            Ok(body) => uplink::message(&parts.headers, body),
            Err(StatusCode::PAYLOAD_TOO_LARGE) => Err(Violation::new(
                CloseCode::TOO_BIG,
                "a message is larger than the limit",
            )),
            Err(status) => return *status,
        };
        match message {
            Ok(message) => match post.receive(message).await {
                true => StatusCode::NO_CONTENT,
                false => StatusCode::UNAUTHORIZED,
            },
            Err(violation) => {
                connection.violated(violation);
                body.err().unwrap_or(StatusCode::BAD_REQUEST)
            }
        }
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

pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    if matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    ) {
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

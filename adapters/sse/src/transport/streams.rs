use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use crossws_core::adapter::{Accepted, Background, OpeningPeer, Snapshot, Unfinished, within};
use crossws_core::{
    BoxError, Capabilities, CloseFrame, Hooks, Hub, MaybeSend, PeerId, Rejection, Resolve, Settings,
};
use crossws_proto::frame::Violation;
use crossws_proto::outbox::Framing;
use http::header::HeaderMap;
use http::request::Parts;
use http::{Response, StatusCode};
use serde_json::json;

use crate::format::event::Event;
use crate::keep_alive::KeepAlive;
use crate::stream::{event_response, start};
use crate::transport::body::SocketBody;
use crate::transport::connection::{Connection, reference};
use crate::transport::downlink::Downlink;
use crate::transport::frame::EventFrame;
use crate::transport::list::{AFTER_PLACE, List};
use crate::transport::outbound::EventTransport;
use crate::transport::place::Place;
use crate::transport::pump;
use crate::transport::request::{empty, rejected};
use crate::transport::retained::event_id;
use crate::transport::settings::StreamSettings;
use crate::transport::uplink;

/// How long a posted message may take to arrive.
const POST_TIME: Duration = Duration::from_secs(10);

/// The open connections of a hub that are event streams and posts. For adapters of platforms on which the
/// requests of one client arrive elsewhere; [`EventSockets`](crate::EventSockets) contains one.
///
/// A client's requests name the connection by a secret, and the place by the text before it, which
/// [`of_secret`](Self::of_secret) and [`of_event`](Self::of_event) find.
#[derive(Clone)]
pub struct Streams {
    pub(super) settings: StreamSettings,
    list: Arc<List>,
}

/// Why there is no peer.
enum NotJoined {
    Rejected(Rejection),
    Closed(CloseFrame),
}

impl Streams {
    /// Creates an empty list for a hub's connections, of [these](crate::CAPABILITIES) capabilities.
    pub fn new(hub: &Hub, settings: StreamSettings) -> Self {
        Self {
            settings,
            list: List::new(hub, String::new(), crate::CAPABILITIES),
        }
    }

    /// As [`new`](Self::new), for one place of several, which this name identifies: its clients send it
    /// back. It may have the characters of hexadecimal numbers.
    pub fn in_place(
        hub: &Hub,
        settings: StreamSettings,
        capabilities: Capabilities,
        name: &str,
    ) -> Self {
        Self {
            settings,
            list: List::new(hub, format!("{name}{AFTER_PLACE}"), capabilities),
        }
    }

    /// Returns the name of the place whose secret a request has.
    pub fn of_secret(headers: &HeaderMap) -> Option<&str> {
        Some(uplink::token(headers)?.split_once(AFTER_PLACE)?.0)
    }

    /// Returns the name of the place of the last event that a client has read.
    pub fn of_event(headers: &HeaderMap) -> Option<&str> {
        Some(uplink::last_event_id(headers)?.split_once(AFTER_PLACE)?.0)
    }

    /// Returns the hub.
    pub fn hub(&self) -> &Hub {
        &self.list.hub
    }

    /// Opens the connection of an upgrade that was accepted elsewhere: see [`Hub::admit`].
    pub async fn admit<R: Resolve>(
        &self,
        snapshot: &Snapshot,
        resolver: &Arc<R>,
    ) -> Response<SocketBody> {
        let hub = self.hub();
        let settings = snapshot.settings(hub.settings());
        let path = snapshot.target().split('?').next().unwrap_or_default();
        let join = async |transport| {
            let seat = hub.admit(snapshot, transport);
            let seat = seat.map_err(NotJoined::Rejected)?;
            match seat.expired() {
                Some(frame) => Err(NotJoined::Closed(frame)),
                None => seat.claim(resolver).await.map_err(NotJoined::Closed),
            }
        };
        self.begin(snapshot.id(), path, settings, join).await
    }

    /// Opens a connection for a peer that joins, and returns its stream.
    async fn begin<H: Hooks + ?Sized>(
        &self,
        id: PeerId,
        path: &str,
        settings: Arc<Settings>,
        join: impl AsyncFnOnce(EventTransport) -> Result<OpeningPeer<H>, NotJoined>,
    ) -> Response<SocketBody> {
        let Some(background) = self.hub().background() else {
            return empty(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let retained = self.settings.retained;
        let listed = self.list.add(|keys, resume_text| {
            Connection::new(keys, resume_text, path, settings, &background, retained)
        });
        let listed = match listed {
            Ok(listed) => listed,
            // The system's random source fails: there is no secret.
            Err(error) => return rejected(Rejection::internal(error)),
        };
        let connection = Arc::clone(&listed.connection);
        let open = json!({
            "id": id.to_string(),
            "secret": self.list.text(&connection.secret),
            "url": reference(path),
        });
        let open = Event::new(open.to_string()).event("open");
        let id = event_id(&self.list.text(&connection.resume), 0);
        let first = open.id(id).encode().ok();
        let transport = EventTransport {
            connection: Arc::clone(&connection),
            background: Arc::clone(&background),
            capabilities: self.list.capabilities,
        };
        let joined = match join(transport).await {
            Ok(joined) => joined,
            Err(NotJoined::Rejected(rejection)) => return rejected(rejection),
            Err(NotJoined::Closed(frame)) => {
                // As on a socket: it is open, and closes.
                let mut events = BytesMut::from(&*first.unwrap_or_default());
                EventFrame::put_close(&mut events, Some(&frame));
                return event_response(SocketBody::from(events.freeze()));
            }
        };
        let Some((stream, _)) = connection.attach(0) else {
            // Terminated meanwhile.
            return rejected(Rejection::unavailable("not now"));
        };
        let downlink = self.downlink(connection, stream, None, first, &background);
        let (grace, lent) = (self.settings.grace, Arc::clone(&background));
        background.spawn(Box::pin(async move {
            let listed = listed;
            pump::run(joined, Arc::clone(&listed.connection), lent, grace).await;
        }));
        event_response(SocketBody::from(downlink))
    }

    fn downlink(
        &self,
        connection: Arc<Connection>,
        stream: u64,
        last_event_id: Option<&str>,
        events: impl IntoIterator<Item = Bytes>,
        background: &Arc<dyn Background>,
    ) -> Downlink {
        let settings = &self.settings;
        let start = start(last_event_id, settings.padding, settings.retry);
        let start = Some(start).filter(|start| !start.is_empty());
        Downlink {
            connection,
            stream,
            first: start.into_iter().chain(events).collect(),
            keep_alive: KeepAlive::new(Arc::clone(background), Some(settings.keep_alive)),
            is_over: false,
        }
    }

    fn try_resume(&self, parts: &Parts) -> Option<Downlink> {
        let id = uplink::last_event_id(&parts.headers)?;
        let (key, last) = id.rsplit_once('.')?;
        let (key, last) = (self.list.key(key)?, last.parse().ok()?);
        let connection = self.list.get(key.serial)?;
        if !connection.resume.matches(&key) || !connection.is_at(parts.uri.path()) {
            return None;
        }
        match connection.attach(last) {
            Some((stream, events)) => {
                let background = self.hub().background()?;
                Some(self.downlink(connection, stream, Some(id), events, &background))
            }
            None => {
                // The client gets a new connection, and this one has no client left.
                connection.terminate();
                None
            }
        }
    }

    /// Returns the connection whose secret a request has, for the connection's own path.
    fn of(&self, parts: &Parts) -> Option<Arc<Connection>> {
        let secret = self.list.key(uplink::token(&parts.headers)?)?;
        let connection = self.list.get(secret.serial)?;
        let is_its_own = connection.secret.matches(&secret) && connection.is_at(parts.uri.path());
        is_its_own.then_some(connection)
    }

    /// Queues a message. One that breaks a rule ends the connection, as it does on a WebSocket.
    async fn receive<B>(&self, parts: &Parts, body: B) -> StatusCode
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let Some(connection) = self.of(parts) else {
            return StatusCode::UNAUTHORIZED;
        };
        // Before its body takes memory.
        let Some(post) = connection.begin_post() else {
            return StatusCode::TOO_MANY_REQUESTS;
        };
        let most = connection.settings.limits.max_message_size.get();
        // Until the message is queued.
        let mut unfinished = Unfinished::new(self.hub().clone());
        let body = uplink::read(body, most, &mut unfinished).await;
        let message = match &body {
            Ok(body) => uplink::message(&parts.headers, body),
            Err(StatusCode::PAYLOAD_TOO_LARGE) => Err(Violation::message_too_big()),
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

    async fn end<B>(&self, parts: &Parts, body: B) -> StatusCode
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let Some(connection) = self.of(parts) else {
            return StatusCode::UNAUTHORIZED;
        };
        let mut unfinished = Unfinished::new(self.hub().clone());
        let body = uplink::read(body, uplink::MOST_CLOSE, &mut unfinished).await;
        match body.and_then(|body| uplink::close(&body)) {
            Ok(frame) => match connection.close_by_client(frame) {
                true => StatusCode::NO_CONTENT,
                false => StatusCode::UNAUTHORIZED,
            },
            Err(status) => status,
        }
    }

    /// Responds in time to a request with a body.
    async fn in_time(&self, status: impl Future<Output = StatusCode>) -> StatusCode {
        let Some(background) = self.hub().background() else {
            return StatusCode::INTERNAL_SERVER_ERROR;
        };
        let status = within(&*background, POST_TIME, status).await;
        status.unwrap_or(StatusCode::REQUEST_TIMEOUT)
    }
}

impl<B> Place<B> for Streams
where
    B: http_body::Body<Data = Bytes> + MaybeSend,
    B::Error: Into<BoxError>,
{
    type Body = SocketBody;

    async fn open<H: Hooks + ?Sized>(
        &self,
        accepted: Accepted<H>,
        request: &Parts,
    ) -> Response<SocketBody> {
        let (id, settings) = (accepted.id(), Arc::clone(accepted.settings()));
        let join = async |transport| accepted.join(transport).map_err(NotJoined::Closed);
        self.begin(id, request.uri.path(), settings, join).await
    }

    async fn resume(&self, request: &Parts) -> Option<Response<SocketBody>> {
        let downlink = self.try_resume(request)?;
        Some(event_response(SocketBody::from(downlink)))
    }

    async fn post(&self, request: &Parts, body: B) -> StatusCode {
        self.in_time(self.receive(request, body)).await
    }

    async fn close(&self, request: &Parts, body: B) -> StatusCode {
        self.in_time(self.end(request, body)).await
    }
}

crossws_core::opaque_debug!([] Streams, self => settings: self.settings);

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use crossws_core::adapter::Background;
use crossws_core::{BoxError, BoxFuture, Hub, MaybeSend};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response};

use crate::body::EventBody;
use crate::error::NotServed;
use crate::events::Events;
use crate::format::event::Event;
use crate::keep_alive::KeepAlive;
use crate::queue::Queue;

/// The header in which a client that reconnects sends the last id that it has read.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Tells nginx, and proxies that copy it, not to collect the response before passing it on.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The response of an event stream: see [`EventStream`]. axum, hyper and every tower service return it as
/// it is.
pub type EventResponse = Response<EventBody>;

/// An event stream that is about to begin: an HTTP handler's response of
/// [server-sent events](https://html.spec.whatwg.org/multipage/server-sent-events.html).
///
/// ```
/// use std::time::Duration;
/// use crossws_sse::{Event, EventResponse, EventStream};
///
/// // In axum, with the feature `axum`, it is an extractor: `get(ticks)`.
/// async fn ticks(events: EventStream) -> EventResponse {
///     events.run(|events| async move {
///         for n in 0.. {
///             events.push(Event::json(n)?.id(n)).await?; // waits for room
///             events.sleep(Duration::from_secs(1)).await;
///         }
///         Ok(())
///     })
/// }
/// ```
///
/// The stream ends, and its function is dropped, when the client goes or the application
/// [shuts down](Hub::shutdown). Silent streams carry a comment every 15 s.
///
/// `HEAD` requests, and clients that accept no event streams, are the handler's to refuse.
pub struct EventStream {
    background: Arc<dyn Background>,
    stopping: Option<BoxFuture<'static, ()>>,
    last_event_id: Option<Box<str>>,
    retry: Option<Duration>,
    keep_alive: Option<Duration>,
    buffer: usize,
    padding: usize,
}

impl EventStream {
    /// The time of a stream without events, after which it carries a comment, by default: 15 s. Proxies
    /// drop connections that are silent for 30 to 60 s.
    pub const KEEP_ALIVE: Duration = Duration::from_secs(15);

    /// The most bytes that wait for the client by default: 64 KiB.
    pub const BUFFER: usize = 64 << 10;

    /// Creates the stream for a request that a server of this project has received: its extensions
    /// contain the [`Hub`].
    ///
    /// # Errors
    /// [`NotServed`] in a foreign server that has no such layer.
    pub fn of<B>(request: &Request<B>) -> Result<Self, NotServed> {
        Self::from_parts(request.headers(), request.extensions())
    }

    pub(crate) fn from_parts(
        headers: &HeaderMap,
        extensions: &http::Extensions,
    ) -> Result<Self, NotServed> {
        // A hub is no extension where it belongs to one thread, as on Workers.
        #[cfg(not(target_arch = "wasm32"))]
        let hub = extensions.get::<Hub>();
        #[cfg(target_arch = "wasm32")]
        let hub: Option<&Hub> = {
            let _ = extensions;
            None
        };
        let stream = Self::new(hub.ok_or(NotServed::NoHub)?)?;
        Ok(stream.with_headers(headers))
    }

    /// Creates the stream with the clock of a hub, whose shutdown ends it.
    ///
    /// # Errors
    /// [`NotServed::NoClock`] if no server serves the hub yet.
    pub fn new(hub: &Hub) -> Result<Self, NotServed> {
        let mut stream = Self::on(hub.background().ok_or(NotServed::NoClock)?);
        stream.stopping = Some(Box::pin(hub.stopping()));
        Ok(stream)
    }

    /// Creates the stream with a clock, without a hub: for platforms on which a hub belongs to one
    /// request, as on Workers.
    pub fn on(background: Arc<dyn Background>) -> Self {
        Self {
            background,
            stopping: None,
            last_event_id: None,
            retry: None,
            keep_alive: Some(Self::KEEP_ALIVE),
            buffer: Self::BUFFER,
            padding: 0,
        }
    }

    /// Reads what the client's headers say about the stream: its `Last-Event-ID`.
    #[must_use]
    pub fn with_headers(self, headers: &HeaderMap) -> Self {
        let id = headers.get(LAST_EVENT_ID).map(HeaderValue::as_bytes);
        // Clients send it as UTF-8, which `HeaderValue::to_str` refuses.
        let id = id.and_then(|id| std::str::from_utf8(id).ok());
        self.with_last_event_id(id.unwrap_or_default())
    }

    /// Sets the last id, for a platform whose requests have no such headers.
    #[must_use]
    pub fn with_last_event_id(mut self, id: &str) -> Self {
        self.last_event_id = Some(id).filter(|id| !id.is_empty()).map(Box::from);
        self
    }

    /// Returns the id of the last event that the client has read, if it reconnects. `None` for a
    /// value that is not UTF-8. The client chooses it.
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref()
    }

    /// Sets how long the client waits before it reconnects. By default the client decides; browsers
    /// take a few seconds.
    #[must_use]
    pub fn retry(mut self, retry: Duration) -> Self {
        self.retry = Some(retry);
        self
    }

    /// Sets the time of a stream without events, after which it carries a comment. Default
    /// [`KEEP_ALIVE`](Self::KEEP_ALIVE); zero means the default too. A server notices a client that
    /// has silently gone only when it writes.
    #[must_use]
    pub fn keep_alive(mut self, every: Duration) -> Self {
        let every = Some(every).filter(|every| !every.is_zero());
        self.keep_alive = every.or(Some(Self::KEEP_ALIVE));
        self
    }

    /// Sends no comments. A client that has silently gone then keeps its stream for as long as there
    /// are no events.
    #[must_use]
    pub fn no_keep_alive(mut self) -> Self {
        self.keep_alive = None;
        self
    }

    /// Sets the most bytes that wait for the client before [`push`](Events::push) waits. Default
    /// [`BUFFER`](Self::BUFFER). What the server and the operating system hold comes on top.
    #[must_use]
    pub fn buffer(mut self, bytes: usize) -> Self {
        self.buffer = bytes;
        self
    }

    /// Begins the stream with a comment of this many bytes, for clients and proxies that collect the
    /// first bytes of a response: 2 KiB reach old polyfills. Default none.
    #[must_use]
    pub fn padding(mut self, bytes: usize) -> Self {
        self.padding = bytes;
        self
    }

    /// Returns the response, whose events the function pushes. The server runs the function while it
    /// writes the response, and asks for more only when the client takes it: while a slow client has
    /// more than [`buffer`](Self::buffer) waiting, the function stands still.
    ///
    /// The stream ends with the function. Its error ends the response early, as a lost connection
    /// would, so that the client does not take it for complete.
    ///
    /// The function is dropped when the client goes: what it holds is its cleanup.
    pub fn run<F, Fut>(self, function: F) -> EventResponse
    where
        F: FnOnce(Events) -> Fut,
        Fut: Future<Output = Result<(), BoxError>> + MaybeSend + 'static,
    {
        let (events, mut response) = self.open();
        let function = function(events.clone());
        response.body_mut().run(events, function);
        response
    }

    /// Returns the response, and a handle for code that runs elsewhere: a task, a hook of a
    /// WebSocket, a subscription. The stream ends when the last handle is dropped.
    pub fn open(self) -> (Events, EventResponse) {
        let queue = Queue::new(self.buffer);
        let start = start(self.last_event_id(), self.padding, self.retry);
        if !start.is_empty() {
            // An empty queue takes everything.
            let _ = queue.append(&start);
        }
        let keep_alive = KeepAlive::new(Arc::clone(&self.background), self.keep_alive);
        let body = EventBody::new(Arc::clone(&queue), self.stopping, keep_alive);
        let events = Events::new(queue, self.background, self.last_event_id);
        (events, event_response(body))
    }
}

/// Returns a response with the headers of an event stream.
pub(crate) fn event_response<B>(body: B) -> Response<B> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/event-stream"),
        // A proxy that transforms, such as by compressing, would collect.
        (CACHE_CONTROL, "no-store, no-transform"),
        (ACCEL_BUFFERING, "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Returns what begins a stream: the last id that the client has read, a long comment, and the client's
/// time to reconnect.
///
/// By the standard, a client forgets the last id at the first empty line of a stream that has not named
/// one, such as a comment's. If the stream were cut then, the client could not resume.
pub(crate) fn start(last_event_id: Option<&str>, padding: usize, retry: Option<Duration>) -> Bytes {
    let mut start = BytesMut::new();
    let mut put = |event: Event| {
        // An id that cannot be sent was not sent before either.
        if let Ok(event) = event.encode() {
            start.extend_from_slice(&event);
        }
    };
    if let Some(id) = last_event_id {
        put(Event::default().id(id));
    }
    if let Some(retry) = retry {
        put(Event::default().retry(retry));
    }
    if padding > 0 {
        start.extend_from_slice(b":");
        start.resize(start.len() + padding - 1, b' ');
        start.extend_from_slice(b"\n\n");
    }
    start.freeze()
}

crossws_core::opaque_debug!([] EventStream, self =>
    last_event_id: self.last_event_id, retry: self.retry, keep_alive: self.keep_alive,
    buffer: self.buffer, padding: self.padding);

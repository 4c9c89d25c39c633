//! The events and spans with fixed names that a hub emits with `tracing`.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tracing::field::{Empty, Value, debug, display};
use tracing::level_filters::LevelFilter;
use tracing::span::Id;
use tracing::{Level, Span};

use super::observer::{Audience, Disconnected, Emitted, Rejected, Responded};
use super::telling::Untold;
use super::watch::Watch;
use crate::bounds::{MaybeSend, MaybeSync};
use crate::error::{Error, ErrorKind};
use crate::hooks::notice::{DropCause, Dropped};
use crate::message::Message;
use crate::peer::Peer;

/// The target of all events and spans.
pub(crate) const TARGET: &str = "crossws";

/// The level of the events that are not errors, if a hub has no [`Trace`].
const QUIET: Level = Level::DEBUG;

#[cfg(not(target_arch = "wasm32"))]
type Redact = dyn Fn(&Message) -> String + Send + Sync;
#[cfg(target_arch = "wasm32")]
type Redact = dyn Fn(&Message) -> String;

/// The logging of a hub with `tracing`: HTTP and sockets alike, at one level. A [`Level`] converts
/// into it.
///
/// Without it a hub logs connections at `DEBUG`, and neither messages nor HTTP requests. The events and
/// their fields are listed in the guide to operations. No event shows a header, a query, or a message.
///
/// ```
/// use crossws_core::{Hub, Level, Trace};
///
/// let hub = Hub::builder().trace(Level::INFO).build();
/// let hub = Hub::builder().trace(Trace::new(Level::INFO).preview(64)).build();
/// ```
#[derive(Clone)]
#[must_use = "nothing is logged until a hub is built with it"]
pub struct Trace {
    level: Level,
    messages: bool,
    deliveries: bool,
    preview: usize,
    redact: Option<Arc<Redact>>,
}

impl Trace {
    /// Logs connections, messages and HTTP requests at this level, and failures at their own level
    /// if that is higher. Creates a span for each connection and each message.
    pub const fn new(level: Level) -> Self {
        Self {
            level,
            messages: true,
            deliveries: false,
            preview: 0,
            redact: None,
        }
    }

    /// Sets whether messages are logged and have spans. Default true.
    pub const fn messages(mut self, messages: bool) -> Self {
        self.messages = messages;
        self
    }

    /// Creates a span `deliver` for each recipient of a publication, which follows from the span
    /// `publish`: in OpenTelemetry a span with a link. Off by default: a room of a thousand peers creates a thousand
    /// spans for each message.
    pub const fn deliveries(mut self, deliveries: bool) -> Self {
        self.deliveries = deliveries;
        self
    }

    /// Shows this many bytes of each message, at most. 0 by default: messages may hold secrets.
    pub const fn preview(mut self, bytes: usize) -> Self {
        self.preview = bytes;
        self
    }

    /// Shows the result of this function for each message, up to [`preview`](Self::preview) bytes.
    /// It is called only for messages that are logged. If it panics, the message is logged without
    /// a preview.
    pub fn redact(
        mut self,
        redact: impl Fn(&Message) -> String + MaybeSend + MaybeSync + 'static,
    ) -> Self {
        self.redact = Some(Arc::new(redact));
        self
    }

    /// Returns the level of messages; `None` if messages are not logged.
    pub(super) fn level_of_messages(&self) -> Option<Level> {
        self.messages.then_some(self.level)
    }

    /// Returns whether each recipient has a span.
    pub(super) fn says_deliveries(&self) -> bool {
        self.deliveries
    }

    fn preview_of(&self, message: &Message) -> Option<String> {
        if self.preview == 0 {
            return None;
        }
        let mut text = match &self.redact {
            // The application's own code, which must not end the connection.
            Some(redact) => catch_unwind(AssertUnwindSafe(|| redact(message))).ok()?,
            None => {
                // Cut to whole characters.
                let shown = message.as_bytes().get(..self.preview.saturating_add(4));
                String::from_utf8_lossy(shown.unwrap_or(message.as_bytes())).into_owned()
            }
        };
        text.truncate(text.floor_char_boundary(self.preview));
        Some(text)
    }
}

/// Returns whether a subscriber may want events of this level.
#[inline]
pub(super) fn is_on(level: Level) -> bool {
    level <= LevelFilter::current()
}

impl From<Level> for Trace {
    fn from(level: Level) -> Self {
        Self::new(level)
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("level", &self.level)
            .field("messages", &self.messages)
            .field("deliveries", &self.deliveries)
            .field("preview", &self.preview)
            .finish_non_exhaustive()
    }
}

/// An event at a level that is known at run time. `tracing` requires a call site for each level, so
/// the values are computed before, once for all of them: a Worker's code is smaller. What is after
/// the semicolon is called by the one call site whose event is wanted.
macro_rules! event_at {
    ($level:expr, $name:literal, $($field:ident = $value:expr),* $(; $late:ident = $make:expr)?) => {{
        let level = $level;
        if is_on(level) {
            let message: &dyn Value = &format_args!($name);
            // In one step, because a value may use what has the name of a field.
            let ($($field,)*) = ($(&$value as &dyn Value,)*);
            $(let $late = $make;)?
            match level {
                Level::ERROR => event_at!(@ Level::ERROR, $name, message, $($field),* $(; $late)?),
                Level::WARN => event_at!(@ Level::WARN, $name, message, $($field),* $(; $late)?),
                Level::INFO => event_at!(@ Level::INFO, $name, message, $($field),* $(; $late)?),
                Level::DEBUG => event_at!(@ Level::DEBUG, $name, message, $($field),* $(; $late)?),
                _ => event_at!(@ Level::TRACE, $name, message, $($field),* $(; $late)?),
            }
        }
    }};
    (@ $level:expr, $name:literal, $($field:ident),* $(; $late:ident)?) => {
        tracing::event!(
            name: $name, target: TARGET, $level, $($field = $field,)* $($late = $late())?
        )
    };
}

/// As [`event_at`], for a span with a parent.
macro_rules! span_at {
    ($level:expr, parent: $parent:expr, $name:literal, $($field:ident = $value:expr),* $(,)?) => {{
        let level = $level;
        if is_on(level) {
            let parent: Option<Id> = $parent;
            let ($($field,)*) = ($(&$value as &dyn Value,)*);
            match level {
                Level::ERROR => span_at!(@ Level::ERROR, parent, $name, $($field),*),
                Level::WARN => span_at!(@ Level::WARN, parent, $name, $($field),*),
                Level::INFO => span_at!(@ Level::INFO, parent, $name, $($field),*),
                Level::DEBUG => span_at!(@ Level::DEBUG, parent, $name, $($field),*),
                _ => span_at!(@ Level::TRACE, parent, $name, $($field),*),
            }
        } else {
            Span::none()
        }
    }};
    (@ $level:expr, $parent:ident, $name:literal, $($field:ident),*) => {
        tracing::span!(target: TARGET, parent: $parent, $level, $name, $($field = $field),*)
    };
}

/// The state of an observed peer, in its extensions.
pub(crate) struct Watched {
    /// When the peer connected, by its transport's clock.
    since: Option<SystemTime>,
    connection: Span,
    pub(super) untold: Untold,
}

impl Watched {
    pub(super) fn new(trace: Option<&Trace>, peer: &Peer, since: Option<SystemTime>) -> Self {
        Self {
            since,
            connection: trace.map_or_else(Span::none, |trace| trace.connection(peer)),
            untold: Untold::default(),
        }
    }

    /// Returns how long the connection has been open at this time.
    pub(super) fn duration(&self, now: SystemTime) -> Option<Duration> {
        now.duration_since(self.since?).ok()
    }

    pub(super) fn connection(&self) -> &Span {
        &self.connection
    }
}

impl Trace {
    fn connection(&self, peer: &Peer) -> Span {
        span_at!(
            self.level,
            parent: None,
            "connection",
            peer = display(peer),
            path = peer.request().path(),
            remote_addr = peer.remote_addr().map(display),
        )
    }

    /// Returns the span of a message, while its hook runs.
    pub(super) fn message(&self, connection: &Span, message: &Message) -> Span {
        span_at!(
            self.level,
            parent: connection.id(),
            "message",
            kind = kind(message),
            bytes = message.len(),
        )
    }

    /// Returns the span of a publication, from its call to when all queues have it.
    pub(super) fn publish(&self, audience: Audience<'_>) -> Span {
        span_at!(
            self.level,
            parent: Span::current().id(),
            "publish",
            namespace = audience.namespace(),
            topic = audience.topic(),
            route = audience.route(),
            queued = Empty,
        )
    }

    /// Creates the span of a publication at one recipient, which follows from the publication's
    /// span.
    pub(super) fn deliver(&self, publish: &Span, connection: &Span, peer: &Peer) {
        let span = span_at!(self.level, parent: connection.id(), "deliver", peer = display(peer));
        span.follows_from(publish);
    }

    pub(super) fn received(&self, peer: &Peer, message: &Message) {
        event_at!(
            self.level,
            "received",
            peer = display(peer),
            kind = kind(message),
            bytes = message.len();
            preview = || self.preview_of(message)
        );
    }

    pub(super) fn emitted(&self, emitted: &Emitted<'_>) {
        event_at!(
            self.level,
            "emitted",
            peer = emitted.to.peer().map(display),
            namespace = emitted.to.namespace(),
            topic = emitted.to.topic(),
            route = emitted.to.route(),
            queued = emitted.queued,
            kind = kind(emitted.message),
            bytes = emitted.message.len();
            preview = || self.preview_of(emitted.message)
        );
    }

    pub(super) fn responded(&self, responded: &Responded<'_>) {
        event_at!(
            self.level,
            "responded",
            method = responded.method,
            path = responded.path,
            status = responded.status.as_u16(),
            took = debug(responded.took)
        );
    }
}

fn kind(message: &Message) -> &'static str {
    match message {
        Message::Text(_) => "text",
        Message::Binary(_) => "binary",
    }
}

/// Returns the level of an event that is not a fault of the server.
fn level(watch: Option<&Watch>) -> Level {
    let trace = watch.and_then(Watch::trace);
    trace.map_or(QUIET, |trace| trace.level)
}

pub(super) fn connected(peer: &Peer) {
    let route = peer.route();
    event_at!(
        level(peer.watch()),
        "connected",
        peer = display(peer),
        path = peer.request().path(),
        namespace = peer.namespace(),
        route = route.as_deref(),
        remote_addr = peer.remote_addr().map(display)
    );
}

pub(super) fn disconnected(peer: &Peer, it: &Disconnected) {
    event_at!(
        level(peer.watch()),
        "disconnected",
        peer = display(peer),
        code = it.closed.code,
        reason = &*it.closed.reason,
        by = it.closed.by.name(),
        clean = it.closed.clean,
        duration = it.duration.map(debug)
    );
}

/// Logs a refusal. Clients can cause most refusals at will, so only those that are a fault of the
/// server, or may be one of its configuration, are above the usual level.
pub(super) fn rejected(watch: Option<&Watch>, own: Level, it: &Rejected<'_>, said: Option<&str>) {
    event_at!(
        own.min(level(watch)),
        "rejected",
        status = it.status.as_u16(),
        reason = it.reason.name(),
        path = it.path,
        remote_addr = it.remote_addr.map(display),
        error = it.error.map(display),
        said = said
    );
}

pub(super) fn slow(peer: &Peer) {
    event_at!(
        level(peer.watch()).min(Level::INFO),
        "slow",
        peer = display(peer),
        buffered = peer.buffered_amount()
    );
}

pub(super) fn dropped(peer: &Peer, dropped: Dropped) {
    let cause = match dropped.cause {
        DropCause::Overflow(_) => "overflow",
        DropCause::Volatile => "volatile",
    };
    event_at!(
        level(peer.watch()),
        "dropped",
        peer = display(peer),
        messages = dropped.messages,
        cause = cause
    );
}

impl Error {
    /// Logs the error, as the default `error` hook does. Errors that a client can cause at will are
    /// logged at the debug level, all others as errors.
    pub fn log(&self, peer: &Peer) {
        let own = match self.kind() {
            ErrorKind::Protocol => Level::DEBUG,
            _ => Level::ERROR,
        };
        event_at!(
            own.min(level(peer.watch())),
            "failed",
            peer = display(peer),
            error = display(self)
        );
    }
}

//! The events and spans of connections, messages and HTTP requests.

use tracing::field::{Empty, Value, debug, display};
use tracing::span::Id;
use tracing::{Level, Span};

use super::{TARGET, Trace, is_on};
use crate::error::{Error, ErrorKind};
use crate::hooks::notice::{DropCause, Dropped};
use crate::message::Message;
use crate::observe::observer::{Audience, Disconnected, Emitted, Rejected, Responded};
use crate::peer::Peer;

/// The level of the events that are not errors, if a hub has no [`Trace`].
const QUIET: Level = Level::DEBUG;

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

impl Trace {
    pub(in crate::observe) fn connection(&self, peer: &Peer) -> Span {
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
    pub(in crate::observe) fn message(&self, connection: &Span, message: &Message) -> Span {
        span_at!(
            self.level,
            parent: connection.id(),
            "message",
            kind = kind(message),
            bytes = message.len(),
        )
    }

    /// Returns the span of a publication, from its call to when all queues have it.
    pub(in crate::observe) fn publish(&self, audience: Audience<'_>) -> Span {
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
    pub(in crate::observe) fn deliver(&self, publish: &Span, connection: &Span, peer: &Peer) {
        let span = span_at!(self.level, parent: connection.id(), "deliver", peer = display(peer));
        span.follows_from(publish);
    }

    pub(in crate::observe) fn received(&self, peer: &Peer, message: &Message) {
        event_at!(
            self.level,
            "received",
            peer = display(peer),
            kind = kind(message),
            bytes = message.len();
            preview = || self.preview_of(message)
        );
    }

    pub(in crate::observe) fn emitted(&self, emitted: &Emitted<'_>) {
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

    pub(in crate::observe) fn responded(&self, responded: &Responded<'_>) {
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
fn level(trace: Option<&Trace>) -> Level {
    trace.map_or(QUIET, |trace| trace.level)
}

pub(in crate::observe) fn connected(trace: Option<&Trace>, peer: &Peer) {
    let route = peer.route();
    event_at!(
        level(trace),
        "connected",
        peer = display(peer),
        path = peer.request().path(),
        namespace = peer.namespace(),
        route = route.as_deref(),
        remote_addr = peer.remote_addr().map(display)
    );
}

pub(in crate::observe) fn disconnected(trace: Option<&Trace>, peer: &Peer, it: &Disconnected) {
    event_at!(
        level(trace),
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
pub(in crate::observe) fn rejected(
    trace: Option<&Trace>,
    own: Level,
    it: &Rejected<'_>,
    said: Option<&str>,
) {
    event_at!(
        own.min(level(trace)),
        "rejected",
        status = it.status.as_u16(),
        reason = it.reason.name(),
        path = it.path,
        remote_addr = it.remote_addr.map(display),
        error = it.error.map(display),
        said = said
    );
}

pub(in crate::observe) fn slow(trace: Option<&Trace>, peer: &Peer) {
    event_at!(
        level(trace).min(Level::INFO),
        "slow",
        peer = display(peer),
        buffered = peer.buffered_amount()
    );
}

pub(in crate::observe) fn dropped(trace: Option<&Trace>, peer: &Peer, dropped: Dropped) {
    let cause = match dropped.cause {
        DropCause::Overflow(_) => "overflow",
        DropCause::Volatile => "volatile",
    };
    event_at!(
        level(trace),
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
        let trace = peer.watch().and_then(|watch| watch.trace());
        event_at!(
            own.min(level(trace)),
            "failed",
            peer = display(peer),
            error = display(self)
        );
    }
}

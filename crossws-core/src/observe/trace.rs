//! The events and spans with fixed names that a hub emits with `tracing`.

pub(super) mod events;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::bounds::{Function, MaybeSend, MaybeSync};
use crate::message::Message;

/// The target of all events and spans.
pub(crate) const TARGET: &str = "crossws";

type Redact = dyn for<'a> Function<&'a Message, String>;

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
            Some(redact) => catch_unwind(AssertUnwindSafe(|| redact.apply(message))).ok()?,
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

crate::opaque_debug!([] Trace, self =>
    level: self.level, messages: self.messages, deliveries: self.deliveries, preview: self.preview);

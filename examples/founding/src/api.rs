//! The app's HTTP responses, on every platform.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossws::{Hub, Json};
use serde::Deserialize;
use serde_json::{Value, json};

/// Counts, per route, the connections that have been cleaned up.
#[derive(Default)]
pub struct Cleanups {
    pub(crate) chat: Count,
    pub(crate) terminal: Count,
    pub(crate) notifications: Count,
}

impl Cleanups {
    /// Returns the counts for this hub's connections.
    pub fn of(hub: &Hub) -> Arc<Self> {
        hub.extensions().get_or_default()
    }

    /// What `/api/cleanups` says.
    pub fn of_files(&self) -> Value {
        json!({ "chat": self.chat.get() })
    }

    /// What `/_socket/cleanups` says.
    pub fn of_loops(&self) -> Value {
        json!({
            "terminal": self.terminal.get(),
            "notifications": self.notifications.get(),
        })
    }
}

/// A counter.
#[derive(Clone, Default)]
pub(crate) struct Count(Arc<AtomicUsize>);

impl Count {
    pub(crate) fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one when it is dropped.
    pub(crate) fn when_dropped(&self) -> OneMore {
        OneMore(self.clone())
    }
}

/// See [`Count::when_dropped`].
pub(crate) struct OneMore(Count);

impl Drop for OneMore {
    fn drop(&mut self) {
        self.0.up();
    }
}

/// Returns the result of the health check.
pub fn health() -> Value {
    json!({ "ok": true, "via": "http" })
}

/// Returns the message for peers from a request's note.
///
/// # Errors
/// When the note is not JSON with a `message`.
pub fn note(body: &str) -> Result<Json<Value>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Note {
        message: Value,
    }
    let Note { message } = serde_json::from_str(body)?;
    Ok(Json(json!({ "type": "notify", "message": message })))
}

//! What HTTP says of the app, on every platform.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossws::{Hub, Json};
use serde::Deserialize;
use serde_json::{Value, json};

/// How many connections of a route have been cleaned up after.
#[derive(Default)]
pub struct Cleanups {
    pub(crate) chat: Count,
    pub(crate) terminal: Count,
    pub(crate) notifications: Count,
}

impl Cleanups {
    /// Those of this hub's connections.
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

/// What the health check says.
pub fn health() -> Value {
    json!({ "ok": true, "via": "http" })
}

/// What a note that comes with a request is for those who are told.
///
/// # Errors
/// When it is not JSON with a `message`.
pub fn note(body: &str) -> Result<Json<Value>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Note {
        message: Value,
    }
    let Note { message } = serde_json::from_str(body)?;
    Ok(Json(json!({ "type": "notify", "message": message })))
}

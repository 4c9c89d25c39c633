//! The app's HTTP responses, on every platform.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossws::{Hub, Json};
use serde::Deserialize;
use serde_json::{Value, json};

/// Counts, per route, the connections that have been cleaned up.
#[derive(Default)]
pub struct Cleanups {
    chat: AtomicUsize,
}

impl Cleanups {
    /// Returns the counts for this hub's connections.
    pub fn of(hub: &Hub) -> Arc<Self> {
        hub.extensions().get_or_default()
    }

    pub(crate) fn chat(&self) {
        self.chat.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the counts by route.
    pub fn to_json(&self) -> Value {
        json!({ "chat": self.chat.load(Ordering::Relaxed) })
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

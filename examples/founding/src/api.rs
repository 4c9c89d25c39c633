//! What HTTP says of the app, on every platform.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossws::{Hub, Json};
use serde::Deserialize;
use serde_json::{Value, json};

/// How many connections of a route have been cleaned up after.
#[derive(Default)]
pub struct Cleanups {
    chat: AtomicUsize,
}

impl Cleanups {
    /// Those of this hub's connections.
    pub fn of(hub: &Hub) -> Arc<Self> {
        hub.extensions().get_or_default()
    }

    pub(crate) fn chat(&self) {
        self.chat.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts by route.
    pub fn to_json(&self) -> Value {
        json!({ "chat": self.chat.load(Ordering::Relaxed) })
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

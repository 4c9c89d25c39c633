//! The app's HTTP: what sockets are asked and told from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use crossws::Hub;
use serde::Deserialize;
use serde_json::{Value, json};

/// How many connections of a route have been cleaned up after.
#[derive(Default)]
pub(crate) struct Cleanups {
    chat: AtomicUsize,
}

impl Cleanups {
    pub(crate) fn of(hub: &Hub) -> Arc<Self> {
        hub.extensions().get_or_default()
    }

    pub(crate) fn chat(&self) {
        self.chat.fetch_add(1, Ordering::Relaxed);
    }
}

/// Everything that is not a WebSocket.
pub fn http(hub: Hub) -> Router {
    Router::new()
        .route("/api/health", get(health))
        .route("/api/cleanups", get(cleanups))
        .route("/api/notify", post(|hub, body| notify(hub, "", body)))
        .route(
            "/api/notify/chat",
            post(|hub, body| notify(hub, "chat", body)),
        )
        .route(
            "/api/notify/rooms",
            post(|hub, body| notify(hub, "rooms/[id]", body)),
        )
        .with_state(hub)
}

async fn health() -> Json<Value> {
    Json(json!({ "ok": true, "via": "http" }))
}

async fn cleanups(State(hub): State<Hub>) -> Json<Value> {
    Json(json!({ "chat": Cleanups::of(&hub).chat.load(Ordering::Relaxed) }))
}

/// What a note that comes with a request is for those who are told.
///
/// # Errors
/// When it is not JSON with a `message`.
pub fn note(body: &str) -> Result<crossws::Json<Value>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Note {
        message: Value,
    }
    let Note { message } = serde_json::from_str(body)?;
    Ok(crossws::Json(
        json!({ "type": "notify", "message": message }),
    ))
}

/// Tells every connection of a route.
async fn notify(State(hub): State<Hub>, route: &str, body: String) -> Result<Json<Value>, Refused> {
    let note = note(&body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    let told = hub.route(route).send(note);
    let told = told.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(Json(json!({ "ok": true, "sent": told.queued })))
}

type Refused = (StatusCode, String);

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

#[derive(Deserialize)]
struct Notify {
    message: Value,
}

/// Tells every connection of a route.
async fn notify(
    State(hub): State<Hub>,
    route: &str,
    body: String,
) -> Result<Json<Value>, StatusCode> {
    let Notify { message } = serde_json::from_str(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let note = json!({ "type": "notify", "message": message });
    let note = crossws::Message::from_json(&note).map_err(|_| StatusCode::BAD_REQUEST)?;
    let peers = hub.peers();
    let of_route = peers
        .iter()
        .filter(|peer| peer.route_name().as_deref() == Some(route));
    let sent = of_route
        .filter(|peer| peer.send(note.clone()).is_ok())
        .count();
    Ok(Json(json!({ "ok": true, "sent": sent })))
}

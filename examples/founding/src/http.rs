//! The app's HTTP on servers: an axum router, which is a service on every runtime.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use crossws::Hub;
use serde_json::{Value, json};

use crate::api::{Cleanups, health, note};

/// Serves every request that is not a WebSocket.
pub fn http(hub: Hub) -> Router {
    Router::new()
        .route("/api/health", get(async || Json(health())))
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

async fn cleanups(State(hub): State<Hub>) -> Json<Value> {
    Json(Cleanups::of(&hub).to_json())
}

type Refused = (StatusCode, String);

/// Sends to every connection of a route.
async fn notify(State(hub): State<Hub>, route: &str, body: String) -> Result<Json<Value>, Refused> {
    let note = note(&body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    let told = hub.route(route).send(note);
    let told = told.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(Json(json!({ "ok": true, "sent": told.queued })))
}

//! The app's HTTP on servers: an axum router, which is a service on every runtime.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use crossws::sse::{EventResponse, EventSockets, EventStream};
use crossws::{Hub, SharedResolver};
use serde_json::{Value, json};

use crate::api::{Cleanups, health, note};
use crate::loops;
use crate::sse::{self, Streams};

/// Serves every request that is not a WebSocket: the same sockets for clients that cannot open one,
/// and the app's pages.
pub fn http(app: SharedResolver, hub: Hub) -> EventSockets<Router> {
    EventSockets::new(app, &hub)
        .grace(Duration::from_secs(1))
        .or(pages(hub))
}

fn pages(hub: Hub) -> Router {
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
        .route("/_socket/cleanups", get(loops_cleanups))
        .route("/_socket/push", post(push))
        .route("/sse", get(ticks))
        .route("/sse/open", get(open_streams))
        .route(
            "/sse/structured",
            get(async |stream| sse::structured(stream)),
        )
        .route("/sse/lines", get(async |stream| sse::lines(stream)))
        .with_state(hub)
}

async fn cleanups(State(hub): State<Hub>) -> Json<Value> {
    Json(Cleanups::of(&hub).of_files())
}

async fn loops_cleanups(State(hub): State<Hub>) -> Json<Value> {
    Json(Cleanups::of(&hub).of_loops())
}

async fn ticks(State(hub): State<Hub>, stream: EventStream) -> EventResponse {
    sse::ticks(stream, &Streams::of(&hub))
}

async fn open_streams(State(hub): State<Hub>) -> Json<Value> {
    Json(json!({ "open": Streams::of(&hub).open() }))
}

/// Tells every connection of a user.
async fn push(State(hub): State<Hub>, body: String) -> Result<Json<Value>, Refused> {
    let told = loops::push(&hub, &body);
    let sent = told.map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    Ok(Json(json!({ "sent": sent })))
}

type Refused = (StatusCode, String);

/// Sends to every connection of a route.
async fn notify(State(hub): State<Hub>, route: &str, body: String) -> Result<Json<Value>, Refused> {
    let note = note(&body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    let told = hub.route(route).send(note);
    let told = told.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(Json(json!({ "ok": true, "sent": told.queued })))
}

//! `/_socket`: loops that own their connections, where the platform can carry them.

#[cfg(unix)]
#[path = "../../terminal/shell.rs"]
mod shell;

#[cfg(feature = "http")]
use crossws::BoxError;
use crossws::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::Cleanups;

pub(crate) fn routes() -> Router {
    let routes = Router::new()
        .route("/tools/terminal", terminal())
        .route("/tools/notifications", notifications());
    #[cfg(unix)]
    let routes = routes.route("/pty", shell::terminal("sh"));
    routes
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Input {
    Data { data: Value },
    Exit,
}

fn terminal() -> impl Hooks {
    handler(|peer, incoming| async move {
        let _cleanup = Cleanups::of(peer.hub()).terminal.when_dropped();
        let mut inputs = incoming.json();
        while let Some(data @ Input::Data { .. }) = inputs.next().await {
            peer.send(Json(data))?;
        }
        Ok(())
    })
}

/// Where users are told, whatever the path.
const USERS: &str = "users";

#[derive(Deserialize)]
struct Query {
    user: String,
}

fn notifications() -> impl crossws::IntoRoute {
    let listens = handler(|peer, _| async move {
        peer.subscribe(&peer.attached::<Query>()?.user)?;
        Ok(keep_open(
            Cleanups::of(peer.hub()).notifications.when_dropped(),
        ))
    });
    route(listens).query::<Query>().namespace(|_| Ok(USERS))
}

/// Tells all connections of a user, and how many they are.
#[cfg(feature = "http")]
pub(crate) fn push(hub: &Hub, body: &str) -> Result<usize, BoxError> {
    #[derive(Deserialize)]
    struct Push {
        user: String,
        text: String,
    }
    let Push { user, text } = serde_json::from_str(body)?;
    let told = hub
        .in_namespace(USERS)
        .publish(user, Json(json!({ "text": text })))?;
    Ok(told.queued)
}

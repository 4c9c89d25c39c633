//! `/_socket`: loops that own their connections, where the platform can carry them.

#[cfg(unix)]
#[path = "../../terminal/shell.rs"]
mod shell;

use crossws::prelude::*;
use crossws::{BoxError, HandlerEnd};
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
    handler(|peer, mut incoming| async move {
        let _cleanup = Cleanups::of(peer.hub()).terminal.when_dropped();
        while let Some(message) = incoming.next().await {
            match message.json() {
                Ok(Input::Exit) => break,
                Ok(data) => {
                    peer.send(Json(data))?;
                }
                Err(error) => tracing::warn!(%peer, %error, "a frame is skipped"),
            }
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
        let gone = Cleanups::of(peer.hub()).notifications.when_dropped();
        peer.clone().spawn(async move {
            let _gone = gone;
            peer.closed().await;
        });
        Ok::<_, BoxError>(HandlerEnd::KeepOpen)
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

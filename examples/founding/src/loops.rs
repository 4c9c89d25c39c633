//! `/_socket`: loops that own their connections, where the platform can carry them.

#[cfg(unix)]
#[path = "../../terminal/shell.rs"]
mod shell;

#[cfg(feature = "http")]
use crossws::BoxError;
use crossws::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::Cleanups;

pub(crate) fn routes() -> Router {
    let routes = Router::new()
        .route(
            "/tools/terminal",
            route(terminal()).receives::<Input>().sends::<Input>(),
        )
        .route("/tools/notifications", notifications());
    #[cfg(unix)]
    let routes = routes.route("/pty", shell::terminal("sh"));
    routes
}

#[derive(Serialize, Deserialize, JsonSchema)]
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

#[derive(Deserialize)]
struct Query {
    user: String,
}

/// Says whose connection it will be.
async fn identified(request: &mut UpgradeRequest) -> Result<(), Rejection> {
    let Query { user } = request.query_as()?;
    request.set_identity(user);
    Ok(())
}

fn notifications() -> impl crossws::IntoRoute {
    let listens = handler(|peer, _| async move {
        let cleanups = Cleanups::of(peer.hub());
        Ok(keep_open(cleanups.notifications.when_dropped()))
    });
    route(listens).before(identified)
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
    let told = hub.identity(&user).send(Json(json!({ "text": text })))?;
    Ok(told.queued)
}

//! `/mock/ws`: the options of a route, one each.

mod chat;
mod echo;
mod game;
mod read;
mod rooms;

use std::time::Duration;

use crossws::prelude::*;
use crossws::{Bytes, Deflate, RouteSettings, ok};
use serde_json::json;

/// Returns the routes that every platform supports.
pub(crate) fn routes() -> Router {
    Router::new()
        .route(
            "/chat",
            route(chat::Chat)
                .topic(chat::GENERAL)
                .described_query::<chat::Query>()
                .receives::<chat::FromGuest>()
                .sends::<chat::ToGuest>(),
        )
        .route(
            "/game",
            route(game::Game)
                .topic(game::LOBBY)
                .receives::<game::FromPlayer>()
                .sends::<game::ToPlayer>(),
        )
        .route("/private", route(private()).authenticate(token))
        .route(
            "/protocols",
            route(protocol()).protocols(["chat.v2", "chat.v1"]),
        )
        .route("/echo", route(echo::rules()).topic(echo::LOBBY))
        .route("/fails", route(fails()).reply_errors())
        .route("/rooms", rooms::Rooms)
        .route("/data", read::data())
        .route("/upper", read::upper(echo()))
}

/// Returns the routes that need pings, pongs or compression of the server's own.
pub(crate) fn native() -> Router {
    let beat = Duration::from_millis(200);
    Router::new()
        .route(
            "/quiet",
            route(hooks())
                .heartbeat(beat)
                .inactivity(Duration::from_secs(1)),
        )
        .route(
            "/pings",
            route(hooks()).heartbeat(beat).limits(three_missed),
        )
        .route("/manual", route(manual()).manual_pong())
        .route("/deflate", route(echo()).deflate(compressed()))
}

/// The third ping comes at most 440 ms after the first, and the fourth not before 540 ms.
fn three_missed(settings: RouteSettings) -> RouteSettings {
    settings.pong_timeout(Duration::from_millis(500))
}

fn private() -> impl Hooks {
    hooks().on_open(|peer| async move { peer.send(Json(json!({ "type": "authenticated" }))) })
}

async fn token(request: &UpgradeRequest) -> Result<bool, &'static str> {
    match request.query_token("token").as_deref() {
        Ok("broken") => Err("the sessions cannot be reached"),
        token => Ok(token == Ok("good")),
    }
}

fn protocol() -> impl Hooks {
    hooks().on_open(|peer| async move { peer.send(Json(json!({ "protocol": peer.protocol() }))) })
}

fn manual() -> impl Hooks {
    /// The most that a pong carries.
    const MOST: usize = 125;

    hooks().on_ping(|peer: Peer, data: Bytes| async move {
        let mut answer = [b"manual:", &*data].concat();
        answer.truncate(MOST);
        peer.pong(answer)
    })
}

fn echo() -> impl Hooks {
    hooks().on_message(|peer, message| async move { peer.send(message) })
}

fn compressed() -> Deflate {
    Deflate::default().server_max_window_bits(13).required(true)
}

fn fails() -> impl Hooks {
    hooks().on_message(|peer: Peer, message: Message| async move {
        if message.text()? == "fail" {
            return Err("boom".into());
        }
        peer.send(message)?;
        ok()
    })
}

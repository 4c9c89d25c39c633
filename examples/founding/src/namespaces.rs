//! Hooks and rooms by path: the same chat, with the namespace that each route chooses.

use crossws::Closed;
use crossws::http::StatusCode;
use crossws::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

const CHAT: &str = "chat";

fn said(user: &str, message: &str) -> Json<Value> {
    Json(json!({ "user": user, "message": message }))
}

struct Chat;

impl Hooks for Chat {
    async fn open(&self, peer: &Peer) -> HookResult {
        peer.send(said("server", &format!("Welcome {peer}!")))?;
        peer.publish(CHAT, said("server", &format!("{peer} joined!")))?;
        peer.subscribe(CHAT)?;
        Ok(())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        match message.text()? {
            text if text.contains("ping") => {
                peer.send(said("server", "pong"))?;
            }
            text => {
                let said = said(&peer.to_string(), text);
                peer.to(CHAT).including_self().send(said)?;
            }
        }
        Ok(())
    }

    async fn close(&self, peer: &Peer, _: Closed) -> HookResult {
        peer.publish(CHAT, said("server", &format!("{peer} left!")))?;
        Ok(())
    }
}

#[derive(Deserialize)]
struct Channel {
    #[serde(default = "general")]
    channel: String,
}

fn general() -> String {
    "general".to_owned()
}

fn channel(request: &UpgradeRequest) -> Result<String, Rejection> {
    let Channel { channel } = request.query_as()?;
    Ok(format!("chat:{channel}"))
}

struct WithToken;

impl Hooks for WithToken {
    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        match request.query_token("token").as_deref() {
            Ok("good") => Ok(Upgrade::new().context(json!({ "userId": "u-good" }))),
            _ => Err(Rejection::new(StatusCode::UNAUTHORIZED, "Unauthorized")),
        }
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        peer.send(Json(&*peer.context::<Value>()?))?;
        Ok(())
    }
}

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/ws/chat", Chat)
        .route("/rooms/{room}", Chat)
        .route("/channel", route(Chat).namespace(channel))
        .route("/token", WithToken)
}

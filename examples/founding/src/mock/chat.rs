//! `/mock/ws/chat?username=U`

use crossws::Closed;
use crossws::prelude::*;
use serde::Deserialize;
use serde_json::json;

pub(super) const GENERAL: &str = "general";

#[derive(Deserialize)]
pub(super) struct Query {
    #[serde(default = "guest")]
    username: String,
}

fn guest() -> String {
    "Guest".to_owned()
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum FromClient {
    Chat { text: String },
}

pub(super) struct Chat;

impl Hooks for Chat {
    async fn open(&self, peer: &Peer) -> HookResult {
        let Query { username } = &*peer.attached()?;
        peer.send(Json(json!({ "type": "connected", "id": peer.id() })))?;
        peer.publish(
            GENERAL,
            Json(json!({ "type": "user-joined", "username": username })),
        )?;
        Ok(())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        let FromClient::Chat { text } = message.json()?;
        let Query { username: from } = &*peer.attached()?;
        let message = json!({ "type": "chat-message", "from": from, "text": text });
        peer.to(GENERAL).including_self().send(Json(message))?;
        Ok(())
    }

    async fn close(&self, peer: &Peer, _: Closed) -> HookResult {
        let Query { username } = &*peer.attached()?;
        peer.publish(
            GENERAL,
            Json(json!({ "type": "user-left", "username": username })),
        )?;
        Ok(())
    }
}

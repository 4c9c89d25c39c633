//! `/api/ws`, whose socket calls the app's own HTTP.

use crossws::prelude::*;
use serde_json::{Value, json};

struct Root;

impl Hooks for Root {
    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        let api = peer.api().base("/api");
        match message.text()? {
            "health" => {
                let health: Value = api.get("health").await?.json()?;
                peer.send(Json(health))?;
            }
            "missing" => {
                let status = api.get("none").await?.status().as_u16();
                peer.send(Json(json!({ "status": status })))?;
            }
            text => {
                peer.send(format!("[root] Echo: {text}"))?;
            }
        }
        Ok(())
    }
}

pub fn hooks() -> impl Hooks {
    Root
}

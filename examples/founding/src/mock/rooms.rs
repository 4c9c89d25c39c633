//! `/mock/ws/rooms`

use crossws::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum FromClient {
    Join { room: String },
    Leave { room: String },
    All { data: Value },
}

pub(super) struct Rooms;

impl Hooks for Rooms {
    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        match message.json()? {
            FromClient::Join { room } => {
                peer.subscribe(room)?;
            }
            FromClient::Leave { room } => {
                peer.unsubscribe(room);
            }
            FromClient::All { data } => return to_all(peer, data),
        }
        let mut rooms = peer.topics();
        rooms.sort();
        peer.send(Json(json!({ "type": "rooms", "rooms": rooms })))?;
        Ok(())
    }
}

/// Sends to the members of every room of the peer's, each once.
fn to_all(peer: &Peer, data: Value) -> HookResult {
    let message = Message::from_json(&json!({ "type": "all", "data": data }))?;
    let rooms = peer.topics();
    let is_near = |other: &&Peer| rooms.iter().any(|room| other.is_subscribed(room));
    let others = peer.peers();
    for other in others
        .iter()
        .filter(|other| other.id() != peer.id())
        .filter(is_near)
    {
        let _ = other.send(message.clone()); // one who has gone hears nothing
    }
    Ok(())
}

//! `/mock/ws/game`

use crossws::PeerId;
use crossws::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const LOBBY: &str = "lobby";

#[derive(Deserialize)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
enum FromClient {
    CreateGame,
    JoinGame { game_id: String },
    GameAction { action: Value },
}

pub(super) struct Game;

impl Hooks for Game {
    async fn open(&self, peer: &Peer) -> HookResult {
        peer.send(Json(json!({ "type": "joined-lobby" })))?;
        Ok(())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        match message.json()? {
            FromClient::CreateGame => {
                let game = PeerId::random().to_string();
                enter(peer, &game)?;
                peer.send(Json(json!({ "type": "game-created", "gameId": game })))?;
            }
            FromClient::JoinGame { game_id } => {
                enter(peer, &game_id)?;
                let joined = json!({ "type": "player-joined", "playerId": peer.id() });
                peer.publish(&game_id, Json(joined))?;
            }
            FromClient::GameAction { action } => {
                let player = peer.id();
                let update = json!({ "type": "game-update", "action": action, "playerId": player });
                for game in peer.topics().iter().filter(|room| ***room != *LOBBY) {
                    peer.to(game).including_self().send(Json(&update))?;
                }
            }
        }
        Ok(())
    }
}

/// Leaves the lobby, or the previous game, and joins this game.
fn enter(peer: &Peer, game: &str) -> HookResult {
    for room in peer.topics() {
        peer.unsubscribe(room);
    }
    peer.subscribe(game)?;
    Ok(())
}

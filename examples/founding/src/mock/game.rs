//! `/mock/ws/game`

use crossws::PeerId;
use crossws::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) const LOBBY: &str = "lobby";

#[derive(Deserialize, JsonSchema)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub(super) enum FromPlayer {
    CreateGame,
    JoinGame { game_id: String },
    GameAction { action: Value },
}

#[derive(Serialize, JsonSchema)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub(super) enum ToPlayer {
    JoinedLobby,
    GameCreated {
        game_id: String,
    },
    PlayerJoined {
        #[schemars(with = "String")]
        player_id: PeerId,
    },
    GameUpdate {
        action: Value,
        #[schemars(with = "String")]
        player_id: PeerId,
    },
}

pub(super) struct Game;

impl Hooks for Game {
    async fn open(&self, peer: &Peer) -> HookResult {
        peer.send(Json(ToPlayer::JoinedLobby))?;
        Ok(())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        match message.json()? {
            FromPlayer::CreateGame => {
                let game_id = PeerId::random().to_string();
                enter(peer, &game_id)?;
                peer.send(Json(ToPlayer::GameCreated { game_id }))?;
            }
            FromPlayer::JoinGame { game_id } => {
                enter(peer, &game_id)?;
                let player_id = peer.id();
                let joined = ToPlayer::PlayerJoined { player_id };
                peer.publish(&game_id, Json(joined))?;
            }
            FromPlayer::GameAction { action } => {
                let player_id = peer.id();
                let update = ToPlayer::GameUpdate { action, player_id };
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

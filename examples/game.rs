//! Typed messages: the enums are the protocol of a game.
//!
//!     cargo run --example game
//!     npx wscat --connect ws://127.0.0.1:3000/game
//!     < {"type":"joined-lobby"}
//!     > {"type":"create-game"}
//!     < {"type":"game-created","gameId":"game-8c6e…"}
//!
//! A second terminal joins with `{"type":"join-game","gameId":"game-8c6e…"}`, and the first one is told. What one
//! sends as `{"type":"game-action","action":…}` both get.

use crossws::prelude::*;
use crossws::{BoxError, Typed, TypedPeer, typed};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Deserialize)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
enum FromPlayer {
    CreateGame,
    JoinGame { game_id: String },
    GameAction { action: Value },
}

#[derive(Serialize)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
enum ToPlayer {
    JoinedLobby,
    GameCreated { game_id: String },
    PlayerJoined { player_id: String },
    GameUpdate { action: Value, player_id: String },
}

struct Game;

impl Typed for Game {
    type In = FromPlayer;
    type Out = ToPlayer;

    async fn open(&self, peer: &TypedPeer<ToPlayer>) -> HookResult {
        peer.send(ToPlayer::JoinedLobby)?;
        Ok(())
    }

    async fn message(&self, peer: &TypedPeer<ToPlayer>, message: FromPlayer) -> HookResult {
        let player_id = peer.id().to_string();
        match message {
            FromPlayer::CreateGame => {
                let game_id = format!("game-{player_id}");
                enter(peer, &game_id)?;
                peer.send(ToPlayer::GameCreated { game_id })?;
            }
            FromPlayer::JoinGame { game_id } => {
                enter(peer, &game_id)?;
                peer.publish(&game_id, ToPlayer::PlayerJoined { player_id })?;
            }
            FromPlayer::GameAction { action } => {
                let update = ToPlayer::GameUpdate { action, player_id };
                let mut games = peer.topics();
                games.retain(|topic| &**topic != "lobby");
                // A player who joins later begins with the last action.
                peer.to(&games).including_self().retained().send(update)?;
            }
        }
        Ok(())
    }
}

/// A player is in the lobby or in one game.
fn enter(peer: &TypedPeer<ToPlayer>, game: &str) -> Result<(), BoxError> {
    for topic in peer.topics() {
        peer.unsubscribe(topic);
    }
    peer.subscribe(game)?;
    Ok(())
}

fn app() -> Router {
    Router::new().route("/game", route(typed(Game)).topic("lobby"))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    crossws::tokio::serve("127.0.0.1:3000", app()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossws::memory::{Client, TestServer};
    use serde_json::json;

    async fn next(client: &mut Client) -> Value {
        client.next().await.unwrap().json().unwrap()
    }

    #[tokio::test]
    async fn players_of_one_game_see_its_actions() {
        let server = TestServer::new(app());
        let mut ann = server.connect("/game").await.unwrap();
        let mut bob = server.connect("/game").await.unwrap();
        let mut cid = server.connect("/game").await.unwrap();
        for player in [&mut ann, &mut bob, &mut cid] {
            assert_eq!(next(player).await, json!({"type": "joined-lobby"}));
        }
        ann.send(r#"{"type":"create-game"}"#).unwrap();
        let created = next(&mut ann).await;
        assert_eq!(created["type"], "game-created");
        let join = json!({"type": "join-game", "gameId": created["gameId"]});
        bob.send(Json(join)).unwrap();
        let joined = json!({"type": "player-joined", "playerId": bob.id().to_string()});
        assert_eq!(next(&mut ann).await, joined);
        bob.send(r#"{"type":"game-action","action":{"move":"e4"}}"#)
            .unwrap();
        let update = json!({
            "type": "game-update",
            "action": {"move": "e4"},
            "playerId": bob.id().to_string(),
        });
        for player in [&mut ann, &mut bob] {
            assert_eq!(next(player).await, update);
        }
        server.settle().await;
        assert!(cid.try_next().is_none());
        let join = json!({"type": "join-game", "gameId": created["gameId"]});
        cid.send(Json(join)).unwrap();
        assert_eq!(next(&mut cid).await, update);
    }

    #[tokio::test]
    async fn an_invalid_message_closes_the_connection() {
        let server = TestServer::new(app());
        let mut ann = server.connect("/game").await.unwrap();
        ann.send(r#"{"type":"cheat"}"#).unwrap();
        assert_eq!(ann.closed().await.code, 1007);
    }
}

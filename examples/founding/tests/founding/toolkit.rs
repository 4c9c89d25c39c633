//! What only a test in memory can show: a user without a header, and every order of hooks.

use crossws::Json;
use crossws::memory::{ConnectError, seeds};
use founding::User;
use serde_json::{Value, json};

use crate::world::memory::server;

#[tokio::test]
async fn a_user_of_the_tests_needs_no_header() -> Result<(), ConnectError> {
    let server = server(None);
    for path in ["/_socket/workers/7", "/_socket/workers/7/logs"] {
        assert_eq!(server.connect(path).await.unwrap_err().status(), 401);
        let mut bob = server.connect(path).attach(User::named("bob")).await?;
        bob.expect(Json(json!({ "user": "bob", "worker": "7" })))
            .await;
    }
    Ok(())
}

/// The chat tells everyone of everyone, and all in one order.
#[tokio::test]
async fn a_room_hears_one_order_whoever_speaks_first() {
    seeds(0..50, async |seed| {
        let server = server(Some(seed));
        let mut room = server.room(["/mock/ws/chat?username=U"; 4]).await?;
        room.heard().await;
        room.play(async |n, client| {
            for part in 0..3 {
                let said = json!({ "type": "chat", "text": format!("{n}.{part}") });
                client.send(Json(said)).unwrap();
            }
        })
        .await;
        let [first, others @ ..] = room.heard().await;
        assert_eq!(first.len(), 12);
        assert!(others.iter().all(|heard| *heard == first));
        Ok::<_, ConnectError>(())
    })
    .await;
}

/// Each action reaches the players of its game once, while others join it.
#[tokio::test]
async fn players_hear_each_action_of_their_game_once() {
    seeds(0..50, async |seed| {
        let server = server(Some(seed));
        let mut room = server.room(["/mock/ws/game"; 3]).await?;
        room.expect(Json(json!({ "type": "joined-lobby" }))).await;
        room[0]
            .send(Json(json!({ "type": "create-game" })))
            .unwrap();
        let created: Value = room[0].next_json().await.unwrap();
        let game = &created["gameId"];
        room.play(async |n, client| {
            if n > 0 {
                let join = json!({ "type": "join-game", "gameId": game });
                client.send(Json(join)).unwrap();
            }
            let act = json!({ "type": "game-action", "action": n });
            client.send(Json(act)).unwrap();
        })
        .await;
        let heard = room.heard().await.map(|heard| {
            let heard = heard.iter().map(|it| it.json::<Value>().unwrap());
            heard
                .map(|it| it["action"].clone())
                .filter(|it| !it.is_null())
                .collect::<Vec<_>>()
        });
        // The first player is in it from the beginning, and hears all. Each of the others hears its own.
        let mut all = heard[0].clone();
        all.sort_by_key(ToString::to_string);
        assert_eq!(all, [json!(0), json!(1), json!(2)]);
        for (n, heard) in heard.iter().enumerate() {
            assert_eq!(heard.iter().filter(|it| **it == json!(n)).count(), 1);
        }
        Ok::<_, ConnectError>(())
    })
    .await;
}

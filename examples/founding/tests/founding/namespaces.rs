//! Hooks and rooms by path.

use serde_json::{Value, json};

use crate::World;
use crate::client::{Client, connect, refused};

/// Joins, and returns the id in the greeting.
async fn join(world: &dyn World, path: &str) -> (Client, String) {
    let mut client = connect(world, path).await;
    let welcome = client.json().await;
    assert_eq!(welcome["user"], "server");
    let message = welcome["message"].as_str().unwrap();
    let id = message.strip_prefix("Welcome ").unwrap();
    (client, id.strip_suffix('!').unwrap().to_owned())
}

fn server(message: String) -> Value {
    json!({ "user": "server", "message": message })
}

pub(crate) async fn the_chat_greets_and_tells(world: &dyn World) {
    let (mut ann, ann_id) = join(world, "/ws/chat").await;
    let (mut bob, bob_id) = join(world, "/ws/chat").await;
    assert_eq!(ann.json().await, server(format!("{bob_id} joined!")));
    assert_eq!(bob.ask("a ping b").await, server("pong".to_owned()));
    ann.send("hello").await;
    for client in [&mut ann, &mut bob] {
        assert_eq!(
            client.json().await,
            json!({ "user": ann_id, "message": "hello" })
        );
    }
    bob.close().await;
    assert_eq!(ann.json().await, server(format!("{bob_id} left!")));
}

/// Checks that a message in the first path's room does not reach the second path, but reaches the
/// third, which has the same room.
async fn are_apart(world: &dyn World, here: &str, there: &str, here_too: &str) {
    let (mut one, id) = join(world, here).await;
    let (mut other, _) = join(world, there).await;
    one.send("hello").await;
    assert_eq!(one.json().await, json!({ "user": id, "message": "hello" }));
    assert_eq!(other.ask("ping").await, server("pong".to_owned()));
    let (_same, same) = join(world, here_too).await;
    assert_eq!(one.json().await, server(format!("{same} joined!")));
}

pub(crate) async fn rooms_do_not_hear_each_other(world: &dyn World) {
    are_apart(world, "/rooms/1", "/rooms/2", "/rooms/1").await;
}

pub(crate) async fn a_channel_is_a_namespace(world: &dyn World) {
    are_apart(
        world,
        "/channel",
        "/channel?channel=a%20b",
        "/channel?channel=general",
    )
    .await;
}

pub(crate) async fn a_token_is_a_context(world: &dyn World) {
    let mut client = connect(world, "/token?token=good").await;
    assert_eq!(client.json().await, json!({ "userId": "u-good" }));
    for path in ["/token", "/token?token=bad"] {
        let (status, body) = refused(world, path, &[]).await;
        assert_eq!(
            (status.as_u16(), &*body),
            (401, b"Unauthorized".as_slice()),
            "{path}"
        );
    }
}

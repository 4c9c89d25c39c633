//! From HTTP to sockets, and back.

use serde_json::{Value, json};

use crate::World;
use crate::client::{Client, connect, post};

async fn notify(world: &dyn World, path: &str) -> Value {
    let (status, body) = post(world, path, r#"{"message":"soon"}"#).await;
    assert_eq!(status, 200);
    serde_json::from_slice(&body).unwrap()
}

pub(crate) async fn every_connection_of_a_route_gets_the_message(world: &dyn World) {
    let mut root = [
        connect(world, "/api/ws").await,
        connect(world, "/api/ws").await,
    ];
    let mut chat = connect(world, "/api/ws/chat").await;
    let mut rooms = [
        connect(world, "/api/ws/rooms/1").await,
        connect(world, "/api/ws/rooms/a%20b").await,
    ];
    for room in &mut rooms {
        room.json().await;
    }
    // A client that gets a reply has joined.
    hear_only_themselves(&mut root, &mut chat).await;
    let note = json!({ "type": "notify", "message": "soon" });
    for (path, sent) in [("", 2), ("/chat", 1), ("/rooms", 2)] {
        let answer = notify(world, &format!("/api/notify{path}")).await;
        assert_eq!(answer, json!({ "ok": true, "sent": sent }), "{path}");
    }
    for client in root.iter_mut().chain([&mut chat]).chain(&mut rooms) {
        client.expect(&note).await;
    }
    hear_only_themselves(&mut root, &mut chat).await;
}

async fn hear_only_themselves(root: &mut [Client], chat: &mut Client) {
    for client in root {
        client.send("x").await;
        client.expect_text("[root] Echo: x").await;
    }
    chat.send("x").await;
    chat.expect_text("[chat] Echo: x").await;
}

pub(crate) async fn an_invalid_note_is_refused(world: &dyn World) {
    let mut client = connect(world, "/api/ws").await;
    for body in ["", "text", "[]", "{}", r#"{"massage":"x"}"#] {
        let (status, _) = post(world, "/api/notify", body).await;
        assert!([400, 422].contains(&status.as_u16()), "{body}: {status}");
    }
    client.send("x").await;
    client.expect_text("[root] Echo: x").await;
}

pub(crate) async fn a_socket_asks_the_apps_http(world: &dyn World) {
    let mut client = connect(world, "/api/ws").await;
    let health = client.ask("health").await;
    assert_eq!(health, json!({ "ok": true, "via": "http" }));
    assert_eq!(client.ask("missing").await, json!({ "status": 404 }));
}

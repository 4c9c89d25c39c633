//! Files as routes.

use std::time::Duration;

use serde_json::json;

use crate::World;
use crate::client::{connect, get, refused};

pub(crate) async fn root_echoes(world: &dyn World) {
    let mut client = connect(world, "/api/ws").await;
    client.send("hello").await;
    client.expect_text("[root] Echo: hello").await;
}

pub(crate) async fn chat_echoes_and_cleans_up_once(world: &dyn World) {
    assert_eq!(get(world, "/api/cleanups").await, json!({ "chat": 0 }));
    let mut one = connect(world, "/api/ws/chat").await;
    let two = connect(world, "/api/ws/chat").await;
    one.send("hello").await;
    one.expect_text("[chat] Echo: hello").await;
    one.close().await;
    two.vanish();
    while get(world, "/api/cleanups").await != json!({ "chat": 2 }) {
        world.sleep(Duration::from_millis(50)).await;
    }
    let mut root = connect(world, "/api/ws").await;
    root.send("still there?").await;
    root.text().await;
    assert_eq!(get(world, "/api/cleanups").await, json!({ "chat": 2 }));
}

pub(crate) async fn rooms_say_what_matched(world: &dyn World) {
    let mut client = connect(world, "/api/ws/rooms/a%20b?x=1&%C3%A9=%2B&x=2").await;
    let said = json!({
        "params": { "id": "a b" },
        "path": "/api/ws/rooms/a%20b",
        "query": { "x": ["1", "2"], "é": "+" },
    });
    client.expect(&said).await;
    let mut client = connect(world, "/api/ws/rooms/7").await;
    let said = json!({ "params": { "id": "7" }, "path": "/api/ws/rooms/7", "query": {} });
    client.expect(&said).await;
}

pub(crate) async fn files_catch_the_rest(world: &dyn World) {
    let mut client = connect(world, "/api/ws/files/A/B/C").await;
    client
        .expect(json!({ "params": { "rest": "A/B/C" } }))
        .await;
}

pub(crate) async fn paths_without_a_file_are_not_found(world: &dyn World) {
    for path in [
        "/api/ws/nothing",
        "/api/ws/rooms",
        "/api/ws/rooms/1/2",
        "/api/ws/files",
        "/no",
    ] {
        assert_eq!(refused(world, path, &[]).await.0, 404, "{path}");
    }
}

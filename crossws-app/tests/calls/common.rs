use std::time::Duration;

use crossws_core::{Hooks, Json};
use crossws_memory::{Client, TestServer};
pub(crate) use futures_lite::future::block_on;
use serde_json::Value;

pub(crate) async fn connect(app: impl Hooks) -> (TestServer, Client) {
    let server = TestServer::new(app);
    let client = server.connect("/").await.unwrap();
    (server, client)
}

/// Returns the next message, without moving the time beyond what methods wait for.
pub(crate) async fn next(client: &mut Client) -> Value {
    let message = client.next_within(Duration::from_secs(1)).await;
    message.unwrap().unwrap().json().unwrap()
}

pub(crate) fn say(client: &mut Client, value: Value) {
    client.send(Json(value)).unwrap();
}

pub(crate) async fn silent(server: &TestServer, client: &mut Client) {
    server.settle().await;
    assert_eq!(client.try_next(), None);
}

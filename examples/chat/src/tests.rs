//! The chat, tested without a port and in virtual time: `cargo test -p chat`.

use std::time::Duration;

use crossws::memory::{Client, TestServer};
use crossws::{CloseCode, Json};
use serde_json::{Value, json};

use crate::hooks::{announce, chat};

async fn join(server: &TestServer, room: &str, name: &str) -> Client {
    let target = format!("/rooms/{room}?name={name}");
    server.connect(&target).await.unwrap()
}

/// Returns the messages since the last call, once nothing more is in flight.
async fn heard(server: &TestServer, client: &mut Client) -> Vec<Value> {
    server.settle().await;
    std::iter::from_fn(|| client.try_next())
        .map(|message| message.json().unwrap())
        .collect()
}

#[tokio::test]
async fn a_welcome_comes_first_and_then_joins_and_leaves() {
    let server = TestServer::new(chat());
    let mut ada = join(&server, "lobby", "Ada").await;
    let mut grace = join(&server, "lobby", "Grace").await;
    let (a, g) = (ada.id(), grace.id());

    let people = json!([{ "id": a, "name": "Ada" }, { "id": g, "name": "Grace" }]);
    let welcome =
        json!({ "type": "welcome", "id": g, "name": "Grace", "room": "lobby", "people": people });
    assert_eq!(heard(&server, &mut grace).await, [welcome]);

    grace.close(CloseCode::NORMAL, "");
    let told = heard(&server, &mut ada).await;
    let joined = json!({ "type": "joined", "id": g, "name": "Grace" });
    let left = json!({ "type": "left", "id": g, "name": "Grace" });
    assert_eq!(told[1..], [joined, left]);
}

#[tokio::test]
async fn messages_stay_in_the_room_and_an_announcement_reaches_all() {
    let server = TestServer::new(chat());
    let mut ada = join(&server, "lobby", "Ada").await;
    let mut alan = join(&server, "B%C3%BCro", "Alan").await;
    let welcomed = heard(&server, &mut alan).await;
    assert_eq!(welcomed[0]["room"], "Büro");
    heard(&server, &mut ada).await;

    ada.send(Json(json!({ "type": "say", "text": "hello" })))
        .unwrap();
    let said = json!({ "type": "said", "id": ada.id(), "name": "Ada", "text": "hello" });
    assert_eq!(heard(&server, &mut ada).await, [said]);
    assert!(heard(&server, &mut alan).await.is_empty());

    announce(server.hub(), "Deploy at 18:00").unwrap();
    let announced = json!({ "type": "announced", "text": "Deploy at 18:00" });
    for client in [&mut ada, &mut alan] {
        assert_eq!(
            heard(&server, client).await,
            std::slice::from_ref(&announced)
        );
    }
}

#[tokio::test]
async fn a_bad_name_or_room_is_refused_with_a_reason() {
    let server = TestServer::new(chat());
    let long = format!("/rooms/lobby?name={}", "x".repeat(33));
    for (target, reason) in [
        ("/rooms/lobby", "`name`"),
        ("/rooms/lobby?name=", "1 to 32 characters"),
        ("/rooms/lobby?name=%07", "no control characters"),
        (&long, "1 to 32 characters"),
        ("/rooms/%FF?name=Ada", "not UTF-8"),
        ("/rooms/?name=Ada", "1 to 64 characters"),
    ] {
        let refusal = server.connect(target).await.unwrap_err();
        assert_eq!(refusal.status(), 400, "{target}");
        assert!(refusal.to_string().contains(reason), "{refusal}");
    }
    let elsewhere = server.connect("/?name=Ada").await.unwrap_err();
    assert!(elsewhere.is_unclaimed());
}

#[tokio::test]
async fn a_bad_message_is_answered_and_an_idle_day_survived() {
    let server = TestServer::new(chat());
    let mut ada = join(&server, "lobby", "Ada").await;
    heard(&server, &mut ada).await;

    ada.send("no json").unwrap();
    assert_eq!(heard(&server, &mut ada).await[0]["type"], "error");

    // All heartbeats of a day, without waiting.
    server.advance(Duration::from_secs(24 * 60 * 60)).await;
    assert_eq!(server.hub().stats().peers, 1);
}

//! The chat, tested without a port and in virtual time: `cargo test -p chat`.

use std::time::Duration;

use crossws::memory::{ConnectError, TestServer, seeds};
use crossws::{CloseCode, Json};
use serde_json::{Value, json};

use crate::hooks::{announce, chat};

#[tokio::test]
async fn a_welcome_comes_first_and_then_joins_and_leaves() -> Result<(), ConnectError> {
    let server = TestServer::new(chat());
    let names = ["Ada", "Grace"].map(|name| format!("/rooms/lobby?name={name}"));
    let [mut ada, mut grace] = server.room(names).await?.into_clients();
    let (a, g) = (ada.id(), grace.id());

    let people = json!([{ "id": a, "name": "Ada" }, { "id": g, "name": "Grace" }]);
    let welcome =
        json!({ "type": "welcome", "id": g, "name": "Grace", "room": "lobby", "people": people });
    grace.expect(Json(welcome)).await;

    grace.close(CloseCode::NORMAL, "");
    ada.next().await;
    let joined = json!({ "type": "joined", "id": g, "name": "Grace" });
    ada.expect(Json(joined)).await;
    let left = json!({ "type": "left", "id": g, "name": "Grace" });
    ada.expect(Json(left)).await;
    Ok(())
}

#[tokio::test]
async fn messages_stay_in_the_room_and_an_announcement_reaches_all() -> Result<(), ConnectError> {
    let server = TestServer::new(chat());
    let targets = ["/rooms/lobby?name=Ada", "/rooms/B%C3%BCro?name=Alan"];
    let mut room = server.room(targets).await?;
    let [_, alan] = room.heard().await;
    assert_eq!(alan[0].json::<Value>().unwrap()["room"], "Büro");

    let [ada, alan] = &mut *room;
    ada.send(Json(json!({ "type": "say", "text": "hello" })))
        .unwrap();
    let said = json!({ "type": "said", "id": ada.id(), "name": "Ada", "text": "hello" });
    ada.expect(Json(said)).await;
    alan.expect_nothing().await;

    announce(server.hub(), "Deploy at 18:00").unwrap();
    let announced = json!({ "type": "announced", "text": "Deploy at 18:00" });
    room.expect(Json(announced)).await;
    Ok(())
}

/// In any order of coming and going, a welcome and the messages after it name each member of the room
/// once.
#[tokio::test]
async fn a_welcome_and_what_follows_fit_together_in_any_order() {
    seeds(0..100, async |seed| {
        let server = TestServer::builder(chat()).seed(seed).build();
        let mut room = server.room(["/rooms/lobby?name=Ada"; 4]).await?;
        room.heard().await;
        let coming = room.play(async |n, client| {
            client.close(CloseCode::NORMAL, "");
            let target = format!("/rooms/lobby?name=New{n}");
            *client = server.connect(&target).await.unwrap();
        });
        coming.await;
        for heard in room.heard().await {
            let heard: Vec<Value> = heard.iter().map(|it| it.json().unwrap()).collect();
            let mut people = Vec::new();
            for person in heard[0]["people"].as_array().unwrap() {
                people.push(&person["id"]);
            }
            for told in &heard[1..] {
                match told["type"].as_str() {
                    Some("joined") => people.push(&told["id"]),
                    _ => people.retain(|id| **id != told["id"]),
                }
            }
            people.sort_by_key(ToString::to_string);
            let mut there: Vec<_> = room.iter().map(|client| json!(client.id())).collect();
            there.sort_by_key(ToString::to_string);
            assert_eq!(people, there.iter().collect::<Vec<_>>());
        }
        Ok::<_, ConnectError>(())
    })
    .await;
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
async fn a_bad_message_is_answered_and_an_idle_day_survived() -> Result<(), ConnectError> {
    let server = TestServer::new(chat());
    let mut ada = server.connect("/rooms/lobby?name=Ada").await?;
    ada.heard().await;

    ada.send("no json").unwrap();
    assert_eq!(ada.next_json::<Value>().await.unwrap()["type"], "error");

    // All heartbeats of a day, without waiting.
    server.advance(Duration::from_secs(24 * 60 * 60)).await;
    assert_eq!(server.hub().stats().peers, 1);
    Ok(())
}

//! Options of a route.

use crossws_conformance::Frame;
use serde_json::{Value, json};

use crate::World;
use crate::client::{Client, connect, connect_with, refused};

/// Joins the chat, and returns the id that the server sent.
async fn join(world: &dyn World, path: &str) -> (Client, String) {
    let mut client = connect(world, path).await;
    let connected = client.json().await;
    assert_eq!(connected["type"], "connected");
    let id = connected["id"].as_str().unwrap().to_owned();
    (client, id)
}

pub(crate) async fn chat_names_the_user_who_joins_writes_and_leaves(world: &dyn World) {
    let (mut ann, ann_id) = join(world, "/mock/ws/chat?username=Ann%20B").await;
    let (mut guest, guest_id) = join(world, "/mock/ws/chat").await;
    assert_ne!(ann_id, guest_id);
    let joined = json!({ "type": "user-joined", "username": "Guest" });
    ann.expect(joined).await;
    ann.send(json!({ "type": "chat", "text": "hi" })).await;
    let said = json!({ "type": "chat-message", "from": "Ann B", "text": "hi" });
    for client in [&mut ann, &mut guest] {
        client.expect(&said).await;
    }
    guest.close().await;
    let left = json!({ "type": "user-left", "username": "Guest" });
    ann.expect(left).await;
}

pub(crate) async fn a_query_with_two_names_is_refused(world: &dyn World) {
    let (status, body) = refused(world, "/mock/ws/chat?username=a&username=b", &[]).await;
    assert_eq!(status, 400);
    let expected = "the query: `username` has several values where one is wanted";
    assert_eq!(body, expected);
}

pub(crate) async fn a_game_has_a_room_of_its_own(world: &dyn World) {
    let mut players = Vec::new();
    for _ in 0..3 {
        let mut player = connect(world, "/mock/ws/game").await;
        player.expect(json!({ "type": "joined-lobby" })).await;
        players.push(player);
    }
    let [mut host, mut guest, mut other] = <[Client; 3]>::try_from(players).ok().unwrap();
    let created = host.ask(json!({ "type": "create-game" })).await;
    assert_eq!(created["type"], "game-created");
    let game = created["gameId"].as_str().unwrap();
    let elsewhere = other.ask(json!({ "type": "create-game" })).await;
    assert_ne!(elsewhere["gameId"], game);

    guest
        .send(json!({ "type": "join-game", "gameId": game }))
        .await;
    let joined = host.json().await;
    assert_eq!(joined["type"], "player-joined");
    let action = json!({ "x": 1 });
    guest
        .send(json!({ "type": "game-action", "action": action }))
        .await;
    let player = &joined["playerId"];
    let update = json!({ "type": "game-update", "action": action, "playerId": player });
    for client in [&mut host, &mut guest] {
        client.expect(&update).await;
    }
    // Only the messages of its own game.
    let own = other
        .ask(json!({ "type": "game-action", "action": 2 }))
        .await;
    assert_eq!(own["action"], 2);
}

pub(crate) async fn only_a_good_token_is_let_in(world: &dyn World) {
    let mut client = connect(world, "/mock/ws/private?token=good").await;
    client.expect(json!({ "type": "authenticated" })).await;
    for query in ["", "?token=", "?token=bad", "?token=broken"] {
        let path = format!("/mock/ws/private{query}");
        assert_eq!(refused(world, &path, &[]).await.0, 401, "{query}");
    }
}

pub(crate) async fn the_first_common_protocol_is_named(world: &dyn World) {
    for (offer, named) in [
        (Some("chat.v1, chat.v2"), Some("chat.v2")),
        (Some("other, chat.v1"), Some("chat.v1")),
        (Some("other"), None),
        (None, None),
    ] {
        let headers: Vec<_> = offer
            .map(|offer| ("sec-websocket-protocol", offer))
            .into_iter()
            .collect();
        let mut client = connect_with(world, "/mock/ws/protocols", &headers)
            .await
            .unwrap();
        let answer = client.response.headers().get("sec-websocket-protocol");
        assert_eq!(
            answer.map(|name| name.to_str().unwrap()),
            named,
            "{offer:?}"
        );
        client.expect(json!({ "protocol": named })).await;
    }
}

pub(crate) async fn a_failed_hook_is_reported_and_the_client_stays(world: &dyn World) {
    let mut client = connect(world, "/mock/ws/fails").await;
    let told = client.ask("fail").await;
    assert_eq!(told, json!({ "type": "error", "message": "boom" }));
    client.send("on").await;
    client.expect_text("on").await;
}

fn order(kind: &str, room: &str) -> Value {
    json!({ "type": kind, "room": room })
}

pub(crate) async fn rooms_are_joined_and_left_and_get_each_message_once(world: &dyn World) {
    let path = "/mock/ws/rooms";
    let mut ann = connect(world, path).await;
    let mut bob = connect(world, path).await;
    let mut eve = connect(world, path).await;
    let rooms = |rooms: &[&str]| json!({ "type": "rooms", "rooms": rooms });
    assert_eq!(ann.ask(order("join", "red")).await, rooms(&["red"]));
    assert_eq!(
        ann.ask(order("join", "blue")).await,
        rooms(&["blue", "red"])
    );
    assert_eq!(bob.ask(order("join", "red")).await, rooms(&["red"]));
    assert_eq!(
        bob.ask(order("join", "blue")).await,
        rooms(&["blue", "red"])
    );
    assert_eq!(eve.ask(order("join", "green")).await, rooms(&["green"]));
    ann.send(json!({ "type": "all", "data": [1] })).await;
    bob.expect(json!({ "type": "all", "data": [1] })).await;
    // Bob gets it once. The sender, and peers that are in none of its rooms, do not get it.
    assert_eq!(bob.ask(order("leave", "blue")).await, rooms(&["red"]));
    assert_eq!(ann.ask(order("leave", "red")).await, rooms(&["blue"]));
    assert_eq!(eve.ask(order("leave", "green")).await, rooms(&[]));
    ann.send(json!({ "type": "all", "data": 2 })).await;
    assert_eq!(ann.ask(order("leave", "blue")).await, rooms(&[]));
    assert_eq!(bob.ask(order("leave", "red")).await, rooms(&[]));
}

pub(crate) async fn some_rooms_get_a_message_and_members_of_others_are_excluded(world: &dyn World) {
    let path = "/mock/ws/rooms";
    let mut members = Vec::new();
    for rooms in [&["red"][..], &["red", "blue"], &["blue", "green"]] {
        let mut member = connect(world, path).await;
        for room in rooms {
            member.ask(order("join", room)).await;
        }
        members.push(member);
    }
    let only = json!({
        "type": "only", "rooms": ["red", "blue"], "except": ["green"], "data": 7
    });
    members[0].send(only).await;
    members[1].expect(json!({ "type": "all", "data": 7 })).await;
    // The second member gets it once. The sender and the member of the other room do not get it.
    for member in &mut members {
        let told = member.ask(order("leave", "none")).await;
        assert_eq!(told["type"], "rooms");
    }
}

pub(crate) async fn one_rule_at_most_responds(world: &dyn World) {
    let mut ann = connect(world, "/mock/ws/echo").await;
    let mut bob = connect(world, "/mock/ws/echo").await;
    for client in [&mut ann, &mut bob] {
        let answer = client.ask(json!({ "type": "ping" })).await;
        assert_eq!(answer, json!({ "type": "pong" }));
    }
    for data in [json!(7), json!("x"), json!({ "a": [null] }), json!(null)] {
        let echo = json!({ "type": "echo", "data": data });
        assert_eq!(ann.ask(&echo).await, echo);
    }
    ann.send(json!({ "type": "announce", "text": "hi" })).await;
    for client in [&mut ann, &mut bob] {
        let told = json!({ "type": "announcement", "text": "hi" });
        client.expect(&told).await;
    }
    for other in [
        json!({ "type": "echo" }),
        json!({ "type": "announce" }),
        json!({ "type": "pings" }),
        json!({ "kind": "ping" }),
        json!([1, "ping"]),
        json!("ping"),
        json!(null),
    ] {
        let fallback = json!({ "type": "fallback", "data": other });
        assert_eq!(ann.ask(&other).await, fallback);
    }
    for text in ["ping", "", "{\"type\":\"ping\"", " no json "] {
        let fallback = json!({ "type": "fallback", "data": text });
        assert_eq!(ann.ask(text).await, fallback);
    }
}

pub(crate) async fn a_frame_is_shown_as_it_was_read(world: &dyn World) {
    let mut client = connect(world, "/mock/ws/data").await;
    for (text, value) in [
        (r#"{"a":[1,2.5,null]}"#, json!({ "a": [1, 2.5, null] })),
        ("7", json!(7)),
        (r#""text""#, json!("text")),
    ] {
        let shown = json!({ "kind": "json", "value": value });
        assert_eq!(client.ask(text).await, shown);
    }
    let deep = format!("{}{}", "[".repeat(120), "]".repeat(120));
    let long = format!("[0{}]", ",0".repeat(70_000));
    for text in [&deep, &long] {
        let shown = client.ask(text).await;
        assert_eq!(shown["kind"], "json");
        assert_eq!(shown["value"].to_string(), *text);
    }
    for text in ["hello", "", "{"] {
        let shown = json!({ "kind": "text", "value": text });
        assert_eq!(client.ask(text).await, shown);
    }
    client.frame(Frame::Binary(b"{}\xff".to_vec())).await;
    client
        .expect(json!({ "kind": "binary", "length": 3 }))
        .await;
}

pub(crate) async fn texts_reach_the_hook_in_upper_case(world: &dyn World) {
    let mut client = connect(world, "/mock/ws/upper").await;
    for (sent, heard) in [
        ("hello", "HELLO"),
        ("stra\u{df}e \u{e9}", "STRASSE \u{c9}"),
        ("", ""),
    ] {
        client.send(sent).await;
        client.expect_text(heard).await;
    }
}

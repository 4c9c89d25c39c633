//! Messages of the application's types, and the handling of others.

use serde_json::{Value, json};

use crate::{Ask, Event, Frame, Peer, Scene, Stage};

group! {
    a_typed_hook_receives_and_sends_its_own_types: [],
    a_malformed_message_is_answered_and_the_connection_stays: [],
    a_malformed_message_closes_with_1007_by_default: [CLOSE_CODE],
    a_message_that_is_too_deep_is_refused_by_name: [],
    clients_are_told_of_errors_where_a_route_says_so: [],
    json_is_read_as_json_else_text_else_bytes: [BINARY],
    clients_receive_publications_in_the_format_of_their_subprotocol: [PUBSUB, SUBPROTOCOL, BINARY],
    a_later_subscriber_gets_the_retained_message_in_its_format:
        [PUBSUB, SUBPROTOCOL, BINARY, RETAINED],
}

const ROOM: &str = "/routed/spoken/room";

async fn json(peer: &mut Peer) -> Value {
    serde_json::from_str(&peer.text().await).unwrap()
}

async fn a_typed_hook_receives_and_sends_its_own_types(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join(ROOM, "a").await;
    let said = json!({"type": "back", "value": [1, {"x": null}]});
    for _ in 0..2 {
        peer.say(&said.to_string()).await;
        assert_eq!(json(&mut peer).await, said);
    }
}

async fn a_malformed_message_is_answered_and_the_connection_stays(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join(ROOM, "a").await;
    for text in ["{", "[]", "{\"type\":\"shout\"}", "{\"type\":\"all\",\"text\":1}"] {
        peer.say(text).await;
        let reply = json(&mut peer).await;
        assert_eq!(reply["type"], "error", "{text}");
        assert!(reply["message"].is_string(), "{text}");
    }
    peer.say("{\"type\":\"back\",\"value\":1}").await;
    assert_eq!(json(&mut peer).await["value"], 1);
}

async fn a_malformed_message_closes_with_1007_by_default(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/routed/spoken/strict", "a").await;
    peer.say("{").await;
    assert_eq!(peer.closes_at_last().await.0, 1007);
}

async fn clients_are_told_of_errors_where_a_route_says_so(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/routed/spoken/frank", "a").await;
    for _ in 0..2 {
        peer.say("cold").await;
        let told = json!({"type": "error", "message": "`cold` is not fine"});
        assert_eq!(json(&mut peer).await, told);
        peer.say("fine").await;
        peer.hears("fine").await;
    }
}

async fn a_message_that_is_too_deep_is_refused_by_name(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join(ROOM, "a").await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    peer.say(&format!("{{\"type\":\"back\",\"value\":{deep}}}")).await;
    let reply = json(&mut peer).await;
    let message = reply["message"].as_str().unwrap();
    assert!(message.contains("deeper than 64 levels"), "{message}");
}

async fn json_is_read_as_json_else_text_else_bytes(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/routed/spoken/auto", "a").await;
    for (frame, heard) in [
        (Frame::Text("{\"a\":[1]}".to_owned()), json!({"kind": "json", "value": {"a": [1]}})),
        (Frame::Text("hello".to_owned()), json!({"kind": "text", "value": "hello"})),
        (Frame::Binary(vec![b'1', b'2']), json!({"kind": "binary", "length": 2})),
    ] {
        peer.send(frame).await;
        assert_eq!(json(&mut peer).await, heard);
    }
}

/// A map with two members: `type` is this one, and `text` is a text of two bytes.
fn packed(kind: &str, text: &[u8; 2]) -> Vec<u8> {
    let len = [0xa0 + kind.len() as u8];
    let name = [len.as_slice(), kind.as_bytes()];
    [b"\x82\xa4type".as_slice(), &name.concat(), b"\xa4text\xa2", text].concat()
}

async fn speaks_message_pack(stage: &Stage, who: &str) -> Peer {
    let offer = [("sec-websocket-protocol", "room.msgpack")];
    let peer = stage.try_connect(ROOM, Ask::named(who), &offer).await;
    let peer = peer.unwrap_or_else(|refused| panic!("{refused:?}"));
    stage.wait(who, "open.end").await;
    assert_eq!(peer.header("sec-websocket-protocol"), Some("room.msgpack"));
    peer
}

async fn clients_receive_publications_in_the_format_of_their_subprotocol(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut ann = stage.join(ROOM, "a").await;
    let mut bob = speaks_message_pack(&stage, "b").await;
    ann.say("{\"type\":\"all\",\"text\":\"hi\"}").await;
    assert_eq!(json(&mut ann).await, json!({"type": "all", "text": "hi"}));
    assert_eq!(bob.next().await, Event::Binary(packed("all", b"hi")));
    bob.send(Frame::Binary(packed("all", b"yo"))).await;
    assert_eq!(bob.next().await, Event::Binary(packed("all", b"yo")));
    assert_eq!(json(&mut ann).await, json!({"type": "all", "text": "yo"}));
    // Each publication arrives once.
    ann.say("{").await;
    assert_eq!(json(&mut ann).await["type"], "error");
}

async fn a_later_subscriber_gets_the_retained_message_in_its_format(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut ann = stage.join(ROOM, "a").await;
    let kept = json!({"type": "keep", "text": "hi"});
    ann.say(&kept.to_string()).await;
    assert_eq!(json(&mut ann).await, kept);
    let mut bob = speaks_message_pack(&stage, "b").await;
    assert_eq!(bob.next().await, Event::Binary(packed("keep", b"hi")));
    let mut cid = stage.join(ROOM, "c").await;
    assert_eq!(json(&mut cid).await, kept);
    // Once.
    cid.say("{").await;
    assert_eq!(json(&mut cid).await["type"], "error");
}

//! Declarative responses around hooks.

use serde_json::{Value, json};

use crate::{Peer, Scene};

group! {
    the_first_rule_that_applies_responds: [],
    a_message_without_a_rule_reaches_the_hooks: [],
    a_rule_publishes_with_the_sender_or_without: [PUBSUB],
}

const RULES: &str = "/routed/spoken/rules";

async fn json(peer: &mut Peer) -> Value {
    serde_json::from_str(&peer.text().await).unwrap()
}

async fn the_first_rule_that_applies_responds(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join(RULES, "a").await;
    for (said, heard) in [
        (r#"{"type":"ping"}"#, json!({"type": "pong"})),
        (r#"{"type":"echo","data":[1]}"#, json!({"type": "echo", "data": [1]})),
        (r#"{"type":"echo"}"#, json!({"type": "echo", "data": null})),
    ] {
        peer.say(said).await;
        assert_eq!(json(&mut peer).await, heard);
    }
    peer.say("hello there").await;
    peer.hears("hello there to you").await;
}

async fn a_message_without_a_rule_reaches_the_hooks(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join(RULES, "a").await;
    peer.say(r#"{"type":"pinG"}"#).await;
    assert_eq!(json(&mut peer).await, json!({"kind": "json", "value": {"type": "pinG"}}));
    peer.say("ping").await;
    assert_eq!(json(&mut peer).await, json!({"kind": "text", "value": "ping"}));
}

async fn a_rule_publishes_with_the_sender_or_without(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut ann = stage.join(RULES, "a").await;
    let mut bob = stage.join(RULES, "b").await;
    ann.say(r#"{"type":"tell","text":"news"}"#).await;
    bob.hears("news").await;
    ann.say(r#"{"type":"tell","text":"news","loud":true}"#).await;
    ann.hears("LOUD").await;
    bob.hears("LOUD").await;
    for peer in [&mut ann, &mut bob] {
        peer.say(r#"{"type":"ping"}"#).await;
        assert_eq!(json(peer).await, json!({"type": "pong"}));
    }
}

//! Events by name, and calls in both directions, as JSON-RPC 2.0.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{Peer, Scene};

group! {
    a_method_answers_a_call_by_its_id: [],
    mistakes_of_a_call_have_the_codes_of_the_specification: [],
    a_batch_is_answered_in_one_message: [],
    an_event_runs_its_handler_without_a_reply: [],
    methods_run_while_later_messages_are_read: [EXPIRY] in memory,
    a_call_to_the_client_yields_its_answer: [] in memory,
    a_call_without_an_answer_times_out: [EXPIRY],
}

const CALLS: &str = "/routed/spoken/calls";

async fn json(peer: &mut Peer) -> Value {
    serde_json::from_str(&peer.text().await).unwrap()
}

async fn say(peer: &mut Peer, value: Value) {
    peer.say(&value.to_string()).await;
}

fn call(method: &str, params: Value, id: u32) -> Value {
    json!({"jsonrpc": "2.0", "method": method, "params": params, "id": id})
}

async fn a_method_answers_a_call_by_its_id(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join(CALLS, "a").await;
    for id in [7, 8] {
        say(&mut peer, call("add", json!([40, 2]), id)).await;
        assert_eq!(json(&mut peer).await, json!({"jsonrpc": "2.0", "id": id, "result": 42}));
    }
}

async fn mistakes_of_a_call_have_the_codes_of_the_specification(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join(CALLS, "a").await;
    for (text, code) in [
        ("{".to_owned(), -32_700),
        ("[]".to_owned(), -32_600),
        ("{\"id\":1}".to_owned(), -32_600),
        (call("nothing", json!([]), 1).to_string(), -32_601),
        (call("add", json!(["x"]), 1).to_string(), -32_602),
    ] {
        peer.say(&text).await;
        assert_eq!(json(&mut peer).await["error"]["code"], code, "{text}");
    }
}

async fn a_batch_is_answered_in_one_message(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join(CALLS, "a").await;
    let note = json!({"jsonrpc": "2.0", "method": "nobody"});
    let batch = [call("add", json!([1, 1]), 1), note, call("nothing", json!([]), 2)];
    say(&mut peer, batch.into_iter().collect()).await;
    let answers = json(&mut peer).await;
    let mut ids: Vec<_> = answers.as_array().unwrap().iter().map(|it| it["id"].as_u64()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [Some(1), Some(2)]);
}

async fn an_event_runs_its_handler_without_a_reply(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join(CALLS, "a").await;
    say(&mut peer, json!({"jsonrpc": "2.0", "method": "nobody"})).await;
    say(&mut peer, json!({"jsonrpc": "2.0", "method": "note", "params": {"a": 1}})).await;
    let noted = json!({"jsonrpc": "2.0", "method": "noted", "params": {"a": 1}});
    assert_eq!(json(&mut peer).await, noted);
}

async fn methods_run_while_later_messages_are_read(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join(CALLS, "a").await;
    say(&mut peer, call("wait", json!(["gate"]), 1)).await;
    say(&mut peer, call("add", json!([1, 1]), 2)).await;
    assert_eq!(json(&mut peer).await["id"], 2);
    stage.release("gate").await;
    assert_eq!(json(&mut peer).await["id"], 1);
}

async fn a_call_to_the_client_yields_its_answer(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join(CALLS, "a").await;
    say(&mut peer, call("ask", json!(["who?", 60_000]), 1)).await;
    let asked = json(&mut peer).await;
    assert_eq!(asked["method"], "question");
    assert_eq!(asked["params"], json!(["who?"]));
    say(&mut peer, json!({"jsonrpc": "2.0", "id": asked["id"], "result": "ann"})).await;
    assert_eq!(json(&mut peer).await["result"], "answer ann");
}

async fn a_call_without_an_answer_times_out(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join(CALLS, "a").await;
    say(&mut peer, call("ask", json!(["who?", 500]), 1)).await;
    let asked = json(&mut peer).await;
    stage.advance(Duration::from_millis(500)).await;
    assert_eq!(json(&mut peer).await["method"], "$/cancelRequest");
    assert_eq!(json(&mut peer).await["result"], "timeout");
    // It is too late, and ignored.
    say(&mut peer, json!({"jsonrpc": "2.0", "id": asked["id"], "result": "ann"})).await;
    say(&mut peer, call("add", json!([1, 1]), 2)).await;
    assert_eq!(json(&mut peer).await["result"], 2);
}

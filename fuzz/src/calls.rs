use std::time::Duration;

use crossws_app::calls::{Calls, Failure, PeerCalls, WireForm, calls};
use crossws_core::{Hooks, Json, Peer, hooks};
use crossws_memory::TestServer;
use futures_lite::future::block_on;
use serde_json::{Value, json};

const MAX_RUNNING: usize = 4;

fn app(form: WireForm) -> Calls<impl Hooks> {
    calls(hooks())
        .form(form)
        .max_running(MAX_RUNNING)
        .max_pending(3)
        .max_batch(6)
        .method(
            "m",
            |_: Peer, args: Value| async move { Ok::<_, Failure>(args) },
        )
        .method("s", |peer: Peer, _: Value| async move {
            peer.sleep(Duration::from_secs(5)).await;
            Ok::<_, Failure>(())
        })
        .event("e", |peer: Peer, _: Value| async move {
            peer.clone().spawn(async move {
                // The client decides whether to answer.
                let _ = peer.call::<Value>("c", ()).await;
            });
        })
}

/// Treats each line as a message to calls in one form or the other. The connection stays open,
/// every reply has that form, and a call at the end is answered.
pub fn messages_to_calls(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let form = match first % 2 {
        0 => WireForm::Plain,
        _ => WireForm::JsonRpc,
    };
    block_on(async {
        let server = TestServer::new(app(form));
        let Ok(mut client) = server.connect("/").await else {
            panic!("not connected");
        };
        for line in rest.split(|byte| *byte == b'\n').take(64) {
            let Ok(text) = std::str::from_utf8(line) else {
                continue;
            };
            client.send(text).expect("an open connection");
            server.settle().await;
            while let Some(message) = client.try_next() {
                check(form, &message.json().expect("JSON"));
            }
        }
        server.advance(Duration::from_secs(20)).await;
        while client.try_next().is_some() {}
        let call = match form {
            WireForm::JsonRpc => json!({"jsonrpc": "2.0", "method": "m", "params": [7], "id": "z"}),
            _ => json!({"call": "m", "id": "z", "args": [7]}),
        };
        client.send(Json(call)).expect("an open connection");
        let answer: Value = client
            .next()
            .await
            .expect("an answer")
            .json()
            .expect("JSON");
        assert_eq!(
            (&answer["id"], &answer["result"]),
            (&json!("z"), &json!([7]))
        );
    });
}

fn check(form: WireForm, message: &Value) {
    if let (WireForm::JsonRpc, Value::Array(batch)) = (form, message) {
        assert!((1..=6).contains(&batch.len()));
        return batch.iter().for_each(|message| check(form, message));
    }
    assert!(form == WireForm::Plain || message["jsonrpc"] == "2.0");
    let members: Vec<&str> = ["result", "error", "call", "method", "cancel", "event"]
        .into_iter()
        .filter(|name| message.get(name).is_some())
        .collect();
    assert_eq!(members.len(), 1, "{message}");
}

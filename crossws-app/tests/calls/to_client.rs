use std::time::Duration;

use crossws_app::calls::{CallError, Failure, PeerCalls, calls, event};
use crossws_core::{BoxError, CloseCode, Hooks, Peer, hooks};
use futures_lite::future::poll_once;
use serde_json::json;

use crate::common::*;

/// Asks the client, and tells it the outcome.
fn asks() -> impl Hooks {
    calls(hooks())
        .max_pending(3)
        .event("ask", |peer: Peer, question: String| async move {
            peer.clone().spawn(async move {
                let asked = peer
                    .call::<u8>("question", question)
                    .timeout(Duration::from_secs(5));
                let outcome = match asked.await {
                    Ok(answer) => format!("answer {answer}"),
                    Err(CallError::Failed(failure)) => format!("failed {}", failure.code),
                    Err(CallError::Timeout(after)) => format!("timeout {after:?}"),
                    Err(CallError::TooMany(most)) => format!("too many {most}"),
                    Err(CallError::Decode(_)) => "decode".to_owned(),
                    Err(error) => error.to_string(),
                };
                peer.emit("outcome", outcome)
            });
        })
        .method("through", |peer: Peer, question: String| async move {
            peer.call::<String>("question", question).await
        })
}

fn outcome(text: &str) -> serde_json::Value {
    json!({"event": "outcome", "payload": text})
}

#[test]
fn a_call_to_the_client_yields_its_answer() {
    block_on(async {
        let (_server, mut client) = connect(asks()).await;
        for (answer, expected) in [
            (json!({"result": 7}), "answer 7"),
            (json!({"result": 256}), "decode"),
            (json!({"result": null}), "decode"),
            (json!({"error": {"code": 5, "message": "no"}}), "failed 5"),
            (json!({"error": "no"}), "failed 0"),
        ] {
            say(&mut client, json!({"event": "ask", "payload": "how many?"}));
            let call = next(&mut client).await;
            assert_eq!(call["call"], "question");
            assert_eq!(call["args"], "how many?");
            let mut answer = answer;
            answer["id"] = call["id"].clone();
            say(&mut client, answer);
            assert_eq!(next(&mut client).await, outcome(expected));
        }
    });
}

/// It is logged where a method fails with it.
#[test]
fn the_error_of_a_client_is_one_line_of_bounded_length() {
    let failure = Failure::new(1, "\nERROR forged".repeat(10_000));
    let text = CallError::from(failure).to_string();
    assert!(text.len() < 1_200 && !text.contains('\n'), "{text}");
}

#[test]
fn a_method_may_call_the_client_back() {
    block_on(async {
        let (_server, mut client) = connect(asks()).await;
        say(
            &mut client,
            json!({"call": "through", "id": 9, "args": "name?"}),
        );
        let call = next(&mut client).await;
        say(&mut client, json!({"id": call["id"], "result": "ann"}));
        assert_eq!(next(&mut client).await, json!({"id": 9, "result": "ann"}));
    });
}

#[test]
fn a_call_without_an_answer_times_out_and_a_late_one_is_ignored() {
    block_on(async {
        let (server, mut client) = connect(asks()).await;
        say(&mut client, json!({"event": "ask", "payload": ""}));
        let call = next(&mut client).await;
        server.advance(Duration::from_millis(4_999)).await;
        silent(&server, &mut client).await;
        server.advance(Duration::from_millis(1)).await;
        assert_eq!(next(&mut client).await, json!({"cancel": call["id"]}));
        assert_eq!(next(&mut client).await, outcome("timeout 5s"));
        say(&mut client, json!({"id": call["id"], "result": 1}));
        // Answers to calls that were never made, and twice.
        for id in [json!(99), json!("x"), json!(-1), json!(null), json!([1])] {
            say(&mut client, json!({"id": id, "result": 1}));
        }
        silent(&server, &mut client).await;
        say(&mut client, json!({"event": "ask", "payload": ""}));
        let call = next(&mut client).await;
        say(&mut client, json!({"id": call["id"], "result": 2}));
        say(&mut client, json!({"id": call["id"], "result": 3}));
        assert_eq!(next(&mut client).await, outcome("answer 2"));
        silent(&server, &mut client).await;
    });
}

#[test]
fn no_more_calls_wait_than_may() {
    block_on(async {
        let (_server, mut client) = connect(asks()).await;
        let mut ids = Vec::new();
        for _ in 0..3 {
            say(&mut client, json!({"event": "ask", "payload": ""}));
            ids.push(next(&mut client).await["id"].clone());
        }
        say(&mut client, json!({"event": "ask", "payload": ""}));
        assert_eq!(next(&mut client).await, outcome("too many 3"));
        // In any order.
        say(&mut client, json!({"id": ids[1], "result": 1}));
        assert_eq!(next(&mut client).await, outcome("answer 1"));
        say(&mut client, json!({"event": "ask", "payload": ""}));
        assert_eq!(next(&mut client).await["call"], "question");
    });
}

#[test]
fn calls_fail_when_the_connection_ends() {
    let server = crossws_memory::TestServer::new(asks());
    block_on(async {
        for vanishes in [true, false] {
            let mut client = server.connect("/").await.unwrap();
            let peer = server.hub().peer(client.id()).unwrap();
            // From outside of the connection's own tasks, which are dropped with it.
            let mut call = peer.call::<()>("question", ()).into_future();
            assert!(poll_once(&mut call).await.is_none());
            next(&mut client).await;
            match vanishes {
                true => client.vanish(),
                false => client.close(CloseCode::NORMAL, ""),
            }
            server.settle().await;
            assert!(matches!(call.await, Err(CallError::Closed)));
            let late = peer.call::<()>("question", ()).await;
            assert!(matches!(late, Err(CallError::Closed)));
        }
        assert_eq!(server.now(), Duration::ZERO);
    });
}

#[test]
fn a_route_without_calls_makes_none() {
    let app = hooks().on_message(|peer: Peer, _| async move {
        let result = peer.call::<()>("question", ()).await;
        assert!(matches!(result, Err(CallError::NoCalls)));
        peer.emit("event", ()).unwrap_err();
        peer.send("\"none\"")?;
        Ok::<_, BoxError>(())
    });
    block_on(async {
        let (_server, mut client) = connect(app).await;
        say(&mut client, json!(1));
        assert_eq!(next(&mut client).await, "none");
    });
}

#[test]
fn an_event_goes_where_messages_go() {
    let typing = |peer: Peer, room: String| async move {
        peer.subscribe(&room)?;
        let to = peer.to(&room).including_self();
        to.clone().send(event("typing", ("ann", 3)))?;
        to.clone().send(event("typing", &room).json_rpc())?;
        assert!(to.send(event("typing", f64::NAN)).is_ok(), "JSON has null");
        Ok::<_, BoxError>(())
    };
    block_on(async {
        let (_server, mut client) = connect(calls(hooks()).event("typing", typing)).await;
        say(&mut client, json!({"event": "typing", "payload": "news"}));
        let plain = json!({"event": "typing", "payload": ["ann", 3]});
        assert_eq!(next(&mut client).await, plain);
        let rpc = json!({"jsonrpc": "2.0", "method": "typing", "params": ["news"]});
        assert_eq!(next(&mut client).await, rpc);
        let nothing = json!({"event": "typing", "payload": null});
        assert_eq!(next(&mut client).await, nothing);
    });
}

use std::time::Duration;

use crossws_app::calls::{Calls, PeerCalls, calls};
use crossws_core::{BoxError, Hooks, Message, OnError, Peer, hooks};
use serde_json::{Value, json};

use crate::common::*;
use crate::methods;

fn app() -> Calls<impl Hooks> {
    methods::app()
        .json_rpc()
        .max_batch(5)
        .event("note", |peer: Peer, note: Value| async move {
            peer.emit("noted", note)
        })
        .event("ask", |peer: Peer, _: Value| async move {
            peer.clone().spawn(async move {
                let answer: Value = peer.call("question", "how?").await?;
                peer.emit("answered", json!({"with": answer}))?;
                crossws_core::ok()
            });
        })
}

fn error(code: i64, id: Value) -> impl Fn(&Value) {
    move |answer| {
        assert_eq!(answer["jsonrpc"], "2.0", "{answer}");
        assert_eq!(answer["error"]["code"], code, "{answer}");
        assert_eq!(answer["id"], id, "{answer}");
    }
}

/// The examples of the specification, section 7, as far as they are of one kind each.
#[test]
fn requests_are_answered_as_the_specification_says() {
    let rpc = "\"jsonrpc\":\"2.0\"";
    block_on(async {
        let (server, mut client) = connect(app()).await;
        say(
            &mut client,
            json!({"jsonrpc": "2.0", "method": "add", "params": [1, 2], "id": 1}),
        );
        assert_eq!(
            next(&mut client).await,
            json!({"jsonrpc": "2.0", "id": 1, "result": 3})
        );
        for (sent, code, id) in [
            (
                format!(r#"{{{rpc},"method":"foobar","id":"1"}}"#),
                -32_601,
                json!("1"),
            ),
            (
                format!(r#"{{{rpc},"method":"foobar, "params":"bar","baz]"#),
                -32_700,
                json!(null),
            ),
            (
                format!(r#"{{{rpc},"method":1,"params":"bar"}}"#),
                -32_600,
                json!(null),
            ),
            (
                format!(r#"{{{rpc},"method":"add","params":"bar","id":7}}"#),
                -32_600,
                json!(7),
            ),
            (
                format!(r#"{{{rpc},"method":"add","params":[1],"id":8}}"#),
                -32_602,
                json!(8),
            ),
            (
                format!(r#"{{{rpc},"method":"add","params":[1,1],"id":{{}}}}"#),
                -32_600,
                json!(null),
            ),
            (
                r#"{"method":"add","params":[1,1],"id":9}"#.to_owned(),
                -32_600,
                json!(9),
            ),
            ("[]".to_owned(), -32_600, json!(null)),
            ("1".to_owned(), -32_600, json!(null)),
            ("[1]".to_owned(), -32_600, json!(null)),
        ] {
            let in_batch = sent == "[1]";
            client.send(sent).unwrap();
            let answer = next(&mut client).await;
            error(code, id)(if in_batch { &answer[0] } else { &answer });
        }
        // Notifications are never answered, whatever is wrong with them.
        for method in ["foobar", "add", "fail"] {
            say(
                &mut client,
                json!({"jsonrpc": "2.0", "method": method, "params": [1]}),
            );
        }
        silent(&server, &mut client).await;
        say(
            &mut client,
            json!({"jsonrpc": "2.0", "method": "note", "params": {"a": 1}}),
        );
        let noted = json!({"jsonrpc": "2.0", "method": "noted", "params": {"a": 1}});
        assert_eq!(next(&mut client).await, noted);
    });
}

#[test]
fn a_batch_is_answered_in_one_message_without_its_notifications() {
    block_on(async {
        let (server, mut client) = connect(app()).await;
        say(
            &mut client,
            json!([
                {"jsonrpc": "2.0", "method": "sleep", "params": [100], "id": 0},
                {"jsonrpc": "2.0", "method": "add", "params": [1, 2], "id": 1},
                {"jsonrpc": "2.0", "method": "nobody", "params": [1]},
                {"foo": "boo"},
                {"jsonrpc": "2.0", "method": "none", "id": 5}
            ]),
        );
        let answers = next(&mut client).await;
        let answer = |id: Value| {
            let mut all = answers.as_array().unwrap().iter();
            all.find(|answer| answer["id"] == id).unwrap()
        };
        assert_eq!(answers.as_array().unwrap().len(), 4);
        // `sleep` takes a number, and a list is what it got.
        error(-32_602, json!(0))(answer(json!(0)));
        assert_eq!(answer(json!(1))["result"], 3);
        error(-32_600, json!(null))(answer(json!(null)));
        error(-32_601, json!(5))(answer(json!(5)));
        let note = json!({"jsonrpc": "2.0", "method": "nobody"});
        say(&mut client, json!([note, note]));
        silent(&server, &mut client).await;
        say(&mut client, json!(vec![note; 6]));
        error(-32_600, json!(null))(&next(&mut client).await);
    });
}

#[test]
fn a_withdrawn_request_is_answered_with_the_code_of_the_language_server_protocol() {
    block_on(async {
        let (server, mut client) = connect(app().method("wait", |peer: Peer, ()| async move {
            peer.closed().await;
            crossws_core::ok()
        }))
        .await;
        let wait = json!({"jsonrpc": "2.0", "method": "wait", "id": 1});
        let cancel = json!({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 1}});
        say(&mut client, wait.clone());
        say(&mut client, cancel.clone());
        error(-32_800, json!(1))(&next(&mut client).await);
        // Once, and in its batch.
        say(&mut client, json!([wait, cancel]));
        error(-32_800, json!(1))(&next(&mut client).await[0]);
        say(&mut client, cancel);
        silent(&server, &mut client).await;
    });
}

#[test]
fn an_event_that_fails_keeps_no_call_of_its_batch_from_its_answer() {
    let inside = hooks().on_error(|_, _| async move { OnError::Keep });
    let app = calls(inside)
        .json_rpc()
        .method("one", |_: Peer, ()| async move { Ok::<_, BoxError>(1) })
        .event("fail", |_: Peer, (): ()| async move {
            Err::<(), BoxError>("oops".into())
        });
    block_on(async {
        let (_server, mut client) = connect(app).await;
        say(
            &mut client,
            json!([
                {"jsonrpc": "2.0", "method": "fail"},
                {"jsonrpc": "2.0", "method": "one", "id": 1}
            ]),
        );
        assert_eq!(next(&mut client).await[0]["result"], 1);
    });
}

#[test]
fn the_server_calls_a_json_rpc_client() {
    block_on(async {
        let (server, mut client) = connect(app()).await;
        say(&mut client, json!({"jsonrpc": "2.0", "method": "ask"}));
        let call = next(&mut client).await;
        let asked =
            json!({"jsonrpc": "2.0", "method": "question", "params": ["how?"], "id": call["id"]});
        assert_eq!(call, asked);
        say(
            &mut client,
            json!({"jsonrpc": "2.0", "id": call["id"], "result": "so"}),
        );
        let answered = json!({"jsonrpc": "2.0", "method": "answered", "params": {"with": "so"}});
        assert_eq!(next(&mut client).await, answered);
        say(&mut client, json!({"jsonrpc": "2.0", "method": "ask"}));
        let call = next(&mut client).await;
        server.advance(Duration::from_secs(10)).await;
        let withdrawn =
            json!({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": call["id"]}});
        assert_eq!(next(&mut client).await, withdrawn);
    });
}

#[test]
fn a_request_too_deep_is_refused_by_name() {
    block_on(async {
        let (_server, mut client) = connect(app()).await;
        client.send(Message::from("[".repeat(10_000))).unwrap();
        let answer = next(&mut client).await;
        error(-32_600, json!(null))(&answer);
        assert!(answer.to_string().contains("deeper than 64 levels"));
    });
}

#[test]
fn a_notification_with_a_methods_name_runs_it_and_is_not_answered() {
    let app = app().method("shout", |peer: Peer, (text,): (String,)| async move {
        peer.send(json!({"shouted": text}).to_string()).map(drop)
    });
    block_on(async {
        let (server, mut client) = connect(app).await;
        say(
            &mut client,
            json!({"jsonrpc": "2.0", "method": "shout", "params": ["hi"]}),
        );
        assert_eq!(next(&mut client).await, json!({"shouted": "hi"}));
        silent(&server, &mut client).await;
        // In a batch of notifications too, and where the parameters do not fit.
        let one = json!({"jsonrpc": "2.0", "method": "shout", "params": ["again"]});
        let other = json!({"jsonrpc": "2.0", "method": "shout", "params": {"a": 1}});
        say(&mut client, json!([one, other]));
        assert_eq!(next(&mut client).await, json!({"shouted": "again"}));
        silent(&server, &mut client).await;
    });
}

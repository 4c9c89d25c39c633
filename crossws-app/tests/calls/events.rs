use crossws_app::OnMalformed;
use crossws_app::calls::{Calls, Event, PeerCalls, calls};
use crossws_core::{Hooks, Message, Peer, hooks};
use serde::Deserialize;
use serde_json::json;

use crate::common::*;

#[derive(Deserialize)]
struct Typing {
    name: String,
}

fn app() -> Calls<impl Hooks> {
    let inside = hooks()
        .on_open(|peer| async move { peer.emit("hello", ()) })
        .on_message(|peer: Peer, message: Message| async move {
            peer.send(format!("\"inside {}\"", message.len()))
        });
    calls(inside)
        .event("typing", |peer: Peer, typing: Typing| async move {
            peer.emit("typed", typing.name)
        })
        .event("nothing", |peer: Peer, (): ()| async move {
            peer.emit("nothing", 0)
        })
}

#[test]
fn events_are_dispatched_by_name_and_other_messages_reach_the_hooks_inside() {
    block_on(async {
        let (_server, mut client) = connect(app()).await;
        assert_eq!(
            next(&mut client).await,
            json!({"event": "hello", "payload": null})
        );
        say(
            &mut client,
            json!({"event": "typing", "payload": {"name": "ann"}}),
        );
        say(&mut client, json!({"event": "nothing"}));
        assert_eq!(
            next(&mut client).await,
            json!({"event": "typed", "payload": "ann"})
        );
        assert_eq!(
            next(&mut client).await,
            json!({"event": "nothing", "payload": 0})
        );
        for text in [
            "{",
            "[1]",
            "{\"event\":1}",
            "{\"x\":\"y\"}",
            "text",
            // Messages of applications have ids and things to cancel, too.
            r#"{"id":7,"text":"hi"}"#,
            r#"{"type":"order","cancel":true}"#,
            r#"{"cancel":{"order":1}}"#,
        ] {
            client.send(text).unwrap();
            assert_eq!(next(&mut client).await, format!("inside {}", text.len()));
        }
        client.send(b"{\"event\":\"nothing\"}").unwrap();
        assert_eq!(next(&mut client).await, "inside 19");
    });
}

#[test]
fn an_unknown_event_and_an_unfit_payload_are_as_the_policy_says() {
    let events = [
        (json!({"event": "sing", "payload": 1}), "`sing` is unknown"),
        (json!({"event": "typing", "payload": 1}), "invalid type"),
        (json!({"event": "typing"}), "invalid type"),
    ];
    block_on(async {
        for (event, reason) in events {
            let (server, mut client) = connect(app()).await;
            next(&mut client).await;
            say(&mut client, event.clone());
            silent(&server, &mut client).await;

            let (_server, mut client) = connect(app().on_unknown(OnMalformed::Reply)).await;
            next(&mut client).await;
            say(&mut client, event.clone());
            let reply = next(&mut client).await;
            assert_eq!(reply["type"], "error");
            assert!(
                reply["message"].as_str().unwrap().contains(reason),
                "{reply}"
            );

            let (_server, mut client) = connect(app().on_unknown(OnMalformed::default())).await;
            say(&mut client, event);
            assert_eq!(client.closed().await.code, 1007);
        }
    });
}

#[test]
fn the_reason_repeats_little_of_an_unknown_name() {
    block_on(async {
        let (_server, mut client) = connect(app().on_unknown(OnMalformed::Reply)).await;
        next(&mut client).await;
        say(&mut client, json!({"event": "\n".repeat(100_000)}));
        let reply = next(&mut client).await;
        let reason = reply["message"].as_str().unwrap();
        assert!(reason.len() < 200 && !reason.contains(char::is_control));
    });
}

#[test]
fn the_catch_all_handler_gets_every_other_event() {
    let app = app().any_event(|peer: Peer, event: Event| async move {
        peer.emit("any", (event.name, event.payload))
    });
    block_on(async {
        let (_server, mut client) = connect(app).await;
        next(&mut client).await;
        say(&mut client, json!({"event": "sing", "payload": [1]}));
        let heard = json!({"event": "any", "payload": ["sing", [1]]});
        assert_eq!(next(&mut client).await, heard);
        say(
            &mut client,
            json!({"event": "typing", "payload": {"name": "x"}}),
        );
        assert_eq!(next(&mut client).await["event"], "typed");
    });
}

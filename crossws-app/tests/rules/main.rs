//! Rules around hooks, on the memory adapter.

#![allow(clippy::panic, clippy::unwrap_used)]

use crossws_app::rules::{RuleSet, kind, matching, reply, rules, text, to};
use crossws_app::{AutoCodec, Payload, Router, TypedPeer, messages, route, typed_as};
use crossws_core::{Hooks, Message, Peer, hooks};
use crossws_memory::{Client, TestServer};
use futures_lite::future::block_on;
use serde_json::{Value, json};

async fn next_json(client: &mut Client) -> Value {
    client.next().await.unwrap().json().unwrap()
}

async fn next_text(client: &mut Client) -> String {
    client.next().await.unwrap().text().unwrap().to_owned()
}

/// Returns the message hook of `/mock/ws/echo`.
fn fallback() -> impl Hooks {
    let fallback = messages().on_message(|peer: TypedPeer<Value>, payload: Payload| async move {
        let data = match payload {
            Payload::Json(value) => value,
            Payload::Text(text) => json!(&*text),
            Payload::Binary(bytes) => json!(bytes.len()),
        };
        peer.send(json!({"type": "fallback", "data": data}))
    });
    typed_as(AutoCodec, fallback)
}

fn programmed() -> impl Hooks {
    rules(fallback())
        .on(kind("ping"), reply(json!({"type": "pong"})))
        .on(kind("echo"), |message: &Value| {
            reply(json!({"type": "echo", "data": message["data"]}))
        })
        .on(kind("announce"), |message: &Value| {
            let announcement = json!({"type": "announcement", "text": message["text"]});
            to("lobby").and_self().send(announcement)
        })
}

const FILE: &str = r#"[
    {"type": "ping", "reply": {"type": "pong"}},
    {"type": "echo", "reply": {"type": "echo", "data": "{{message.data}}"}},
    {
        "type": "announce",
        "to": "lobby", "and_self": true,
        "send": {"type": "announcement", "text": "{{message.text}}"}
    }
]"#;

/// `/mock/ws/echo` of the founding programs.
fn founding(echo: impl Hooks) {
    let echo = route(echo).topic("lobby");
    let server = TestServer::new(Router::new().route("/mock/ws/echo", echo));
    block_on(async {
        let mut ann = server.connect("/mock/ws/echo").await.unwrap();
        let mut bob = server.connect("/mock/ws/echo").await.unwrap();
        for (sent, heard) in [
            (r#"{"type":"ping"}"#, json!({"type": "pong"})),
            (
                r#"{"data":[1],"type":"echo"}"#,
                json!({"type": "echo", "data": [1]}),
            ),
            (r#"{"type":"echo"}"#, json!({"type": "echo", "data": null})),
            (
                r#"{"type":"pinG"}"#,
                json!({"type": "fallback", "data": {"type": "pinG"}}),
            ),
            ("[1]", json!({"type": "fallback", "data": [1]})),
            ("ping", json!({"type": "fallback", "data": "ping"})),
        ] {
            ann.send(sent).unwrap();
            assert_eq!(next_json(&mut ann).await, heard, "{sent}");
        }
        ann.send(vec![1, 2]).unwrap();
        assert_eq!(
            next_json(&mut ann).await,
            json!({"type": "fallback", "data": 2})
        );
        ann.send(r#"{"type":"announce","text":"hi"}"#).unwrap();
        for client in [&mut ann, &mut bob] {
            let announcement = json!({"type": "announcement", "text": "hi"});
            assert_eq!(next_json(client).await, announcement);
        }
        server.settle().await;
        assert!(ann.try_next().is_none() && bob.try_next().is_none());
    });
}

#[test]
fn the_founding_rules_respond_as_programmed() {
    founding(programmed());
}

#[test]
fn the_founding_rules_respond_as_written_in_a_file() {
    founding(rules(fallback()).with(FILE.parse().unwrap()));
}

#[test]
fn the_first_rule_that_applies_is_the_only_one() {
    let app = rules(hooks())
        .on(matching(json!({"room": {"id": 7}})), reply("seven"))
        .on(
            |_: &Peer, message: &Value| message["loud"] == true,
            reply("LOUD"),
        )
        .on(text("hello*"), |peer: &Peer, message: &Value| {
            let text = message.as_str().unwrap_or_default();
            reply(format!("{text} to you, {peer}"))
        })
        .on(kind("any"), reply("any"));
    let server = TestServer::new(app);
    block_on(async {
        let mut ann = server.connect("/").await.unwrap();
        let hello = format!("hello there to you, {}", ann.id());
        for (sent, heard) in [
            (r#"{"room":{"id":7,"x":1},"loud":true}"#, "seven"),
            (r#"{"room":{"id":8},"loud":true}"#, "LOUD"),
            (r#"{"type":"any","loud":false}"#, "any"),
            ("hello there", &*hello),
        ] {
            ann.send(sent).unwrap();
            assert_eq!(next_text(&mut ann).await, heard);
        }
        ann.send("nothing").unwrap();
        server.settle().await;
        assert!(ann.try_next().is_none());
    });
}

#[test]
fn a_member_of_several_topics_gets_a_response_once() {
    let join = hooks()
        .on_open(|peer| async move {
            for topic in peer.request().query().unwrap_or_default().split('&') {
                peer.subscribe(topic)?;
            }
            crossws_core::ok()
        })
        .on_message(|peer: Peer, _: Message| async move { peer.send("inside") });
    let app = rules(join)
        .on(kind("others"), to(["red", "blue"]).send("news"))
        .on(kind("all"), to(["red", "blue"]).and_self().send("news"));
    let server = TestServer::new(Router::new().route("/", app));
    block_on(async {
        let mut both = server.connect("/?red&blue").await.unwrap();
        let mut blue = server.connect("/?blue").await.unwrap();
        let mut none = server.connect("/?green").await.unwrap();
        for (kind, speaker_hears) in [("others", false), ("all", true)] {
            both.send(json!({"type": kind}).to_string()).unwrap();
            assert_eq!(next_text(&mut blue).await, "news");
            server.settle().await;
            assert_eq!(both.try_next().is_some(), speaker_hears);
            for client in [&mut both, &mut blue, &mut none] {
                assert!(client.try_next().is_none());
            }
        }
    });
}

#[test]
fn a_mistake_in_a_rules_file_is_reported_with_its_line() {
    let file = |line: &str| {
        let good = r#"{"type": "a", "reply": 1},"#;
        let text = format!("[\n{good}\n{good}\n{good}\n{good}\n{good}\n{line}\n{good}{{}}]");
        text.parse::<RuleSet>().unwrap_err()
    };
    for (line, reason) in [
        (r#"{"type": "b", "reply": 1} oops"#, "expected"),
        (r#"{"kind": "b", "reply": 1},"#, "unknown field `kind`"),
        (r#"{"reply": 1},"#, "needs a condition"),
        (r#"{"type": "b"},"#, "needs a response"),
        (r#"{"type": "b", "send": 1},"#, "`send` needs `to`"),
        (
            r#"{"type": "b", "reply": 1, "to": "x"},"#,
            "`to` needs `send`",
        ),
        (
            r#"{"type": "b", "reply": 1, "and_self": true},"#,
            "belongs to `to`",
        ),
        (r#"{"type": "b", "to": 7, "send": 1},"#, "name of a topic"),
        (r#"{"type": "b", "reply": "{{user.name}}"},"#, "neither"),
        (r#"{"type": "b", "reply": ["{{message"]},"#, "has no `}}`"),
    ] {
        let error = file(line);
        assert_eq!(error.line(), 7, "{error}");
        let error = error.to_string();
        assert!(
            error.contains(reason) && error.contains("line 7"),
            "{error}"
        );
    }
}

#[test]
fn rules_are_written_as_they_were_read() {
    let set: RuleSet = FILE.parse().unwrap();
    assert_eq!(set.len(), 3);
    let written = serde_json::to_value(&set).unwrap();
    assert_eq!(written, FILE.parse::<Value>().unwrap());
}

#[test]
fn places_of_a_response_are_filled_from_the_message() {
    let set = r#"[{"match": {}, "reply": {
        "all": "{{message}}", "second": "{{ message.list.1 }}", "no": "{{message.list.9.x}}",
        "text": "<{{message.list}}|{{message.name}}|{{message.no}}> from {{peer.id}}"
    }}]"#;
    let server = TestServer::new(rules(hooks()).with(set.parse().unwrap()));
    block_on(async {
        let mut ann = server.connect("/").await.unwrap();
        let message = json!({"list": [1, {"a": 2}], "name": "n{{peer.id}}"});
        ann.send(message.to_string()).unwrap();
        let text = format!("<[1,{{\"a\":2}}]|n{{{{peer.id}}}}|> from {}", ann.id());
        let expected = json!({"all": message, "second": {"a": 2}, "no": null, "text": text});
        assert_eq!(next_json(&mut ann).await, expected);
    });
}

#[test]
fn what_a_client_says_stays_one_value_in_a_response_that_is_json() {
    let set = r#"[
        {"type": "quoted", "reply": "{\"said\":\"{{message.text}}\",\"by\":\"me\"}"},
        {"type": "bare", "reply": "{\"said\": {{message.text}}, \"by\": \"me\"}"},
        {"type": "list", "reply": "[\"{{peer.id}} {{message.text}}\"]"},
        {"type": "text", "reply": "[{{message.type}}] \"{{message.text}}\""}
    ]"#;
    let hostile = r#"","by":"admin\"#;
    let server = TestServer::new(rules(hooks()).with(set.parse().unwrap()));
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        for kind in ["quoted", "bare"] {
            client
                .send(json!({"type": kind, "text": hostile}).to_string())
                .unwrap();
            assert_eq!(
                next_json(&mut client).await,
                json!({"said": hostile, "by": "me"})
            );
        }
        client
            .send(json!({"type": "list", "text": hostile}).to_string())
            .unwrap();
        let said = next_json(&mut client).await;
        assert!(said[0].as_str().unwrap().ends_with(hostile), "{said}");
        client
            .send(json!({"type": "text", "text": "a\"b"}).to_string())
            .unwrap();
        assert_eq!(next_text(&mut client).await, "[text] \"a\"b\"");
    });
}

//! Clients that subscribe by themselves, on the memory adapter.

#![allow(clippy::panic, clippy::unwrap_used)]

use crossws_app::rooms::{Action, Allow, Rooms, Wish, rooms};
use crossws_app::{RequestExt, Router, route};
use crossws_core::{Hooks, HooksBuilder, Json, Limits, Message, Peer, UpgradeRequest, hooks};
use crossws_memory::{Client, TestServer};
use futures_lite::future::block_on;
use serde_json::{Value, json};

struct User(String);

async fn user(request: &UpgradeRequest) -> Option<User> {
    let name = request.query_token("user").ok()?;
    Some(User(name.into_owned()))
}

/// Topics below `user/` are for the user of that name. Asking for `user/broken` fails.
async fn own(peer: Peer, wish: Wish) -> Result<bool, &'static str> {
    futures_lite::future::yield_now().await;
    if &*wish.topic == "user/broken" {
        return Err("the database is down");
    }
    let is_own = peer.identity().as_deref() == wish.topic.strip_prefix("user/");
    Ok(is_own && wish.action == Action::Subscribe)
}

fn layer() -> Rooms<HooksBuilder> {
    let inside = hooks().on_message(|peer, message: Message| async move {
        peer.send(format!("inside: {}", message.text().unwrap_or("bytes")))
    });
    rooms(inside)
        .allow("lobby", Allow::Both)
        .allow("news/secret", Allow::Nothing)
        .allow("news/**", Allow::Subscribe)
        .allow("box/*", Allow::Publish)
        .authorize("user/*", own)
        .allow_pattern("news/*")
}

fn server(limits: Limits) -> TestServer {
    let app = Router::new()
        .authenticate(user)
        .identity(|user: &User| user.0.clone())
        .route("/", route(layer()));
    TestServer::builder(app).limits(limits).build()
}

async fn join(server: &TestServer, user: &str) -> Client {
    server.connect(&format!("/?user={user}")).await.unwrap()
}

async fn next(client: &mut Client) -> Value {
    client.next().await.unwrap().json().unwrap()
}

async fn ask(client: &mut Client, request: Value) -> Value {
    client.send(Json(request)).unwrap();
    next(client).await
}

#[test]
fn clients_subscribe_publish_and_unsubscribe_where_they_may() {
    block_on(async {
        let server = server(Limits::default());
        let mut ann = join(&server, "ann").await;
        let mut bob = join(&server, "bob").await;
        let answer = ask(&mut ann, json!({"subscribe": "lobby", "id": 7})).await;
        assert_eq!(answer, json!({"subscribed": "lobby", "id": 7}));
        let answer = ask(&mut bob, json!({"subscribe": "lobby"})).await;
        assert_eq!(answer, json!({"subscribed": "lobby"}));
        let request = json!({"publish": "lobby", "data": {"text": "hi"}, "id": [1]});
        let answer = ask(&mut bob, request).await;
        assert_eq!(answer, json!({"published": "lobby", "peers": 1, "id": [1]}));
        let heard = json!({"topic": "lobby", "from": "bob", "data": {"text": "hi"}});
        assert_eq!(next(&mut ann).await, heard);
        let answer = ask(&mut ann, json!({"unsubscribe": "lobby", "id": null})).await;
        assert_eq!(answer, json!({"unsubscribed": "lobby", "id": null}));
        let answer = ask(&mut bob, json!({"publish": "lobby", "data": 1})).await;
        assert_eq!(answer["peers"], 0);
        let answer = ask(&mut ann, json!({"unsubscribe": "news/never"})).await;
        assert_eq!(answer, json!({"unsubscribed": "news/never"}));
    });
}

#[test]
fn what_is_not_allowed_is_refused_by_name_and_the_connection_stays() {
    block_on(async {
        let server = server(Limits::default().max_topics(2).max_name_len(40));
        let mut ann = join(&server, "ann").await;
        for (request, code) in [
            (json!({"subscribe": "elsewhere"}), "forbidden"),
            (json!({"subscribe": "news/secret"}), "forbidden"),
            (json!({"publish": "news/eu", "data": 1}), "forbidden"),
            (json!({"subscribe": "box/1"}), "forbidden"),
            (json!({"subscribe": "user/bob"}), "forbidden"),
            (json!({"publish": "user/ann", "data": 1}), "forbidden"),
            (json!({"subscribe": "user/broken"}), "unavailable"),
            (json!({"subscribe": "**"}), "forbidden"),
            (json!({"subscribe": "news/**"}), "forbidden"),
            (json!({"subscribe": "box/*"}), "forbidden"),
            (json!({"publish": "news/*", "data": 1}), "forbidden"),
            (json!({"unsubscribe": "elsewhere"}), "forbidden"),
            (json!({"unsubscribe": "box/1"}), "forbidden"),
            (json!({"unsubscribe": "news/**"}), "forbidden"),
            (json!({"subscribe": 7}), "malformed"),
            (json!({"subscribe": "news/secret\u{1f}v2"}), "malformed"),
            (json!({"subscribe": "lobby", "data": 1}), "malformed"),
            (json!({"publish": "lobby"}), "malformed"),
            (
                json!({"subscribe": format!("news/{}", "x".repeat(36))}),
                "too_long",
            ),
        ] {
            let answer = ask(&mut ann, request.clone()).await;
            assert_eq!(answer["error"], code, "{request}: {answer}");
            assert!(answer["message"].is_string(), "{answer}");
            let verb = request
                .as_object()
                .unwrap()
                .keys()
                .find(|key| *key != "data");
            let verb = verb.unwrap();
            assert_eq!(answer[verb], request[verb]);
        }
        for topic in ["user/ann", "news/eu"] {
            let answer = ask(&mut ann, json!({"subscribe": topic})).await;
            assert_eq!(answer, json!({"subscribed": topic}));
        }
        let answer = ask(&mut ann, json!({"subscribe": "lobby", "id": "x"})).await;
        assert_eq!(
            (&answer["error"], &answer["id"]),
            (&json!("too_many"), &json!("x"))
        );
        let answer = ask(&mut ann, json!({"subscribe": "news/*"})).await;
        assert_eq!(answer, json!({"subscribed": "news/*"}));
        let scope = server.hub().in_namespace("/");
        assert_eq!(scope.publish("news/us", "2").unwrap().queued, 1);
        assert_eq!(ann.next().await.unwrap(), Message::from("2"));
        let answer = ask(&mut ann, json!({"unsubscribe": "news/*"})).await;
        assert_eq!(answer, json!({"unsubscribed": "news/*"}));
        assert!(scope.patterns().is_empty());
    });
}

#[test]
fn subscriptions_of_the_hooks_are_not_the_clients_to_end() {
    block_on(async {
        let inside = hooks().on_open(|peer: Peer| async move {
            peer.subscribe("muted")?;
            peer.subscribe_pattern("audit/**").map(drop)
        });
        let app = rooms(inside).allow("talk", Allow::Both);
        let server = TestServer::new(app);
        let mut ann = server.connect("/").await.unwrap();
        for topic in ["muted", "audit/**"] {
            let answer = ask(&mut ann, json!({"unsubscribe": topic})).await;
            assert_eq!(answer["error"], "forbidden", "{answer}");
        }
        let scope = server.hub().in_namespace("/");
        assert_eq!(scope.publish("muted", "1").unwrap().queued, 1);
        assert_eq!(scope.publish("audit/a", "2").unwrap().queued, 1);
    });
}

#[test]
fn a_function_that_never_ends_keeps_no_connection() {
    block_on(async {
        let never = |_: Peer, _: Wish| std::future::pending::<bool>();
        let server = TestServer::new(rooms(hooks()).authorize("**", never));
        let mut ann = server.connect("/").await.unwrap();
        ann.send(Json(json!({"subscribe": "talk"}))).unwrap();
        server.settle().await;
        ann.vanish();
        server.settle().await;
        assert_eq!(server.hub().stats().sessions, 0);
    });
}

#[test]
fn every_other_message_is_for_the_hooks_inside() {
    block_on(async {
        let server = server(Limits::default());
        let mut ann = join(&server, "ann").await;
        let deep = format!(
            r#"{{"publish":"lobby","data":{}1{}}}"#,
            "[".repeat(1000),
            "]".repeat(1000)
        );
        for text in [
            "hello",
            "{",
            r#"{"type":"subscribe"}"#,
            r#"{"subscribe":"lobby","type":"x"}"#,
            r#"{"subscribe":"lobby","publish":"lobby"}"#,
            r#"["subscribe","lobby"]"#,
            &deep,
        ] {
            ann.send(text).unwrap();
            let heard = ann.next().await.unwrap();
            assert_eq!(heard.text().unwrap(), format!("inside: {text}"));
        }
        ann.send(vec![1, 2]).unwrap();
        assert_eq!(
            ann.next().await.unwrap(),
            Message::from("inside: \u{1}\u{2}")
        );
        assert!(server.hub().in_all_namespaces().topics().is_empty());
    });
}

#[test]
fn a_pattern_that_is_none_keeps_the_server_from_starting() {
    let bad = [
        layer().allow("news*", Allow::Both),
        layer().allow_pattern("a/**/b"),
    ];
    for layer in bad {
        let error = block_on(layer.start(&crossws_core::Hub::default())).unwrap_err();
        assert!(
            error.to_string().contains("is no pattern of topics"),
            "{error}"
        );
    }
    block_on(layer().start(&crossws_core::Hub::default())).unwrap();
}

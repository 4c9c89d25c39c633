use crossws_app::{
    AutoCodec, Payload, Router, Typed, TypedPeer, messages, route, transform, typed, typed_as,
};
use crossws_core::{
    BoxError, Bytes, CloseCode, Closed, HookResult, Hub, Message, Subscription, hooks,
};
use crossws_memory::{Client, TestServer};
use futures_lite::future::block_on;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum FromPlayer {
    Join { game: String },
    Act { game: String, action: Value },
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum ToPlayer {
    Welcome,
    Joined { player: String },
    Update { action: Value },
    Left { topics: usize },
}

struct Game;

impl Typed for Game {
    type In = FromPlayer;
    type Out = ToPlayer;

    async fn open(&self, peer: &TypedPeer<ToPlayer>) -> HookResult {
        peer.send(ToPlayer::Welcome)?;
        Ok(())
    }

    async fn message(&self, peer: &TypedPeer<ToPlayer>, message: FromPlayer) -> HookResult {
        match message {
            FromPlayer::Join { game } => {
                peer.subscribe(&game)?;
                let player = peer.id().to_string();
                peer.publish(&game, ToPlayer::Joined { player })?;
            }
            FromPlayer::Act { game, action } => {
                let update = ToPlayer::Update { action };
                peer.to(&game).including_self().send(update)?;
            }
        }
        Ok(())
    }

    async fn close(&self, peer: &TypedPeer<ToPlayer>, _: Closed) -> HookResult {
        peer.broadcast(ToPlayer::Left {
            topics: peer.topics().len(),
        })?;
        Ok(())
    }
}

pub(crate) async fn next_json(client: &mut Client) -> Value {
    client.next().await.unwrap().json().unwrap()
}

#[test]
fn a_typed_app_receives_and_sends_its_own_types() {
    let server = TestServer::new(Router::new().route("/game", typed(Game)));
    block_on(async {
        let mut ann = server.connect("/game").await.unwrap();
        let mut bob = server.connect("/game").await.unwrap();
        for client in [&mut ann, &mut bob] {
            assert_eq!(next_json(client).await, json!({"type": "welcome"}));
            client.send(r#"{"type":"join","game":"chess"}"#).unwrap();
            server.settle().await;
        }
        let joined = json!({"type": "joined", "player": bob.id().to_string()});
        assert_eq!(next_json(&mut ann).await, joined);
        ann.send(r#"{"type":"act","game":"chess","action":[1,2]}"#)
            .unwrap();
        for client in [&mut ann, &mut bob] {
            let update = json!({"type": "update", "action": [1, 2]});
            assert_eq!(next_json(client).await, update);
        }
        bob.close(CloseCode::NORMAL, "");
        assert_eq!(
            next_json(&mut ann).await,
            json!({"type": "left", "topics": 0})
        );
    });
}

#[test]
fn closures_are_a_typed_app_too() {
    let app = messages()
        .on_open(|peer: TypedPeer<i64>| async move { peer.send(0) })
        .on_message(|peer, (a, b): (i64, i64)| async move { peer.send(a + b) })
        .on_close(|peer, _| async move { peer.broadcast(-1) });
    let server = TestServer::new(typed(app));
    block_on(async {
        let mut ann = server.connect("/").await.unwrap();
        let mut bob = server.connect("/").await.unwrap();
        ann.send("[2, 40]").unwrap();
        assert_eq!(next_json(&mut ann).await, 0);
        assert_eq!(next_json(&mut ann).await, 42);
        assert_eq!(next_json(&mut bob).await, 0);
        ann.close(CloseCode::NORMAL, "");
        assert_eq!(next_json(&mut bob).await, -1);
    });
}

#[test]
fn closures_run_for_every_hook() {
    let app = messages()
        .on_start(|hub: Hub| async move { drop(hub.extensions().insert("started")) })
        .on_message(|peer: TypedPeer<String>, topic: String| async move { peer.subscribe(topic) })
        .on_subscription(|peer, event: Subscription| async move {
            peer.send(format!("{} {}", event.topic, event.joined))
        })
        .on_ping(|peer, data: Bytes| async move { peer.send(format!("ping {}", data.len())) })
        .on_pong(|peer, data: Bytes| async move { peer.send(format!("pong {}", data.len())) })
        .on_drain(|peer| async move { peer.send("drained".to_owned()) })
        .on_dropped(|peer, _| async move { peer.send("dropped".to_owned()) })
        .on_timer(|peer, name| async move { peer.send(name) });
    let app = typed(app);
    let server = TestServer::new(app);
    block_on(async {
        let mut ann = server.connect("/").await.unwrap();
        assert_eq!(server.hub().extensions().get().as_deref(), Some(&"started"));
        ann.send("\"red\"").unwrap();
        assert_eq!(next_json(&mut ann).await, "red true");
        ann.ping("12").unwrap();
        assert_eq!(next_json(&mut ann).await, "ping 2");
        ann.pong("123").unwrap();
        assert_eq!(next_json(&mut ann).await, "pong 3");
    });
}

/// `/mock/ws/data` of the founding programs.
#[test]
fn auto_mode_reads_json_else_text_else_bytes() {
    let app = typed_as(
        AutoCodec,
        messages().on_message(|peer: TypedPeer<Value>, payload: Payload| async move {
            peer.send(match payload {
                Payload::Json(value) => json!({"kind": "json", "value": value}),
                Payload::Text(text) => json!({"kind": "text", "value": &*text}),
                Payload::Binary(bytes) => json!({"kind": "binary", "length": bytes.len()}),
            })
        }),
    );
    let server = TestServer::new(Router::new().route("/mock/ws/data", app));
    block_on(async {
        let mut client = server.connect("/mock/ws/data").await.unwrap();
        let cases: [(Message, Value); 6] = [
            (
                r#"{"a":[1]}"#.into(),
                json!({"kind": "json", "value": {"a": [1]}}),
            ),
            ("17".into(), json!({"kind": "json", "value": 17})),
            ("null".into(), json!({"kind": "json", "value": null})),
            (
                "hello {".into(),
                json!({"kind": "text", "value": "hello {"}),
            ),
            ("".into(), json!({"kind": "text", "value": ""})),
            (
                vec![b'1', b'7', 0].into(),
                json!({"kind": "binary", "length": 3}),
            ),
        ];
        for (message, answer) in cases {
            client.send(message).unwrap();
            assert_eq!(next_json(&mut client).await, answer);
        }
    });
}

/// `/mock/ws/upper` of the founding programs.
#[test]
fn a_transform_of_raw_data_comes_before_any_hook() {
    let upper = |message: Message| Ok::<Message, BoxError>(message.text()?.to_uppercase().into());
    let echo = hooks().on_message(|peer, message| async move { peer.send(message) });
    let server = TestServer::new(Router::new().route("/mock/ws/upper", transform(echo, upper)));
    block_on(async {
        let mut client = server.connect("/mock/ws/upper").await.unwrap();
        client.send("grüße").unwrap();
        assert_eq!(client.next().await.unwrap().text(), Ok("GRÜSSE"));
        client.send(vec![0xff]).unwrap();
        assert_eq!(client.closed().await.code, 1007);
    });
}

#[test]
fn transforms_of_a_typed_route_are_around_its_codec() {
    fn reversed(message: Message) -> Result<Message, BoxError> {
        Ok(message.text()?.chars().rev().collect::<String>().into())
    }
    let app = messages()
        .on_message(|peer: TypedPeer<Vec<u8>>, bytes: Vec<u8>| async move { peer.send(bytes) });
    let server = TestServer::new(typed(app).incoming(reversed).outgoing(reversed));
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        client.send("]12,43[").unwrap();
        assert_eq!(client.next().await.unwrap().text(), Ok("]12,43["));
    });
}

#[test]
fn a_topic_of_the_route_reaches_typed_peers() {
    let server = TestServer::new(Router::new().route("/game", route(typed(Game)).topic("lobby")));
    block_on(async {
        let mut ann = server.connect("/game").await.unwrap();
        next_json(&mut ann).await;
        let scope = server.hub().in_namespace("/game");
        let note = crossws_core::Json(ToPlayer::Update { action: json!(1) });
        assert_eq!(scope.topic("lobby").send(note).unwrap().queued, 1);
        assert_eq!(next_json(&mut ann).await["action"], 1);
    });
}

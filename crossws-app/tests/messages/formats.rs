//! Clients of one route that read different formats, by their subprotocols.

use std::time::Duration;

use crossws_app::rooms::{Allow, rooms};
use crossws_app::{
    Cbor, CborCodec, MessagePack, MessagePackCodec, OnMalformed, Router, Typed, TypedHooks,
    TypedPeer, messages, route, typed,
};
use crossws_core::{
    HookResult, Hooks, IntoMessage, Json, Message, Peer, SubscribeError, Subscription, Wrap, hooks,
    wrap,
};
use crossws_memory::{Client, TestServer};
use futures_lite::future::block_on;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
struct Said {
    text: String,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Refused {
    r#type: String,
    message: String,
}

struct Room;

impl Typed for Room {
    type In = Said;
    type Out = Said;

    async fn message(&self, peer: &TypedPeer<Said>, said: Said) -> HookResult {
        match &*said.text {
            "all" => drop(peer.broadcast(said)?),
            "mine" => drop(peer.to_own_topics().send(said)?),
            "some" => drop(peer.to(["red", "blue"]).except("muted").send(said)?),
            "unmuted" => drop(peer.to_all().except("muted").send(said)?),
            text if text.starts_with("join ") => drop(peer.subscribe(&text[5..])?),
            "leave" => assert!(peer.unsubscribe("talk")),
            "topics" => {
                let text = peer.topics().join(" ");
                peer.send(Said { text })?;
            }
            _ => drop(peer.to("talk").including_self().send(said)?),
        }
        Ok(())
    }

    async fn subscription(&self, peer: &TypedPeer<Said>, event: Subscription) -> HookResult {
        let text = format!("{} {}", event.topic, event.joined);
        peer.send(Said { text })?;
        Ok(())
    }
}

fn said(text: &str) -> Said {
    Said { text: text.into() }
}

fn decoded<T: DeserializeOwned>(protocol: Option<&str>, message: &Message) -> T {
    match protocol {
        Some("pack") => rmp_serde::from_slice(message.as_bytes()).unwrap(),
        Some("cbor") => cbor4ii::serde::from_slice(message.as_bytes()).unwrap(),
        _ => serde_json::from_str(message.text().unwrap()).unwrap(),
    }
}

fn say(client: &mut Client, text: &str) {
    let message = match client.protocol() {
        Some("pack") => MessagePack(said(text)).into_message(),
        Some("cbor") => Cbor(said(text)).into_message(),
        _ => Json(said(text)).into_message(),
    };
    client.send(message.unwrap()).unwrap();
}

async fn heard(client: &mut Client) -> String {
    let message = client.next_within(Duration::from_secs(1)).await;
    let message = message.unwrap().unwrap();
    decoded::<Said>(client.protocol(), &message).text
}

fn room() -> TypedHooks<Room> {
    typed(Room)
        .protocol("pack", MessagePackCodec)
        .protocol("cbor", CborCodec)
        .on_malformed(OnMalformed::Reply)
}

fn server() -> TestServer {
    server_of(room())
}

fn server_of(room: impl Hooks) -> TestServer {
    let routed = route(room).topic("talk");
    TestServer::new(Router::new().route("/room", routed))
}

/// Publishes to everyone before the `open` hook of each client.
struct Early(TypedHooks<Room>);

impl Wrap for Early {
    type Inner = TypedHooks<Room>;

    fn inner(&self) -> &TypedHooks<Room> {
        &self.0
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        let room = self.0.publisher(peer.hub());
        room.publish(peer.namespace(), "talk", said("early"))?;
        self.0.open(peer).await
    }
}

#[test]
fn a_publication_before_open_has_the_format_of_the_clients_subprotocol() {
    let server = server_of(wrap(Early(room())));
    block_on(async {
        for protocol in ["none", "pack", "cbor"] {
            let mut client = server.connect("/room").protocol(protocol).await.unwrap();
            assert_eq!(heard(&mut client).await, "early");
            assert_eq!(heard(&mut client).await, "talk true");
            assert!(client.try_next().is_none());
        }
    });
}

#[test]
fn each_client_gets_publications_in_the_format_of_its_subprotocol() {
    let server = server();
    block_on(async {
        let mut clients = Vec::new();
        for (offered, chosen) in [
            (&[][..], None),
            (&["pack"], Some("pack")),
            (&["cbor", "pack"], Some("pack")),
            (&["cbor", "other"], Some("cbor")),
            (&["other"], None),
        ] {
            let mut client = server.connect("/room").protocols(offered).await.unwrap();
            assert_eq!(client.protocol(), chosen);
            assert_eq!(heard(&mut client).await, "talk true");
            clients.push(client);
        }
        for speaker in 0..clients.len() {
            say(&mut clients[speaker], "hello");
            for client in &mut clients {
                assert_eq!(heard(client).await, "hello");
                assert!(client.try_next().is_none());
            }
            say(&mut clients[speaker], "all");
            say(&mut clients[speaker], "topics");
            assert_eq!(heard(&mut clients[speaker]).await, "talk");
            for client in clients
                .iter_mut()
                .enumerate()
                .filter(|(i, _)| *i != speaker)
            {
                assert_eq!(heard(client.1).await, "all");
            }
        }
        say(&mut clients[1], "leave");
        assert_eq!(heard(&mut clients[1]).await, "talk false");
        say(&mut clients[0], "now");
        assert_eq!(heard(&mut clients[2]).await, "now");
        server.settle().await;
        assert!(clients[1].try_next().is_none());
    });
}

#[test]
fn a_message_to_several_topics_arrives_once_in_every_format() {
    let server = server();
    block_on(async {
        let mut clients = Vec::new();
        for (protocol, topics) in [
            ("none", &["red", "blue"][..]),
            ("none", &["red", "muted"]),
            ("pack", &["red", "blue"]),
            ("pack", &["blue", "muted"]),
            ("cbor", &["green"]),
        ] {
            let mut client = server.connect("/room").protocol(protocol).await.unwrap();
            say(&mut client, "leave");
            for topic in topics {
                say(&mut client, &format!("join {topic}"));
            }
            server.settle().await;
            while client.try_next().is_some() {}
            clients.push(client);
        }
        for (speaker, text, hearers) in [
            (4, "some", &[0, 2][..]),
            (0, "some", &[2]),
            (4, "unmuted", &[0, 2]),
            (2, "unmuted", &[0, 4]),
            (0, "mine", &[1, 2, 3]),
            (4, "mine", &[]),
        ] {
            say(&mut clients[speaker], text);
            server.settle().await;
            for (at, client) in clients.iter_mut().enumerate() {
                if hearers.contains(&at) {
                    assert_eq!(heard(client).await, text, "{text} {at}");
                }
                assert!(client.try_next().is_none(), "{text} {at}");
            }
        }
    });
}

/// Connects a client of each format, whose peer a hook without types has subscribed.
async fn clients(server: &TestServer) -> Vec<Client> {
    let mut clients = Vec::new();
    for protocol in ["none", "pack", "cbor"] {
        let mut client = server.connect("/room").protocol(protocol).await.unwrap();
        server.settle().await;
        while client.try_next().is_some() {}
        clients.push(client);
    }
    clients
}

#[test]
fn what_hooks_without_types_subscribe_to_is_heard_in_the_clients_format() {
    fn by_topic(peer: Peer) -> Result<(), SubscribeError> {
        peer.subscribe("talk").map(drop)
    }
    fn by_pattern(peer: Peer) -> Result<(), SubscribeError> {
        peer.subscribe_pattern("*").map(drop)
    }
    block_on(async {
        for subscribe in [by_topic, by_pattern] {
            let global = hooks().on_open(move |peer| async move { subscribe(peer) });
            let app = Router::new().global(global).route("/room", room());
            let server = TestServer::new(app);
            let mut clients = clients(&server).await;
            for speaker in 0..clients.len() {
                say(&mut clients[speaker], "hello");
                for client in &mut clients {
                    assert_eq!(heard(client).await, "hello");
                    assert!(client.try_next().is_none(), "once, and in one format");
                }
            }
        }
    });
}

#[test]
fn clients_that_subscribe_themselves_hear_their_format() {
    let app = rooms(room()).allow("talk", Allow::Subscribe);
    let server = TestServer::new(Router::new().route("/room", app));
    block_on(async {
        let mut clients = clients(&server).await;
        for client in &mut clients {
            client.send(r#"{"subscribe":"talk"}"#).unwrap();
            server.settle().await;
            while client.try_next().is_some() {}
        }
        say(&mut clients[0], "hello");
        for client in &mut clients {
            assert_eq!(heard(client).await, "hello");
        }
    });
}

#[test]
fn what_is_published_without_types_reaches_each_client_as_it_is() {
    let server = server();
    block_on(async {
        let mut clients = clients(&server).await;
        let room = server.hub().in_namespace("/room");
        assert_eq!(room.publish("talk", "plain").unwrap().queued, 3);
        for client in &mut clients {
            assert_eq!(client.next().await.unwrap().text(), Ok("plain"));
        }
    });
}

#[test]
fn a_later_subscriber_gets_the_retained_message_in_its_format() {
    let app = messages().on_message(|peer: TypedPeer<Said>, said: Said| async move {
        peer.to("talk")
            .including_self()
            .retained()
            .send(said)
            .map(drop)
    });
    let app = typed(app)
        .protocol("pack", MessagePackCodec)
        .protocol("cbor", CborCodec);
    let server = TestServer::new(Router::new().route("/room", route(app).topic("talk")));
    block_on(async {
        for speaker in ["none", "pack", "cbor"] {
            let mut ann = server.connect("/room").protocol(speaker).await.unwrap();
            server.settle().await;
            while ann.try_next().is_some() {}
            say(&mut ann, speaker);
            assert_eq!(heard(&mut ann).await, speaker);
            for protocol in ["none", "pack", "cbor"] {
                let mut later = server.connect("/room").protocol(protocol).await.unwrap();
                assert_eq!(heard(&mut later).await, speaker);
                server.settle().await;
                assert_eq!(later.try_next(), None);
            }
        }
    });
}

#[test]
fn a_malformed_message_is_answered_in_the_clients_format() {
    let server = server();
    block_on(async {
        for protocol in ["pack", "cbor"] {
            let mut client = server.connect("/room").protocol(protocol).await.unwrap();
            assert_eq!(heard(&mut client).await, "talk true");
            for message in [Message::from(vec![0xff, 0, 1]), "text".into()] {
                client.send(message).unwrap();
                let reply = client.next().await.unwrap();
                let refused: Refused = decoded(Some(protocol), &reply);
                assert_eq!(refused.r#type, "error");
            }
            say(&mut client, "still here");
            assert_eq!(heard(&mut client).await, "still here");
        }
    });
}

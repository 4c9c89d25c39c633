//! Clients of one route that read different formats, by their subprotocols.

use std::time::Duration;

use crossws_app::{
    Cbor, CborCodec, MessagePack, MessagePackCodec, OnMalformed, Typed, TypedHooks, TypedPeer,
    route, typed,
};
use crossws_core::{HookResult, Hooks, IntoMessage, Json, Message, Peer, Subscription, Wrap, wrap};
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
    TestServer::new(crossws_app::Router::new().route("/room", routed))
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

/// A topic's name cannot spell another format's topic.
#[test]
fn a_topics_name_reaches_no_other_topic() {
    let server = server();
    block_on(async {
        for (listener, speaker) in [("none", "pack"), ("none", "cbor"), ("pack", "pack")] {
            let mut eve = server.connect("/room").protocol(listener).await.unwrap();
            heard(&mut eve).await;
            say(&mut eve, "leave");
            heard(&mut eve).await;
            let name = format!("talk\u{1f}{speaker}");
            say(&mut eve, &format!("join {name}"));
            assert_eq!(heard(&mut eve).await, format!("{name} true"));
            say(&mut eve, "topics");
            assert_eq!(heard(&mut eve).await, name);
            let mut ann = server.connect("/room").protocol(speaker).await.unwrap();
            heard(&mut ann).await;
            say(&mut ann, "a secret of those in `talk`");
            heard(&mut ann).await;
            server.settle().await;
            assert_eq!(eve.try_next(), None);
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

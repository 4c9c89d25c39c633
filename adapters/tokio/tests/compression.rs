//! What a server sends after permessage-deflate was negotiated, byte for byte.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use crossws_core::{Deflate, Hub, Limits, Message, Overflow, SendOptions, Upgrade, hooks};
use crossws_proto::deflate::Inflater;
use crossws_proto::frame::{Decoder, Event, Opcode, Role, put_masked_frame};
use crossws_tokio::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A message that shrinks.
fn long(name: &str) -> String {
    format!("{{\"name\":\"{name}\",\"said\":\"something\"}},").repeat(60)
}

/// Serves an app that replies: an echo; `plain …` sends uncompressed; `topic …` publishes to every
/// peer, after one direct reply and before another. At `/off` nothing is compressed.
async fn serve(hub: Hub) -> SocketAddr {
    let app = hooks()
        .on_upgrade(|request| async move {
            let upgrade = Upgrade::new().namespace("one").topic("talk");
            Ok(match request.path() {
                "/off" => upgrade.deflate(None),
                _ => upgrade,
            })
        })
        .on_message(|peer, message: Message| async move {
            let text = message.text()?.to_owned();
            if let Some(text) = text.strip_prefix("plain ") {
                peer.send_with(text, SendOptions::new().uncompressed())?;
            } else if let Some(text) = text.strip_prefix("topic ") {
                peer.send(format!("before {text}"))?;
                peer.to("talk").including_self().send(text)?;
                let talk = peer.to("talk").including_self();
                talk.uncompressed().send(text)?;
                peer.send(format!("after {text}"))?;
            } else {
                peer.send(message)?;
            }
            crossws_core::HookResult::Ok(())
        });
    let server = Server::builder(app)
        .hub(hub)
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let addr = server.local_addr();
    tokio::spawn(server.run());
    addr
}

/// One received frame: whether it was compressed, its length, and its text.
#[derive(Debug, PartialEq)]
struct Got {
    compressed: bool,
    wire: Vec<u8>,
    text: String,
}

struct Client {
    stream: TcpStream,
    decoder: Decoder,
    extensions: String,
}

impl Client {
    async fn connect(addr: SocketAddr, path: &str, offer: &str) -> Self {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let offer = match offer {
            "" => String::new(),
            offer => format!("Sec-WebSocket-Extensions: {offer}\r\n"),
        };
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        let answer = String::from_utf8(answer).unwrap();
        let lines = answer.lines().map(str::to_owned);
        let extensions = lines
            .filter_map(|line| {
                line.strip_prefix("Sec-WebSocket-Extensions: ")
                    .map(str::to_owned)
            })
            .next()
            .unwrap_or_default();
        let inflater = match (
            &*extensions,
            extensions.contains("server_no_context_takeover"),
        ) {
            ("", _) => None,
            (_, true) => Some(Inflater::per_message()),
            (_, false) => Inflater::with_context(15, usize::MAX),
        };
        let decoder = Decoder::new(Role::Client, &Limits::default()).with_inflater(inflater);
        Self {
            stream,
            decoder,
            extensions,
        }
    }

    async fn send(&mut self, text: &str) {
        let mut frame = BytesMut::new();
        put_masked_frame(&mut frame, Opcode::Text, text.as_bytes()).unwrap();
        self.stream.write_all(&frame).await.unwrap();
    }

    async fn next(&mut self) -> Got {
        let frame = tokio::time::timeout(Duration::from_secs(10), self.frame());
        let wire = frame.await.unwrap();
        let mut copy = wire.clone();
        match self.decoder.decode(&mut &mut copy[..]) {
            Ok(Some(Event::Message(message))) => Got {
                compressed: wire[0] & 0x40 != 0,
                wire,
                text: message.text().unwrap().to_owned(),
            },
            other => panic!("{other:?}"),
        }
    }

    async fn frame(&mut self) -> Vec<u8> {
        let mut wire = vec![0; 2];
        self.stream.read_exact(&mut wire).await.unwrap();
        let len = match wire[1] {
            126 => {
                let len = self.stream.read_u16().await.unwrap();
                wire.extend(len.to_be_bytes());
                usize::from(len)
            }
            len => usize::from(len),
        };
        let start = wire.len();
        wire.resize(start + len, 0);
        self.stream.read_exact(&mut wire[start..]).await.unwrap();
        wire
    }

    /// Sends a text, and checks that the reply is the same text.
    async fn echo(&mut self, text: &str) -> Got {
        self.send(text).await;
        let got = self.next().await;
        assert_eq!(got.text, text);
        got
    }
}

const OFFER: &str = "permessage-deflate; client_max_window_bits";

fn takeover() -> Deflate {
    Deflate::default()
        .server_no_context_takeover(false)
        .max_context_memory(usize::MAX >> 1)
}

#[tokio::test]
async fn long_messages_that_shrink_are_compressed() {
    let addr = serve(Hub::builder().deflate(Deflate::default()).build()).await;
    let mut client = Client::connect(addr, "/", OFFER).await;
    let text = long("one");
    let first = client.echo(&text).await;
    assert!(first.compressed && first.wire.len() * 5 < text.len());
    assert_eq!(client.echo(&text).await, first, "each by itself");
    assert!(
        !client.echo(&text[..1023]).await.compressed,
        "under the threshold"
    );
    client.send(&format!("plain {text}")).await;
    let plain = client.next().await;
    assert_eq!((plain.compressed, plain.text), (false, text));
}

#[tokio::test]
async fn publications_are_the_same_bytes_for_equal_parameters() {
    let addr = serve(Hub::builder().deflate(Deflate::default()).build()).await;
    let mut one = Client::connect(addr, "/", OFFER).await;
    let mut two = Client::connect(addr, "/", "permessage-deflate").await;
    let mut small =
        Client::connect(addr, "/", "permessage-deflate; server_max_window_bits=9").await;
    let mut without = Client::connect(addr, "/", "").await;
    let mut off = Client::connect(addr, "/off", OFFER).await;
    assert_eq!((&*without.extensions, &*off.extensions), ("", ""));
    let text = long("many");
    one.send(&format!("topic {text}")).await;
    assert_eq!(one.next().await.text, format!("before {text}"));
    let got = one.next().await;
    assert!(got.compressed);
    assert_eq!(got.text, text);
    for client in [&mut two, &mut small, &mut without, &mut off] {
        let other = client.next().await;
        assert_eq!(other.text, text);
        assert_eq!(other.compressed, !client.extensions.is_empty());
        let equal = client.extensions == one.extensions;
        assert_eq!(equal && other.compressed, other.wire == got.wire);
    }
    for client in [&mut one, &mut two, &mut small, &mut without, &mut off] {
        let plain = client.next().await;
        assert_eq!(
            (plain.compressed, &plain.text),
            (false, &text),
            "an uncompressed one"
        );
    }
    assert_eq!(one.next().await.text, format!("after {text}"));
}

#[tokio::test]
async fn a_context_that_is_taken_over_stays_whole() {
    for overflow in [Overflow::Close, Overflow::DropNewest, Overflow::DropOldest] {
        let limits = Limits::default().overflow(overflow);
        let addr = serve(Hub::builder().limits(limits).deflate(takeover()).build()).await;
        let mut client = Client::connect(addr, "/", OFFER).await;
        let mut other = Client::connect(addr, "/", OFFER).await;
        assert_eq!(
            client.extensions,
            "permessage-deflate; client_no_context_takeover"
        );
        let text = long("again");
        let first = client.echo(&text).await.wire.len();
        let second = client.echo(&text).await.wire.len();
        if overflow == Overflow::Close {
            assert!(second * 2 < first, "{second} after {first}");
        }
        for round in 0..5 {
            let text = long(&format!("round {round}"));
            client.send(&format!("topic {text}")).await;
            for expected in [
                format!("before {text}"),
                text.clone(),
                text.clone(),
                format!("after {text}"),
            ] {
                assert_eq!(client.next().await.text, expected);
            }
            for _ in 0..2 {
                assert_eq!(other.next().await.text, text);
            }
            assert_eq!(other.echo(&text).await.text, text);
        }
    }
}

#[tokio::test]
async fn clients_with_a_context_of_their_own_are_read() {
    let config = takeover().client_no_context_takeover(false);
    let addr = serve(Hub::builder().deflate(config).build()).await;
    let mut client = Client::connect(addr, "/", OFFER).await;
    assert_eq!(client.extensions, "permessage-deflate");
    // RFC 7692 section 7.2.3.2, masked with zeros.
    for payload in [
        &b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..],
        b"\xf2\x00\x11\x00\x00",
    ] {
        let mut frame = vec![0xc1, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        frame.extend(payload);
        client.stream.write_all(&frame).await.unwrap();
        assert_eq!(client.next().await.text, "Hello");
    }
}

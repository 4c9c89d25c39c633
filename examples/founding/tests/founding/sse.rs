//! Server-sent events.

use std::time::Duration;

use bytes::Bytes;
use crossws::sse::{Parser, Received};
use http::{HeaderMap, Request};
use serde_json::{Value, json};

use crate::World;
use crate::client::{connect, get};
use crate::time::in_time;
use crate::world::Chunks;

/// A client of an event stream. Dropping it is a client that goes.
struct Source {
    headers: HeaderMap,
    chunks: Box<dyn Chunks>,
    parser: Parser,
    /// All that has arrived.
    raw: Vec<u8>,
}

async fn open_after(world: &dyn World, path: &str, last: Option<&str>) -> Source {
    let mut request = Request::get(path).header("accept", "text/event-stream");
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = world.stream(request.body(Bytes::new()).unwrap()).await;
    assert_eq!(response.status(), 200);
    let (head, chunks) = response.into_parts();
    Source {
        headers: head.headers,
        chunks,
        parser: Parser::new(),
        raw: Vec::new(),
    }
}

async fn open(world: &dyn World, path: &str) -> Source {
    open_after(world, path, None).await
}

impl Source {
    /// Returns the next event. Time passes while it waits.
    async fn next(&mut self, world: &dyn World) -> Received {
        loop {
            if let Some(event) = self.parser.next() {
                return event;
            }
            let chunk = ::tokio::select! {
                biased;
                chunk = self.chunks.next() => chunk.unwrap(),
                () = world.sleep(Duration::from_secs(10)) => panic!("no event came"),
            };
            self.raw.extend_from_slice(&chunk);
            self.parser.feed(&chunk).unwrap();
        }
    }
}

pub(crate) async fn events_come_every_100_ms(world: &dyn World) {
    in_time(world, Duration::from_secs(2), async || {
        events_come(world).await
    })
    .await;
}

async fn events_come(world: &dyn World) {
    let mut source = open(world, "/sse").await;
    assert_eq!(source.headers["content-type"], "text/event-stream");
    let began = world.now();
    for n in 0..4 {
        let event = source.next(world).await;
        assert_eq!(event.data, format!("Message @ {n}"));
        assert_eq!(event.event, "message");
    }
    let took = world.now() - began;
    assert!(took >= Duration::from_millis(250), "{took:?}");
}

async fn open_streams(world: &dyn World) -> Value {
    get(world, "/sse/open").await["open"].clone()
}

pub(crate) async fn the_interval_stops_when_the_client_goes(world: &dyn World) {
    let mut sources = [open(world, "/sse").await, open(world, "/sse").await];
    for source in &mut sources {
        source.next(world).await;
    }
    assert_eq!(open_streams(world).await, 2);
    for (left, source) in sources.into_iter().enumerate().rev() {
        drop(source);
        loop {
            let open = open_streams(world).await;
            if open == left {
                break;
            }
            assert!(open.as_u64() > Some(left as u64), "{open} open, not {left}");
            world.sleep(Duration::from_millis(20)).await;
        }
    }
}

pub(crate) async fn events_have_fields_and_go_on_after_the_last(world: &dyn World) {
    for (last, first) in [(None, 0), (Some("6"), 7), (Some("not a number"), 0)] {
        let mut source = open_after(world, "/sse/structured", last).await;
        for n in first..first + 2 {
            let event = source.next(world).await;
            assert_eq!(event.event, "update");
            assert_eq!(event.last_event_id, n.to_string());
            let data: Value = serde_json::from_str(&event.data).unwrap();
            assert_eq!(data, json!({ "value": n }));
            assert_eq!(source.parser.retry(), Some(Duration::from_secs(3)));
        }
    }
}

pub(crate) async fn lines_stay_lines_and_forge_nothing(world: &dyn World) {
    let mut source = open(world, "/sse/lines").await;
    let first = source.next(world).await;
    assert_eq!(first.data, "a\nb\nc\nd");
    let second = source.next(world).await;
    assert_eq!(
        (&*second.event, &*second.data),
        ("message", "x\n\nevent: forged")
    );
    let raw = String::from_utf8(source.raw).unwrap();
    let fields = raw.split("\n\n").next().unwrap();
    assert_eq!(fields, "data: a\ndata: b\ndata: c\ndata: d");
}

/// The hooks of the chat over an event stream.
struct Chat {
    source: Source,
    id: String,
    secret: String,
}

async fn chat(world: &dyn World) -> Chat {
    let mut source = open(world, "/ws/chat").await;
    let open = source.next(world).await;
    assert_eq!(open.event, "open");
    let open: Value = serde_json::from_str(&open.data).unwrap();
    assert_eq!(open["url"], "/ws/chat");
    let text = |name: &str| open[name].as_str().unwrap().to_owned();
    Chat {
        id: text("id"),
        secret: text("secret"),
        source,
    }
}

impl Chat {
    async fn json(&mut self, world: &dyn World) -> Value {
        let event = self.source.next(world).await;
        assert_eq!(event.event, "message");
        serde_json::from_str(&event.data).unwrap()
    }
}

async fn post(world: &dyn World, secret: &str, text: &str) -> u16 {
    let request = Request::post("/ws/chat").header("authorization", format!("Bearer {secret}"));
    let request = request.body(Bytes::from(text.to_owned())).unwrap();
    world.http(request).await.status().as_u16()
}

/// Returns the next message that is not about a peer that left: where a room is shared, streams of
/// earlier checks may end late.
async fn said(stream: &mut Chat, world: &dyn World) -> Value {
    loop {
        let message = stream.json(world).await;
        if !message["message"]
            .as_str()
            .is_some_and(|text| text.ends_with(" left!"))
        {
            return message;
        }
    }
}

/// Opens a chat, and waits for the end of its opening hook: the welcome may arrive before.
async fn join(world: &dyn World) -> Chat {
    let mut chat = chat(world).await;
    let server = |text: &str| json!({ "user": "server", "message": text });
    let welcome = format!("Welcome {}!", chat.id);
    assert_eq!(said(&mut chat, world).await, server(&welcome));
    assert_eq!(post(world, &chat.secret, "ping").await, 204);
    assert_eq!(said(&mut chat, world).await, server("pong"));
    chat
}

pub(crate) async fn the_chat_talks_over_a_stream_and_posts(world: &dyn World) {
    let mut ann = join(world).await;
    let id = ann.id.clone();
    let mut bob = connect(world, "/ws/chat").await;
    bob.json().await;
    let joined = said(&mut ann, world).await;
    assert!(
        joined["message"].as_str().unwrap().ends_with(" joined!"),
        "{joined}"
    );
    // A reply says that bob is subscribed.
    bob.send("ping").await;
    bob.json().await;
    assert_eq!(post(world, &ann.secret, "hello").await, 204);
    let hello = json!({ "user": id, "message": "hello" });
    assert_eq!(said(&mut ann, world).await, hello);
    bob.expect(&hello).await;
    bob.send("hi").await;
    assert_eq!(said(&mut ann, world).await["message"], "hi");
}

pub(crate) async fn the_secret_alone_posts(world: &dyn World) {
    let mut ann = join(world).await;
    let mut bob = chat(world).await;
    assert_ne!(ann.secret, bob.secret);
    assert!(!ann.id.contains(&ann.secret) && !"/ws/chat".contains(&ann.secret));
    for secret in ["", &ann.id] {
        assert_eq!(post(world, secret, "forged").await, 401);
    }
    let bare = Request::post("/ws/chat").body(Bytes::from("forged"));
    assert_eq!(world.http(bare.unwrap()).await.status(), 401);
    said(&mut bob, world).await;
    said(&mut ann, world).await;
    assert_eq!(post(world, &bob.secret, "mine").await, 204);
    // No hook has heard the others.
    assert_eq!(
        said(&mut ann, world).await,
        json!({ "user": bob.id, "message": "mine" })
    );
}

pub(crate) async fn without_a_stream_the_connection_ends(world: &dyn World) {
    let mut ann = join(world).await;
    let bob = chat(world).await;
    said(&mut ann, world).await;
    let (id, secret) = (bob.id.clone(), bob.secret.clone());
    drop(bob);
    let left = ann.json(world).await;
    let gone = json!({ "user": "server", "message": format!("{id} left!") });
    assert_eq!(left, gone);
    assert_eq!(post(world, &secret, "late").await, 401);
}

//! The same hooks over event streams and posts, in virtual time.

#![cfg(feature = "transport")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod requests;
mod resuming;
mod secrets;
mod slow;
mod whole;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use crossws_core::http::{Method, Request, Response, StatusCode};
use crossws_core::{
    Body, CloseCode, Closed, Dropped, HookResult, Hooks, Hub, Limits, Message, Peer, Rejection,
    SharedResolver, Shutdown, Upgrade, UpgradeRequest, hooks,
};
use crossws_memory::TestServer;
use crossws_sse::{EventSockets, Reader, Received};
use futures_lite::future::{block_on, poll_once};
use tower_service::Service;

/// What the hooks have seen.
type Journal = Arc<Mutex<Vec<String>>>;

/// The messages of a flood, which are more than the client's end of the stream holds.
const FLOOD: usize = 40;

/// Returns a message of 4 KiB.
fn flooded(n: usize) -> String {
    format!("{n:04096}")
}

/// A room that echoes, publishes, and obeys.
#[derive(Clone, Default)]
struct Room(Journal);

impl Room {
    fn note(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }
}

impl Hooks for Room {
    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        if request.query() == Some("token=bad") {
            return Err(Rejection::new(StatusCode::UNAUTHORIZED, "no token"));
        }
        Ok(Upgrade::new().namespace("room"))
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        self.note("open");
        peer.subscribe("talk")?;
        peer.send("welcome")?;
        Ok(())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        if !message.is_text() {
            self.note(format!("{} bytes", message.len()));
            peer.send(message)?;
            return Ok(());
        }
        let text = message.text()?.to_owned();
        self.note(text.clone());
        match &*text {
            "close" => peer.close(CloseCode::new(4000).unwrap(), "bye"),
            "cut" => peer.terminate(),
            "wait" => std::future::pending().await,
            "flood" => {
                for n in 0..FLOOD {
                    peer.send(flooded(n))?;
                }
            }
            _ => {
                peer.send(format!("you: {text}"))?;
                peer.publish("talk", text)?;
            }
        }
        Ok(())
    }

    async fn dropped(&self, _: &Peer, dropped: Dropped) -> HookResult {
        self.note(format!("dropped {} {:?}", dropped.messages, dropped.cause));
        Ok(())
    }

    async fn close(&self, _: &Peer, closed: Closed) -> HookResult {
        let Closed {
            code, clean, by, ..
        } = closed;
        self.note(format!("close {code} {} {clean}", by.name()));
        Ok(())
    }
}

/// Responds with what it got.
#[derive(Clone)]
struct Pages;

impl Service<Request<Body>> for Pages {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let page = format!("{} {}", request.method(), request.uri());
        ready(Ok(Response::new(page)))
    }
}

struct World {
    server: TestServer,
    journal: Journal,
}

impl World {
    fn with(limits: Limits, sockets: impl FnOnce(EventSockets) -> EventSockets) -> Self {
        let room = Arc::new(Room::default());
        let journal = Arc::clone(&room.0);
        let app = crossws_core::resolve_with(move |request: &mut UpgradeRequest| {
            request
                .path()
                .starts_with("/room")
                .then(|| Arc::clone(&room))
        });
        let app = SharedResolver::new(app);
        let hub = Hub::builder().limits(limits).build();
        let http = sockets(EventSockets::new(app.clone(), &hub)).or(Pages);
        let server = TestServer::builder(app).hub(hub).http(http).build();
        Self { server, journal }
    }

    fn new() -> Self {
        Self::with(Limits::default(), |sockets| sockets)
    }

    async fn get(&self, path: &str, last: &str) -> Response<Body> {
        let request = self.server.get(path).header("accept", "text/event-stream");
        let request = request.header("last-event-id", last);
        request.stream().await.unwrap()
    }

    async fn open(&self, path: &str) -> Source {
        let mut source = Source::new(self.get(path, "").await);
        let open = source.next().await;
        assert_eq!(open.event, "open");
        let open: serde_json::Value = serde_json::from_str(&open.data).unwrap();
        assert_eq!(open["url"], path);
        source.id = open["id"].as_str().unwrap().to_owned();
        source.secret = open["secret"].as_str().unwrap().to_owned();
        source.expect("welcome").await;
        source
    }

    async fn post_to(&self, path: &str, secret: &str, body: impl Into<Vec<u8>>) -> u16 {
        let request = self.server.post(path).body(body.into());
        let request = request.header("authorization", format!("Bearer {secret}"));
        request.await.unwrap().status().as_u16()
    }

    async fn post(&self, source: &Source, body: impl Into<Vec<u8>>) -> u16 {
        self.post_to("/room", &source.secret, body).await
    }

    async fn advance(&self, seconds: u64) {
        self.server.advance(Duration::from_secs(seconds)).await;
    }

    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.journal.lock().unwrap())
    }
}

struct Source {
    reader: Reader<Body>,
    id: String,
    secret: String,
    last: String,
}

impl Source {
    fn new(response: Response<Body>) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            reader: Reader::new(response.into_body()),
            id: String::new(),
            secret: String::new(),
            last: String::new(),
        }
    }

    async fn next(&mut self) -> Received {
        let event = self.reader.next().await.unwrap().expect("an event");
        self.last.clone_from(&event.last_event_id);
        event
    }

    async fn expect(&mut self, text: &str) {
        let event = self.next().await;
        assert_eq!((&*event.event, &*event.data), ("message", text));
    }

    async fn expect_end(mut self) {
        assert_eq!(self.reader.next().await.unwrap(), None);
    }
}

#[test]
fn hooks_talk_over_a_stream_and_posts_as_over_a_socket() {
    block_on(async {
        let world = World::new();
        let mut ann = world.open("/room").await;
        let mut bob = world.server.connect("/room").await.unwrap();
        bob.expect("welcome").await;
        let mut carl = world.open("/room").await;
        assert_eq!(world.post(&ann, "hello\nall").await, 204);
        ann.expect("you: hello\nall").await;
        bob.expect("hello\nall").await;
        carl.expect("hello\nall").await;
        bob.send("hi").unwrap();
        ann.expect("hi").await;
        carl.expect("hi").await;
        assert_eq!(world.server.hub().stats().peers, 3);
        assert_eq!(world.seen(), ["open", "open", "open", "hello\nall", "hi"]);
    });
}

#[test]
fn bytes_are_events_of_their_own() {
    block_on(async {
        let world = World::new();
        let mut ann = world.open("/room").await;
        let request = world.server.post("/room").body(vec![0_u8, 255, 10]);
        let request = request.header("authorization", format!("Bearer {}", ann.secret));
        let request = request.header("content-type", "application/octet-stream");
        assert_eq!(request.await.unwrap().status(), 204);
        let event = ann.next().await;
        assert_eq!((&*event.event, &*event.data), ("binary", "AP8K"));
    });
}

#[test]
fn the_server_closes_with_an_event_and_the_client_with_a_request() {
    block_on(async {
        let world = World::new();
        let mut ann = world.open("/room").await;
        world.post(&ann, "close").await;
        let event = ann.next().await;
        assert_eq!(
            (&*event.event, &*event.data),
            ("close", r#"{"code":4000,"reason":"bye"}"#)
        );
        ann.expect_end().await;
        assert_eq!(world.seen().last().unwrap(), "close 4000 server true");

        let mut bob = world.open("/room").await;
        let close = || {
            let request = world.server.request(Method::DELETE, "/room");
            request.header("authorization", format!("Bearer {}", bob.secret))
        };
        assert_eq!(close().await.unwrap().status(), 204);
        world.server.settle().await;
        assert_eq!(world.seen().last().unwrap(), "close 1000 client true");
        assert_eq!(close().await.unwrap().status(), 401);
        let event = bob.next().await;
        assert_eq!(
            (&*event.event, &*event.data),
            ("close", r#"{"code":1000,"reason":""}"#)
        );
        bob.expect_end().await;

        let mut carl = world.open("/room").await;
        world.post(&carl, "cut").await;
        assert!(carl.reader.next().await.is_err());
        world.server.settle().await;
        assert_eq!(world.seen().last().unwrap(), "close 1006 server false");
    });
}

#[test]
fn a_shutdown_closes_streams_with_the_others() {
    block_on(async {
        let world = World::new();
        let mut ann = world.open("/room").await;
        let away = world.open("/room").await;
        drop(away);
        world.server.settle().await;
        let report = world.server.shutdown(Shutdown::default()).await;
        assert_eq!((report.closed, report.forced), (2, 0), "{report:?}");
        let event = ann.next().await;
        assert_eq!(
            (&*event.event, &*event.data),
            ("close", r#"{"code":1012,"reason":"restarting"}"#)
        );
        assert_eq!(world.get("/room", "").await.status(), 503);
    });
}

#[test]
fn media_types_are_compared_without_case_and_parameters() {
    block_on(async {
        let world = World::new();
        let asks = |accept: &'static str| {
            world
                .server
                .get("/room")
                .header("accept", accept.as_bytes())
        };
        for accept in [
            "Text/Event-Stream",
            "text/html, text/event-stream;q=0.9",
            "text/event-stream ; charset=utf-8",
            "text/html; title=żółć, text/event-stream",
        ] {
            let mut ann = Source::new(asks(accept).stream().await.unwrap());
            assert_eq!(ann.next().await.event, "open", "{accept}");
        }
        for accept in [
            "*/*",
            "text/*",
            "text/event-streams",
            "text/html;a=text/event-stream",
        ] {
            let page = asks(accept).stream().await.unwrap();
            assert!(!page.headers().contains_key("content-type"), "{accept}");
        }
        let mut ann = world.open("/room").await;
        for kind in [
            "Application/Octet-Stream",
            "application/octet-stream; charset=binary",
        ] {
            let post = world.server.post("/room").body(vec![0_u8, 255, 10]);
            let post = post.header("authorization", format!("Bearer {}", ann.secret));
            let post = post.header("content-type", kind);
            assert_eq!(post.await.unwrap().status(), 204);
            let event = ann.next().await;
            assert_eq!((&*event.event, &*event.data), ("binary", "AP8K"), "{kind}");
        }
    });
}

//! The same hooks over event streams and posts, in virtual time.

#![cfg(feature = "transport")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use crossws_core::http::{Method, Request, Response, StatusCode};
use crossws_core::{
    Body, CloseCode, Closed, HookResult, Hooks, Hub, Limits, Message, Origin, Peer, Rejection,
    SharedResolver, Shutdown, Upgrade, UpgradeRequest,
};
use crossws_memory::TestServer;
use crossws_sse::{EventSockets, Reader, Received};
use futures_lite::future::{block_on, poll_once};
use tower_service::Service;

/// What the hooks have seen.
type Journal = Arc<Mutex<Vec<String>>>;

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
            _ => {
                peer.send(format!("you: {text}"))?;
                peer.publish("talk", text)?;
            }
        }
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
fn only_a_connections_own_secret_posts() {
    block_on(async {
        let world = World::new();
        let (ann, bob) = (world.open("/room").await, world.open("/room/2").await);
        assert!(!ann.last.contains(&ann.secret) && !ann.id.contains(&ann.secret));
        world.seen();
        let mut forged = ann.secret.clone();
        let last = if forged.ends_with('A') { "B" } else { "A" };
        forged.replace_range(forged.len() - 2..forged.len() - 1, last);
        let resume = ann.last.split('.').next().unwrap().to_owned();
        for secret in [
            "",
            "x",
            &*ann.id,
            &*forged,
            &*resume,
            &*ann.last,
            &*bob.secret,
        ] {
            assert_eq!(world.post_to("/room", secret, "x").await, 401, "{secret}");
        }
        assert_eq!(
            world.server.post("/room").body("x").await.unwrap().status(),
            401
        );
        // Two headers are none.
        let twice = world.server.post("/room").body("x");
        let twice = twice.header("authorization", format!("Bearer {}", ann.secret));
        let twice = twice.header("authorization", format!("Bearer {}", ann.secret));
        assert_eq!(twice.await.unwrap().status(), 401);
        // Another path is another place.
        assert_eq!(world.post_to("/room/2", &ann.secret, "x").await, 401);
        assert_eq!(world.seen(), [""; 0]);
        assert_eq!(world.post(&ann, "close").await, 204);
        world.server.settle().await;
        assert_eq!(world.post(&ann, "x").await, 401);
        assert_eq!(world.seen()[0], "close");
    });
}

#[test]
fn a_cut_stream_goes_on_and_loses_nothing() {
    block_on(async {
        let world = World::new();
        let mut ann = world.open("/room").await;
        let bob = world.open("/room").await;
        world.post(&bob, "1").await;
        world.post(&bob, "2").await;
        ann.expect("1").await;
        let (last, secret) = (ann.last.clone(), ann.secret.clone());
        // "2" was written, and not read. "3" comes while there is no stream.
        world.server.settle().await;
        drop(ann);
        world.server.settle().await;
        world.advance(29).await;
        world.post(&bob, "3").await;
        let mut again = Source::new(world.get("/room", &last).await);
        world.post(&bob, "4").await;
        for text in ["2", "3", "4"] {
            again.expect(text).await;
        }
        assert_eq!(world.post_to("/room", &secret, "5").await, 204);
        again.expect("you: 5").await;
        // From the same event once more: the later stream has the connection.
        let mut third = Source::new(world.get("/room", &last).await);
        for text in ["2", "3", "4", "you: 5"] {
            third.expect(text).await;
        }
        again.expect_end().await;
        world.advance(100).await;
        assert_eq!(world.server.hub().stats().peers, 2);
        assert!(!world.seen().iter().any(|it| it.starts_with("close")));
    });
}

#[test]
fn no_other_client_takes_a_stream_up_again() {
    block_on(async {
        let world = World::new();
        let ann = world.open("/room").await;
        let (key, _) = ann.last.rsplit_once('.').unwrap();
        let mut forged = key.to_owned();
        let last = if forged.ends_with('A') { "B" } else { "A" };
        forged.replace_range(forged.len() - 1.., last);
        for id in [
            format!("{forged}.1"),
            format!("{}.1", ann.id),
            format!("{key}."),
            key.to_owned(),
            format!("{key}.-1"),
            format!("{}.1", ann.secret),
        ] {
            let mut other = Source::new(world.get("/room", &id).await);
            assert_eq!(other.next().await.event, "open", "{id}");
        }
        let elsewhere = world.get("/room/2", &ann.last).await;
        assert_eq!(Source::new(elsewhere).next().await.event, "open");
        assert_eq!(world.post(&ann, "still here").await, 204);
    });
}

#[test]
fn without_its_client_a_connection_ends_after_the_grace() {
    block_on(async {
        let world = World::new();
        let ann = world.open("/room").await;
        let (last, secret) = (ann.last.clone(), ann.secret.clone());
        drop(ann);
        world.server.settle().await;
        world.seen();
        world.advance(29).await;
        assert_eq!(world.seen(), [""; 0]);
        world.advance(1).await;
        assert_eq!(world.seen(), ["close 1006 network false"]);
        assert_eq!(world.post_to("/room", &secret, "x").await, 401);
        assert_eq!(world.server.hub().stats().peers, 0);
        // Coming back late is a new connection, which says so.
        let mut late = Source::new(world.get("/room", &last).await);
        assert_eq!(late.next().await.event, "open");
    });
}

#[test]
fn a_client_that_has_missed_too_much_gets_a_new_connection() {
    block_on(async {
        let world = World::with(Limits::default(), |sockets| sockets.retained(100));
        let ann = world.open("/room").await;
        let bob = world.open("/room").await;
        let last = ann.last.clone();
        world.post(&bob, "x".repeat(200)).await;
        world.server.settle().await;
        drop(ann);
        world.server.settle().await;
        world.seen();
        let mut again = Source::new(world.get("/room", &last).await);
        assert_eq!(again.next().await.event, "open");
        world.server.settle().await;
        let seen = world.seen();
        assert!(
            seen.contains(&"close 1006 server false".to_owned()),
            "{seen:?}"
        );
    });
}

#[test]
fn while_the_client_is_away_the_limits_bound_its_queue() {
    block_on(async {
        let limits = Limits::default().max_buffered(1000);
        let world = World::with(limits, |sockets| sockets);
        let ann = world.open("/room").await;
        let bob = world.open("/room").await;
        drop(ann);
        world.server.settle().await;
        world.seen();
        for _ in 0..20 {
            world.post(&bob, "x".repeat(100)).await;
        }
        world.server.settle().await;
        let closed: Vec<_> = world
            .seen()
            .into_iter()
            .filter(|it| it.starts_with("close"))
            .collect();
        assert_eq!(closed, ["close 1013 server false"]);
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

        let bob = world.open("/room").await;
        let close = || {
            let request = world.server.request(Method::DELETE, "/room");
            request.header("authorization", format!("Bearer {}", bob.secret))
        };
        assert_eq!(close().await.unwrap().status(), 204);
        world.server.settle().await;
        assert_eq!(world.seen().last().unwrap(), "close 1000 client true");
        assert_eq!(close().await.unwrap().status(), 401);
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
fn the_upgrade_hook_and_the_origin_guard_streams_and_posts() {
    block_on(async {
        let world = World::new();
        let ask = |method: Method, path: &str, origin: &str| {
            let request = world
                .server
                .request(method, path)
                .header("accept", "text/event-stream");
            request.header("origin", origin)
        };
        let refused = world.get("/room?token=bad", "").await;
        assert_eq!(refused.status(), 401);
        for (origin, status) in [
            ("https://evil.example", 403),
            ("null", 403),
            ("http://localhost", 200),
        ] {
            let response = ask(Method::GET, "/room", origin).stream().await.unwrap();
            assert_eq!(response.status(), status, "{origin}");
        }
        let ann = world.open("/room").await;
        world.seen();
        for (origin, status) in [("https://evil.example", 403), ("http://localhost", 204)] {
            let post = ask(Method::POST, "/room", origin).body("x");
            let post = post.header("authorization", format!("Bearer {}", ann.secret));
            assert_eq!(post.await.unwrap().status(), status, "{origin}");
        }
        world.server.settle().await;
        assert_eq!(world.seen().iter().filter(|it| *it == "x").count(), 1);
        // Taking up again is a request like the first.
        let resumed =
            ask(Method::GET, "/room", "https://evil.example").header("last-event-id", &ann.last);
        assert_eq!(resumed.stream().await.unwrap().status(), 403);
    });
}

#[test]
fn pages_of_an_admitted_origin_may_read_and_post() {
    block_on(async {
        let app = SharedResolver::new(Room::default());
        let hub = Hub::builder()
            .origin(Origin::listed(["https://app.example"]))
            .build();
        let http = EventSockets::new(app.clone(), &hub);
        let server = TestServer::builder(app).hub(hub).http(http).build();
        let asks = |origin: &'static str| {
            server
                .request(Method::OPTIONS, "/room")
                .header("origin", origin)
        };
        let response = asks("https://app.example").await.unwrap();
        assert_eq!(response.status(), 204);
        let headers = response.headers();
        assert_eq!(
            headers["access-control-allow-origin"],
            "https://app.example"
        );
        assert_eq!(headers["access-control-allow-methods"], "GET, POST, DELETE");
        assert_eq!(
            headers["access-control-allow-headers"],
            "authorization, content-type"
        );
        let response = asks("https://evil.example").await.unwrap();
        assert_eq!(response.status(), 403);
        assert!(
            !response
                .headers()
                .contains_key("access-control-allow-origin")
        );
    });
}

#[test]
fn what_a_client_posts_is_bounded() {
    block_on(async {
        let limits = Limits::default().max_message_size(1000).max_inbound(4);
        let world = World::with(limits, |sockets| sockets);
        let mut ann = world.open("/room").await;
        assert_eq!(world.post(&ann, "x".repeat(1001)).await, 413);
        assert_eq!(world.post(&ann, b"\xff".to_vec()).await, 400);
        // A body of newlines is one message.
        let lines = "\n".repeat(1000);
        assert_eq!(world.post(&ann, &*lines).await, 204);
        ann.expect(&format!("you: {lines}")).await;
        // A hook that takes its time: some messages are queued, some requests wait, the rest are told.
        world.seen();
        assert_eq!(world.post(&ann, "wait").await, 204);
        world.server.settle().await;
        let mut posts = Vec::new();
        let mut told = Vec::new();
        for n in 0..40 {
            let mut post = Box::pin(world.post(&ann, format!("{n}")));
            match poll_once(&mut post).await {
                Some(status) => told.push(status),
                None => posts.push(post),
            }
        }
        assert_eq!(told.iter().filter(|status| **status == 204).count(), 4);
        assert_eq!(posts.len(), 16);
        assert_eq!(told.iter().filter(|status| **status == 429).count(), 20);
        assert_eq!(world.seen(), ["wait"]);
    });
}

#[test]
fn other_requests_go_on_to_the_pages() {
    block_on(async {
        let world = World::new();
        for (method, path) in [
            (Method::GET, "/page"),
            (Method::POST, "/page"),
            (Method::DELETE, "/page"),
            (Method::GET, "/room"),
            (Method::PUT, "/room"),
        ] {
            let response = world.server.request(method.clone(), path).await.unwrap();
            assert_eq!(response.text().unwrap(), format!("{method} {path}"));
        }
        let page = world.get("/page", "").await;
        assert_eq!(page.status(), 200);
        assert!(!page.headers().contains_key("content-type"));
    });
}

//! What guards and bounds a client's requests.

use std::pin::Pin;

use crossws_core::adapter::OriginalTarget;
use crossws_core::{Bytes, ConnectionInfo, Origin, hooks};

use super::*;

/// Strips a prefix, as routers do.
#[derive(Clone)]
struct Nest(EventSockets);

impl Service<Request<Body>> for Nest {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <EventSockets as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let target = OriginalTarget::of(request.uri());
        request.extensions_mut().insert(target);
        let path = request.uri().path().strip_prefix("/staff").unwrap();
        *request.uri_mut() = path.parse().unwrap();
        self.0.call(request)
    }
}

#[test]
fn a_router_before_the_sockets_does_not_change_their_path() {
    block_on(async {
        let app = SharedResolver::new(
            hooks().on_open(|peer| async move { peer.send(peer.request().path().to_owned()) }),
        );
        let hub = Hub::default();
        let http = Nest(EventSockets::new(app.clone(), &hub));
        let server = TestServer::builder(app).hub(hub).http(http).build();
        let request = server.get("/staff/orders");
        let request = request.header("accept", "text/event-stream");
        let mut ann = Source::new(request.stream().await.unwrap());
        let open = ann.next().await;
        assert!(open.data.contains(r#""url":"/staff/orders""#), "{open:?}");
        ann.expect("/staff/orders").await;
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
            "authorization, content-type, last-event-id"
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

/// As on a WebSocket: see `crossws-proto/src/connection/tests.rs`.
#[test]
fn two_of_the_largest_messages_or_some_small_ones_wait_for_a_busy_hook() {
    block_on(async {
        for (lens, waiting) in [
            (&[1000, 1000, 1][..], 2),
            (&[1000, 900, 100], 2),
            (&[500, 500, 1000, 1], 3),
            (&[501, 500, 1], 2),
            (&[1, 1, 1, 1, 1], 4),
        ] {
            let limits = Limits::default().max_message_size(1000).max_inbound(4);
            let world = World::with(limits, |sockets| sockets);
            let ann = world.open("/room").await;
            assert_eq!(world.post(&ann, "wait").await, 204);
            world.server.settle().await;
            let mut posts: Vec<_> = lens
                .iter()
                .map(|len| Box::pin(world.post(&ann, "x".repeat(*len))))
                .collect();
            let mut queued = 0;
            for post in &mut posts {
                queued += usize::from(poll_once(post).await == Some(204));
            }
            assert_eq!(queued, waiting, "{lens:?}");
        }
    });
}

/// Adds what a server knows about the connection, as over TLS.
#[derive(Clone)]
struct Secured(EventSockets);

impl Service<Request<Body>> for Secured {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <EventSockets as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let addr = "192.0.2.7:1234".parse().ok();
        let info = ConnectionInfo::new(addr).with_secure(true);
        info.store(request.extensions_mut());
        self.0.call(request)
    }
}

#[test]
fn hooks_know_the_connection_of_a_stream() {
    block_on(async {
        let app = SharedResolver::new(hooks().on_open(|peer| async move {
            let request = peer.request();
            let addr = request.remote_addr().map(|addr| addr.to_string());
            peer.send(format!("{} {addr:?}", request.is_secure()))
        }));
        let hub = Hub::default();
        let http = Secured(EventSockets::new(app.clone(), &hub));
        let server = TestServer::builder(app).hub(hub).http(http).build();
        let request = server.get("/").header("accept", "text/event-stream");
        // The same origin is one of `https`.
        let request = request.header("origin", "https://localhost");
        let mut ann = Source::new(request.stream().await.unwrap());
        ann.next().await;
        ann.expect(r#"true Some("192.0.2.7:1234")"#).await;
    });
}

#[test]
fn posts_that_are_read_count_as_unfinished() {
    block_on(async {
        let limits = Limits::default().max_unfinished(1000);
        let mut shared = None;
        let world = World::with(limits, |sockets| shared.insert(sockets).clone());
        let mut shared = shared.unwrap();
        let mut ann = world.open("/room").await;
        let mut post = |len| {
            let request = Request::post("/room");
            let request = request.header("authorization", format!("Bearer {}", ann.secret));
            shared.call(request.body(Begun(Some(len))).unwrap())
        };
        let mut first = post(900);
        assert!(poll_once(&mut first).await.is_none());
        assert_eq!(world.server.hub().stats().unfinished, 900);
        let refused = post(101).await.unwrap();
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.headers()["retry-after"], "1");
        drop(first);
        assert_eq!(world.server.hub().stats().unfinished, 0);
        assert_eq!(world.post(&ann, "x".repeat(101)).await, 204);
        ann.next().await;
    });
}

/// A body of which only the first bytes arrive.
struct Begun(Option<usize>);

impl http_body::Body for Begun {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(len) => Poll::Ready(Some(Ok(http_body::Frame::data(vec![b'x'; len].into())))),
            None => Poll::Pending,
        }
    }
}

#[test]
fn a_post_that_breaks_a_rule_ends_the_connection_by_name() {
    block_on(async {
        let world = World::with(Limits::default().max_message_size(1000), |sockets| sockets);
        for (body, status, code, reason) in [
            (vec![b'x'; 1001], 413, 1009, "message too big"),
            (b"\xff".to_vec(), 400, 1007, "a text is not UTF-8"),
        ] {
            let mut ann = world.open("/room").await;
            assert_eq!(world.post(&ann, body).await, status);
            let event = ann.next().await;
            let expected = format!(r#"{{"code":{code},"reason":"{reason}"}}"#);
            assert_eq!((&*event.event, &*event.data), ("close", &*expected));
            ann.expect_end().await;
            let closed = world.seen().pop().unwrap();
            assert_eq!(closed, format!("close {code} server true"));
        }
    });
}

#[test]
fn a_client_closes_with_a_code_after_what_it_has_posted() {
    block_on(async {
        let world = World::new();
        let close = async |source: &Source, body: &str| {
            let request = world.server.request(Method::DELETE, "/room");
            let request = request.header("authorization", format!("Bearer {}", source.secret));
            request
                .body(body.to_owned())
                .await
                .unwrap()
                .status()
                .as_u16()
        };
        for (body, event, closed) in [
            ("", r#"{"code":1000,"reason":""}"#, "close 1000 client true"),
            ("{}", "{}", "close 1005 client true"),
            (
                r#"{"code":4001,"reason":"bye"}"#,
                r#"{"code":4001,"reason":"bye"}"#,
                "close 4001 client true",
            ),
        ] {
            let mut ann = world.open("/room").await;
            world.seen();
            assert_eq!(world.post(&ann, "last").await, 204);
            assert_eq!(close(&ann, body).await, 204);
            assert_eq!(world.post(&ann, "too late").await, 401);
            let mut events = Vec::new();
            while let Some(event) = ann.reader.next().await.unwrap() {
                events.push((event.event, event.data));
            }
            assert_eq!(
                events.pop().unwrap(),
                ("close".to_owned(), event.to_owned())
            );
            world.server.settle().await;
            assert_eq!(world.seen(), ["last", closed]);
        }
        let mut ann = world.open("/room").await;
        for body in [
            r#"{"code":1006}"#,
            r#"{"code":1}"#,
            "bye",
            r#"{"code":"x"}"#,
        ] {
            assert_eq!(close(&ann, body).await, 400, "{body}");
        }
        assert_eq!(close(&ann, &" ".repeat(1025)).await, 413);
        assert_eq!(world.post(&ann, "still here").await, 204);
        ann.expect("you: still here").await;
    });
}

/// A body that never arrives.
struct Never;

impl http_body::Body for Never {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

#[test]
fn posts_that_do_not_arrive_are_bounded_and_end() {
    block_on(async {
        let mut shared = None;
        let world = World::with(Limits::default(), |sockets| shared.insert(sockets).clone());
        let mut shared = shared.unwrap();
        let mut ann = world.open("/room").await;
        let mut post = || {
            let request = Request::post("/room");
            let request = request.header("authorization", format!("Bearer {}", ann.secret));
            shared.call(request.body(Never).unwrap())
        };
        let mut posts: Vec<_> = (0..16).map(|_| post()).collect();
        for post in &mut posts {
            assert!(poll_once(post).await.is_none());
        }
        assert_eq!(post().await.unwrap().status(), 429);
        world.advance(10).await;
        for post in posts {
            assert_eq!(post.await.unwrap().status(), 408);
        }
        assert_eq!(world.post(&ann, "now").await, 204);
        ann.expect("you: now").await;
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

//! What a client says and does counts as it did: its path, its headers, and when it sent something.

use std::sync::atomic::{AtomicU64, Ordering};

use crossws_core::adapter::Background;
use crossws_core::http::HeaderValue;
use crossws_core::{BoxFuture, Bytes, normal_path};

use super::*;

#[test]
fn a_path_is_the_whole_path_of_streams_and_posts() {
    block_on(async {
        let world = World::new();
        for (path, url) in [
            ("/room/x", "/room/x"),
            ("/room//x/", "/room//x/"),
            ("/room;v=1", "/room;v=1"),
            ("/room/%2Fx%3F", "/room/%2Fx%3F"),
            ("/room/..;/x", "/room/..;/x"),
            ("/room/a:b@c", "/room/a:b@c"),
        ] {
            let mut ann = Source::new(world.get(&format!("{path}?q=/a?b"), "").await);
            let open: serde_json::Value = serde_json::from_str(&ann.next().await.data).unwrap();
            assert_eq!(open["url"], url);
            let secret = open["secret"].as_str().unwrap();
            assert_eq!(world.post_to(url, secret, "hello").await, 204, "{path}");
            assert_eq!(world.post_to("/room", secret, "hello").await, 401);
            let peer = world.server.hub().peers().remove(0);
            assert_eq!(peer.request().path(), path);
            assert_eq!(
                normal_path(peer.request().path()).unwrap(),
                normal_path(path).unwrap()
            );
            peer.terminate();
            world.server.settle().await;
        }
    });
}

#[test]
fn a_path_of_two_slashes_is_no_other_host() {
    block_on(async {
        let app = SharedResolver::new(hooks());
        let hub = Hub::default();
        let http = EventSockets::new(app.clone(), &hub).or(Pages);
        // Its requests begin with one slash, so that the service is called without it.
        let _server = TestServer::builder(app).hub(hub).http(http.clone()).build();
        let ask = |request: crossws_core::http::request::Builder| {
            let request = request.body(Body::from(Bytes::from("hello"))).unwrap();
            http.clone().call(request)
        };
        for path in ["//evil.example/x", "/\\evil.example/x"] {
            let target = format!("http://localhost{path}");
            let request = Request::get(target).header("accept", "text/event-stream");
            let mut reader = Reader::new(ask(request).await.unwrap().into_body());
            let open = reader.next().await.unwrap().unwrap();
            let open: serde_json::Value = serde_json::from_str(&open.data).unwrap();
            assert_eq!(open["url"], format!("/.{path}"));
            let secret = format!("Bearer {}", open["secret"].as_str().unwrap());
            // As a browser resolves it, and as a client that does not.
            for path in [path, &format!("/.{path}")] {
                let post = Request::post(format!("http://localhost{path}"));
                let response = ask(post.header("authorization", &secret)).await;
                assert_eq!(response.unwrap().status(), 204, "{path}");
            }
        }
    });
}

#[test]
fn bytes_above_ascii_hide_nothing() {
    block_on(async {
        let app = hooks().on_upgrade(|request| async move {
            let name = request.header("x-name").unwrap_or("none").to_owned();
            let cookie = request.header("cookie").unwrap_or("none").to_owned();
            Ok(Upgrade::new().namespace(format!("{name} {cookie}")))
        });
        let app = SharedResolver::new(app);
        let hub = Hub::default();
        let http = EventSockets::new(app.clone(), &hub).or(Pages);
        let server = TestServer::builder(app).hub(hub).http(http).build();
        let bytes = |text: &str| HeaderValue::from_bytes(text.as_bytes()).unwrap();
        let request = server.get("/").header("accept", "text/event-stream");
        let request = request.header("x-name", bytes("Zażółć"));
        let request = request.header("cookie", bytes("name=żółć; place=Łódź"));
        let mut ann = Source::new(request.stream().await.unwrap());
        assert_eq!(ann.next().await.event, "open");
        let peer = server.hub().peers().remove(0);
        assert_eq!(peer.namespace(), "Zażółć name=żółć; place=Łódź");
    });
}

#[test]
fn messages_that_wait_for_a_busy_hook_count_from_when_they_came() {
    block_on(async {
        let limits = Limits::default().inactivity_timeout(Duration::from_secs(60));
        let world = World::with(limits, |sockets| sockets);
        let ann = world.open("/room").await;
        assert_eq!(world.post(&ann, "wait").await, 204);
        for n in 0..4 {
            world.advance(50).await;
            assert_eq!(world.post(&ann, n.to_string()).await, 204);
        }
        assert_eq!(world.server.hub().peers().len(), 1, "{:?}", world.seen());
        world.advance(61).await;
        assert_eq!(world.server.hub().peers().len(), 0);
    });
}

#[test]
fn a_client_whose_messages_have_no_room_is_not_inactive() {
    block_on(async {
        let limits = Limits::default().inactivity_timeout(Duration::from_secs(60));
        let limits = limits.max_inbound(1);
        let world = World::with(limits, |sockets| sockets);
        let ann = world.open("/room").await;
        for text in ["wait", "full"] {
            assert_eq!(world.post(&ann, text).await, 204);
        }
        world.advance(600).await;
        assert_eq!(world.server.hub().peers().len(), 1, "{:?}", world.seen());
    });
}

/// A clock that jumps ahead of the tasks, as it does for a process that was stopped.
struct Stopped {
    inner: Arc<dyn Background>,
    seconds: AtomicU64,
}

impl Background for Stopped {
    fn now(&self) -> Duration {
        self.inner.now() + Duration::from_secs(self.seconds.load(Ordering::SeqCst))
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.inner.sleep(time)
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.inner.spawn(task);
    }
}

#[test]
fn a_client_that_came_back_to_a_stopped_process_goes_on() {
    block_on(async {
        let world = World::new();
        let hub = world.server.hub();
        let inner = hub.background().unwrap();
        let seconds = AtomicU64::new(0);
        let stopped = Arc::new(Stopped { inner, seconds });
        hub.lend_background(Arc::clone(&stopped) as _);
        let ann = world.open("/room").await;
        let last = ann.last.clone();
        drop(ann);
        world.server.settle().await;
        let stop = |seconds| stopped.seconds.fetch_add(seconds, Ordering::SeqCst);
        stop(600);
        // Its driver looks before the request of the client is read.
        let peer = hub.peers().remove(0);
        peer.send("missed").unwrap();
        world.server.settle().await;
        let mut ann = Source::new(world.get("/room", &last).await);
        ann.expect("missed").await;
        // A client that does not come back is gone.
        drop(ann);
        world.server.settle().await;
        stop(600);
        peer.send("missed").unwrap();
        world.advance(2).await;
        assert_eq!(world.seen(), ["open", "close 1006 network false"]);
    });
}

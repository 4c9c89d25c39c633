//! What a client says and does counts as it did: its path, its headers, and when it sent something.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

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
fn a_client_whose_message_waits_for_room_is_not_inactive() {
    block_on(async {
        let limits = Limits::default().inactivity_timeout(Duration::from_secs(60));
        for (limits, queued) in [
            // No room for another message, or not for one so long.
            (limits.clone().max_inbound(1), &[1][..]),
            (limits.max_message_size(1000), &[1000, 900]),
        ] {
            let world = World::with(limits, |sockets| sockets);
            let is_open = || !world.server.hub().peers().is_empty();
            let ann = world.open("/room").await;
            assert_eq!(world.post(&ann, "wait").await, 204);
            world.server.settle().await;
            for len in queued {
                assert_eq!(world.post(&ann, "x".repeat(*len)).await, 204);
            }
            let mut post = Box::pin(world.post(&ann, "x".repeat(500)));
            assert!(poll_once(&mut post).await.is_none());
            world.advance(600).await;
            assert!(is_open(), "{:?}", world.seen());
            // The client withdraws it between two looks at it. From then on it is silent.
            world.advance(30).await;
            drop(post);
            world.advance(59).await;
            assert!(is_open(), "{:?}", world.seen());
            world.advance(2).await;
            assert!(!is_open());
        }
    });
}

/// A clock that jumps ahead of the tasks, as it does for a process that was stopped.
#[derive(Clone)]
struct Stopped {
    inner: Arc<dyn Background>,
    seconds: Arc<AtomicU64>,
}

impl Stopped {
    /// Sets the clock of a world's connections.
    fn in_world(world: &World) -> Self {
        let hub = world.server.hub();
        let stopped = Self {
            inner: hub.background().unwrap(),
            seconds: Arc::default(),
        };
        hub.lend_background(Arc::new(stopped.clone()));
        stopped
    }

    fn stop(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    fn stopped(&self) -> Duration {
        Duration::from_secs(self.seconds.load(Ordering::SeqCst))
    }
}

impl Background for Stopped {
    fn now(&self) -> Duration {
        self.inner.now() + self.stopped()
    }

    fn wall_clock(&self) -> SystemTime {
        self.inner.wall_clock() + self.stopped()
    }

    /// A task that is woken finds that its timer has ended meanwhile.
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let (clock, due) = (self.clone(), self.now() + time);
        let mut timer = self.inner.sleep(time);
        Box::pin(poll_fn(move |cx| match clock.now() >= due {
            true => Poll::Ready(()),
            false => timer.as_mut().poll(cx),
        }))
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.inner.spawn(task);
    }
}

#[test]
fn a_client_that_came_back_to_a_stopped_process_goes_on() {
    block_on(async {
        let world = World::new();
        let stopped = Stopped::in_world(&world);
        let ann = world.open("/room").await;
        let last = ann.last.clone();
        drop(ann);
        world.server.settle().await;
        stopped.stop(600);
        // Its pump looks before the request of the client is read.
        let peer = world.server.hub().peers().remove(0);
        peer.send("missed").unwrap();
        world.server.settle().await;
        let mut ann = Source::new(world.get("/room", &last).await);
        ann.expect("missed").await;
        // A client that does not come back is gone.
        drop(ann);
        world.server.settle().await;
        stopped.stop(600);
        peer.send("missed").unwrap();
        world.advance(2).await;
        assert_eq!(world.seen(), ["open", "close 1006 network false"]);
    });
}

#[test]
fn what_a_client_does_after_a_stop_counts_from_then() {
    block_on(async {
        let limits = Limits::default().inactivity_timeout(Duration::from_secs(60));
        let world = World::with(limits, |sockets| sockets);
        let stopped = Stopped::in_world(&world);
        let ann = world.open("/room").await;
        stopped.stop(600);
        assert_eq!(world.post(&ann, "back").await, 204);
        world.advance(59).await;
        assert_eq!(world.seen(), ["open", "back"]);
        assert_eq!(world.server.hub().peers().len(), 1);
        world.advance(2).await;
        assert_eq!(world.server.hub().peers().len(), 0);
    });
}

#[test]
fn credentials_that_are_renewed_after_a_stop_end_when_they_say() {
    block_on(async {
        let limits = Limits::default().inactivity_timeout(Duration::from_secs(3600));
        let world = World::with(limits, |sockets| sockets);
        let stopped = Stopped::in_world(&world);
        let _ann = world.open("/room").await;
        let peer = world.server.hub().peers().remove(0);
        peer.set_expiry(Duration::from_secs(60)).unwrap();
        world.server.settle().await;
        stopped.stop(600);
        peer.set_expiry(Duration::from_secs(300)).unwrap();
        world.advance(299).await;
        assert_eq!(world.server.hub().peers().len(), 1);
        world.advance(2).await;
        assert_eq!(world.server.hub().peers().len(), 0);
    });
}

#[test]
fn a_close_that_begins_after_a_stop_has_its_whole_time() {
    block_on(async {
        let limits = Limits::default().inactivity_timeout(Duration::from_secs(60));
        let world = World::with(limits.max_queue_age(None), |sockets| sockets);
        let stopped = Stopped::in_world(&world);
        let mut ann = world.open("/room").await;
        assert_eq!(world.post(&ann, "flood").await, 204);
        world.server.settle().await;
        stopped.stop(600);
        assert_eq!(world.post(&ann, "close").await, 204);
        world.advance(3).await;
        for n in 0..FLOOD {
            ann.expect(&flooded(n)).await;
        }
        assert_eq!(ann.next().await.event, "close");
    });
}

//! Clients that do not read, so that their server does not ask for more.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossws_core::hooks;

use super::*;

/// Opens a stream, and fills its queue.
async fn flooded_stream(world: &World) -> Source {
    let ann = world.open("/room").await;
    world.post(&ann, "flood").await;
    world.server.settle().await;
    assert_eq!(world.seen(), ["open", "flood"]);
    ann
}

#[test]
fn the_dropped_hook_runs_although_the_server_asks_for_nothing() {
    block_on(async {
        let world = World::new();
        let mut ann = flooded_stream(&world).await;
        let room = world.server.hub().in_namespace("room");
        room.topic("talk").volatile().send("now").unwrap();
        world.server.settle().await;
        assert_eq!(world.seen(), ["dropped 1 Volatile"]);
        for n in 0..FLOOD {
            ann.expect(&flooded(n)).await;
        }
        room.topic("talk").volatile().send("again").unwrap();
        ann.expect("again").await;
    });
}

#[test]
fn a_client_that_posts_and_does_not_read_is_closed() {
    block_on(async {
        let world = World::new();
        let limits = world.server.hub().limits().clone();
        let ann = flooded_stream(&world).await;
        world
            .server
            .advance(limits.max_queue_age.unwrap() / 2)
            .await;
        assert_eq!(world.post(&ann, "still here").await, 204);
        world.server.settle().await;
        assert_eq!(world.seen(), ["still here"]);
        world
            .server
            .advance(limits.max_queue_age.unwrap() / 2)
            .await;
        world.server.advance(limits.close_timeout).await;
        assert_eq!(world.seen().last().unwrap(), "close 1013 server false");
    });
}

#[test]
fn what_the_server_has_not_asked_for_is_replaced() {
    block_on(async {
        let world = World::new();
        let mut ann = flooded_stream(&world).await;
        let room = world.server.hub().in_namespace("room");
        room.topic("talk").key("score").send("older").unwrap();
        // The server asks for more, but not for all.
        for n in 0..5 {
            ann.expect(&flooded(n)).await;
        }
        world.server.settle().await;
        room.topic("talk").key("score").send("newer").unwrap();
        for n in 5..FLOOD {
            ann.expect(&flooded(n)).await;
        }
        ann.expect("newer").await;
    });
}

#[test]
fn messages_that_are_longer_than_a_piece_arrive_one_by_one() {
    block_on(async {
        let world = World::new();
        let mut ann = world.open("/room").await;
        let room = world.server.hub().in_namespace("room");
        let long = |n: usize| format!("{n:050000}");
        for n in 0..5 {
            room.topic("talk").send(long(n)).unwrap();
            room.all().send("short").unwrap();
        }
        for n in 0..5 {
            ann.expect(&long(n)).await;
            ann.expect("short").await;
        }
    });
}

#[test]
fn a_client_that_comes_back_gets_what_the_server_has_not_asked_for() {
    block_on(async {
        // More than the client's end of the stream holds.
        let world = World::with(Limits::default(), |sockets| sockets.retained(128 << 10));
        let mut ann = flooded_stream(&world).await;
        for n in 0..10 {
            ann.expect(&flooded(n)).await;
        }
        let last = ann.last.clone();
        drop(ann);
        world.server.settle().await;
        let mut again = Source::new(world.get("/room", &last).await);
        for n in 10..FLOOD {
            again.expect(&flooded(n)).await;
        }
    });
}

#[test]
fn a_hook_that_waits_for_its_client_does_not_run_meanwhile() {
    block_on(async {
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&polls);
        let app = SharedResolver::new(hooks().on_open(move |peer| {
            let polls = Arc::clone(&counted);
            async move {
                for n in 0..FLOOD {
                    peer.send(flooded(n))?;
                }
                let mut taken = pin!(peer.drained(0));
                poll_fn(|cx| {
                    let before = polls.fetch_add(1, Ordering::Relaxed);
                    assert!(before < 4 * FLOOD, "it is woken without pause");
                    taken.as_mut().poll(cx)
                })
                .await;
                peer.send("taken")
            }
        }));
        let hub = Hub::default();
        let http = EventSockets::new(app.clone(), &hub);
        let server = TestServer::builder(app).hub(hub).http(http).build();
        let get = || {
            let request = server.get("/").header("accept", "text/event-stream");
            request.stream()
        };
        let mut ann = Source::new(get().await.unwrap());
        let open = ann.next().await.data;
        let open: serde_json::Value = serde_json::from_str(&open).unwrap();
        // What wakes the connection's task, and takes nothing from the queue.
        let secret = open["secret"].as_str().unwrap();
        let post = server.post("/").body("x");
        let post = post.header("authorization", format!("Bearer {secret}"));
        assert_eq!(post.await.unwrap().status(), 204);
        server.settle().await;
        for n in 0..FLOOD {
            ann.expect(&flooded(n)).await;
        }
        ann.expect("taken").await;
        // So does a client that leaves.
        let mut bob = Source::new(get().await.unwrap());
        bob.next().await;
        drop(bob);
        server.settle().await;
    });
}

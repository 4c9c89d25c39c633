//! Clients that do not read, so that their server does not ask for more.

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

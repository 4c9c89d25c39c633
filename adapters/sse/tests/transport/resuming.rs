//! Streams that are cut, and taken up again.

use super::*;

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
fn a_stream_that_was_taken_up_again_and_is_silent_keeps_the_last_id() {
    block_on(async {
        let world = World::with(Limits::default(), |sockets| {
            sockets.padding(64).retry(Duration::from_secs(1))
        });
        let ann = world.open("/room").await;
        let last = ann.last.clone();
        drop(ann);
        let mut again = Source::new(world.get("/room", &last).await);
        assert!(poll_once(again.reader.next()).await.is_none());
        world.advance(15).await;
        // A comment.
        assert!(poll_once(again.reader.next()).await.is_none());
        assert_eq!(again.reader.parser().last_event_id(), last);
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
            format!("{key}.0x1"),
            format!("{key}.1.1"),
            format!("{key}.99999999999999999999"),
            format!("{key}.{}", "1".repeat(1000)),
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

//! A hub's counters and snapshots.

use std::sync::Arc;

use crossws_core::{CloseCode, CloseCount, Closed, ClosedBy, Counters, Hub, Observer, hooks};
use futures_lite::future::block_on;

use crate::common::{open, turn};

#[test]
fn counters_count_what_several_threads_receive_and_send() {
    const THREADS: u64 = 4;
    const EACH: u64 = 200;
    let hub = Hub::builder().counters().build();
    let app =
        Arc::new(hooks().on_message(|peer, message| async move { peer.send(message).map(drop) }));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let (mut session, _wire) = open(&hub, &app, "/");
                for _ in 0..EACH {
                    block_on(session.message("12345".into()));
                }
                turn(&mut session);
            });
        }
    });
    let counters = hub.counters().unwrap();
    for counted in [&counters.received, &counters.sent] {
        assert_eq!(
            (counted.count, counted.sum),
            (THREADS * EACH, 5 * THREADS * EACH)
        );
        assert_eq!(counted.buckets.last(), Some(&(7, THREADS * EACH)));
    }
}

#[test]
fn publications_are_counted_whatever_watches_the_hub() {
    /// Hears of each message.
    struct Listener;
    impl Observer for Listener {}

    let hub = Hub::builder;
    for hub in [hub(), hub().counters(), hub().observer(Listener)] {
        let hub = hub.build();
        let app = Arc::new(hooks().on_open(|peer| async move { peer.subscribe("t").map(drop) }));
        let peers: Vec<_> = (0..3).map(|_| open(&hub, &app, "/")).collect();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| hub.in_namespace("/").publish("t", "to all").unwrap());
            }
        });
        peers[0].0.peer().publish("t", "to the others").unwrap();
        let topics = hub.in_namespace("/").topic(["t", "u"]);
        topics.send("to all").unwrap();
        let stats = hub.stats();
        assert_eq!(
            (stats.published, stats.queued),
            (6, 4 * 3 + 2 + 3),
            "{hub:?}"
        );
    }
}

#[test]
fn counters_count_messages_and_bytes_both_ways() {
    let silent = Hub::default();
    assert_eq!((silent.stats().traffic, silent.counters()), (None, None));
    let hub = Hub::builder().counters().build();
    let app = hooks()
        .on_open(|peer| async move { peer.subscribe("t").map(drop) })
        .on_message(|peer, message| async move {
            peer.send(message.clone())?;
            peer.to("t").including_self().send(message).map(drop)?;
            crossws_core::ok()
        });
    let app = Arc::new(app);
    let (mut ann, _ann) = open(&hub, &app, "/");
    let (bob, _bob) = open(&hub, &app, "/");
    // Of several lengths, and several at once.
    for message in ["12345"].repeat(18).into_iter().chain(["123456789", "1"]) {
        block_on(ann.message(message.into()));
    }
    turn(&mut ann);
    let traffic = hub.stats().traffic.unwrap();
    assert_eq!((traffic.received, traffic.received_bytes), (20, 100));
    assert_eq!((traffic.sent, traffic.sent_bytes), (60, 300));
    let counters = hub.counters().unwrap();
    assert_eq!(counters.hooks.count, 1, "one hook in 256 is timed");
    assert_eq!(
        counters.received.buckets,
        [(0, 0), (1, 1), (3, 0), (7, 18), (15, 1)]
    );
    for _ in 20..=Counters::SAMPLE {
        block_on(ann.message("12345".into()));
        turn(&mut ann);
    }
    assert_eq!(hub.counters().unwrap().hooks.count, 2);
    drop((ann, bob));
}

#[test]
fn closes_are_counted_by_code_and_by_cause() {
    let hub = Hub::default();
    let app = Arc::new(hooks());
    for (code, by) in [
        (1000, ClosedBy::Client),
        (1000, ClosedBy::Client),
        (4001, ClosedBy::Server),
    ] {
        let (session, _wire) = open(&hub, &app, "/");
        let code = CloseCode::new(code).unwrap();
        block_on(session.close(Closed::by_us(&code.into(), by, true)));
    }
    let closed = hub.stats().closed;
    assert_eq!((closed.client, closed.server, closed.total()), (2, 1, 3));
    let closes = hub.closes();
    let counts: Vec<_> = closes.iter().map(|it| (it.code, it.by, it.count)).collect();
    assert_eq!(
        counts,
        [(1000, ClosedBy::Client, 2), (4001, ClosedBy::Server, 1)]
    );
    let json = serde_json::to_value::<&CloseCount>(&closes[1]).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"code": 4001, "by": "server", "count": 1})
    );
}

#[test]
fn a_snapshot_is_json_and_bounded() {
    let hub = Hub::builder().counters().build();
    let app = Arc::new(hooks().on_open(|peer| async move {
        for topic in ["a", "b"] {
            peer.subscribe(topic)?;
        }
        crossws_core::ok()
    }));
    let open: Vec<_> = ["/1?token=secret", "/1", "/2"]
        .map(|path| open(&hub, &app, path))
        .into();
    open[0].1.buffer(7);
    let whole = hub.snapshot();
    assert!(whole.complete);
    let json = serde_json::to_value(&whole).unwrap();
    assert!(!json.to_string().contains("secret"));
    assert_eq!(json["stats"]["peers"], 3);
    assert_eq!(json["buffered"], 7);
    assert_eq!(json["namespaces"][0]["name"], "/1");
    assert_eq!(json["namespaces"][0]["peers"], 2);
    assert_eq!(json["namespaces"][0]["topics"][1]["name"], "b");
    assert_eq!(json["namespaces"][0]["topics"][1]["subscribers"], 2);
    assert_eq!(json["peers"][0]["path"], "/1");
    assert_eq!(json["peers"][0]["topics"], 2);
    let few = hub.snapshot_of(1);
    assert!(!few.complete);
    assert_eq!(
        (few.namespace_count, few.namespaces.len(), few.peers.len()),
        (2, 1, 1)
    );
    assert_eq!(
        (
            few.namespaces[0].topic_count,
            few.namespaces[0].topics.len()
        ),
        (2, 1)
    );
    assert_eq!(few.namespaces[0].peers, 2);
    drop(open);
    assert!(hub.snapshot().complete);
}

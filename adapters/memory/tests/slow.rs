//! Clients that do not read: what waits for them, for how long, and what is lost.

// Tests state what must hold; their helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Gate, Log, block_on};
use crossws_core::{
    DRAIN_MARK, Limits, Message, Overflow, Peer, PeerState, SendError, SendOptions, hooks,
};
use crossws_memory::{Client, TestServer};

/// The longest header of a server's frame.
const MAX_HEADER: usize = 10;

async fn paused(server: &TestServer) -> (Client, Peer) {
    let mut client = server.connect("/").await.unwrap();
    client.pause();
    let peer = server.hub().peer(client.id()).unwrap();
    (client, peer)
}

fn server(log: &Log, limits: Limits) -> TestServer {
    TestServer::builder(log.hooks()).limits(limits).build()
}

async fn rest(client: &mut Client) -> Vec<String> {
    let mut rest = Vec::new();
    while let Some(message) = client.try_next() {
        rest.push(message.to_string());
    }
    rest
}

#[test]
fn messages_for_a_paused_client_stay_queued() {
    block_on(async {
        let server = server(&Log::default(), Limits::default());
        let (mut client, peer) = paused(&server).await;
        peer.send("12345").unwrap();
        peer.send("678").unwrap();
        server.settle().await;
        assert_eq!(peer.buffered_amount(), 2 + 5 + 2 + 3, "frames");
        assert_eq!(client.try_next(), None);
        client.resume();
        server.settle().await;
        assert_eq!(peer.buffered_amount(), 0);
        assert_eq!(rest(&mut client).await, ["12345", "678"]);
    });
}

#[test]
fn a_full_queue_closes_with_1013() {
    let bounds = [
        Limits::default().max_buffered(12),
        Limits::default().max_queued(2),
    ];
    for limits in bounds {
        block_on(async {
            let log = Log::default();
            let server = server(&log, limits);
            let (mut client, peer) = paused(&server).await;
            peer.send("1234").unwrap();
            peer.send("5678").unwrap();
            let refused = peer.send("9").unwrap_err();
            assert!(matches!(&refused, SendError::Full(message) if message.text() == Ok("9")));
            assert!(matches!(peer.send("10"), Err(SendError::Closed(_))));
            server.settle().await;
            assert_eq!(peer.dropped(), 3);
            assert_eq!(peer.state(), PeerState::Closed);
            let close = "close 1013 slow consumer, by Server, not clean";
            assert_eq!(log.take(), ["open", close]);
            client.resume();
            assert_eq!(client.next().await, None, "the queue is discarded");
            assert_eq!(client.closed().await.code, 1013);
        });
    }
}

#[test]
fn the_last_frame_waits_five_seconds() {
    block_on(async {
        let log = Log::default();
        let server = server(&log, Limits::default().max_queued(1));
        let (mut client, peer) = paused(&server).await;
        peer.send("1").unwrap();
        peer.send("2").unwrap_err();
        server.advance(Duration::from_secs(5)).await;
        client.resume();
        assert_eq!(client.closed().await.code, 1006);
    });
}

#[test]
fn a_full_queue_closes_only_its_own_subscriber() {
    block_on(async {
        let limits = Limits::default().max_queued(2);
        let hooks = hooks().on_open(|peer| async move { peer.subscribe("t").map(drop) });
        let server = TestServer::builder(hooks).limits(limits).build();
        let mut slow = server.connect("/").await.unwrap();
        let mut quick = server.connect("/").await.unwrap();
        slow.pause();
        for n in 0..3 {
            let published = server.hub().in_all_namespaces().publish("t", n.to_string());
            let published = published.unwrap();
            assert_eq!(published.queued, if n < 2 { 2 } else { 1 });
            // The first is on its way, and is counted when that is cut.
            assert_eq!(published.dropped, if n < 2 { 0 } else { 2 });
            assert_eq!(quick.next().await.unwrap().text(), Ok(&*n.to_string()));
        }
        assert_eq!(server.hub().peers().len(), 1);
        assert_eq!(server.hub().stats().dropped, 3);
        slow.resume();
        assert_eq!(slow.closed().await.code, 1013);
    });
}

#[test]
fn the_newest_is_refused_where_that_is_the_policy() {
    block_on(async {
        let limits = Limits::default()
            .max_queued(2)
            .overflow(Overflow::DropNewest);
        let server = server(&Log::default(), limits);
        let (mut client, peer) = paused(&server).await;
        peer.send("1").unwrap();
        peer.send("2").unwrap();
        assert!(matches!(peer.send("3"), Err(SendError::Full(_))));
        assert_eq!(peer.dropped(), 1);
        client.resume();
        server.settle().await;
        peer.send("4").unwrap();
        server.settle().await;
        assert_eq!(rest(&mut client).await, ["1", "2", "4"]);
    });
}

#[test]
fn under_drop_newest_a_keyed_message_that_does_not_fit_leaves_the_older() {
    block_on(async {
        let limits = Limits::default()
            .max_buffered(12)
            .overflow(Overflow::DropNewest);
        let server = server(&Log::default(), limits);
        let (mut client, peer) = paused(&server).await;
        let send = |text| peer.send_with(text, SendOptions::new().key("price"));
        peer.send("1").unwrap();
        // The client lets it wait.
        server.settle().await;
        send("old").unwrap();
        assert!(matches!(send("much too long"), Err(SendError::Full(_))));
        assert_eq!((peer.dropped(), peer.buffered_amount()), (1, 3 + 5));
        send("fits in").unwrap();
        client.resume();
        server.settle().await;
        assert_eq!(rest(&mut client).await, ["1", "fits in"]);
    });
}

#[test]
fn the_oldest_are_discarded_where_that_is_the_policy() {
    block_on(async {
        let limits = Limits::default()
            .max_buffered(8)
            .overflow(Overflow::DropOldest);
        let server = server(&Log::default(), limits);
        let (mut client, peer) = paused(&server).await;
        peer.send("on its way").unwrap();
        server.settle().await;
        peer.send("aa").unwrap();
        peer.ping("kept").unwrap();
        peer.send("bb").unwrap();
        peer.send("cc").unwrap();
        // Messages, and what is on its way.
        assert_eq!((peer.dropped(), peer.buffered_amount()), (1, 12 + 8));
        peer.send("too much for any queue").unwrap();
        assert_eq!((peer.dropped(), peer.buffered_amount()), (3, 12 + 24));
        client.resume();
        server.settle().await;
        let rest = rest(&mut client).await;
        assert_eq!(rest, ["on its way", "too much for any queue"]);
    });
}

#[test]
fn an_old_queue_is_a_full_queue() {
    block_on(async {
        let log = Log::default();
        let server = server(
            &log,
            Limits::default().max_queue_age(Duration::from_secs(10)),
        );
        let (mut client, peer) = paused(&server).await;
        peer.send("1").unwrap();
        server.advance(Duration::from_secs(9)).await;
        client.resume();
        server.settle().await;
        client.pause();
        peer.send("2").unwrap();
        server.advance(Duration::from_secs(9)).await;
        assert_eq!(log.take(), ["open"]);
        server.advance(Duration::from_secs(1)).await;
        let close = "close 1013 slow consumer, by Server, not clean";
        assert_eq!(log.take(), [close]);
        assert_eq!(peer.dropped(), 1);
    });
}

#[test]
fn old_messages_are_discarded_or_the_newest_refused() {
    block_on(async {
        let limits = Limits::default()
            .max_queue_age(Duration::from_secs(10))
            .overflow(Overflow::DropOldest);
        let old = server(&Log::default(), limits.clone());
        let (mut client, peer) = paused(&old).await;
        peer.send("1").unwrap();
        old.advance(Duration::from_secs(6)).await;
        peer.send("2").unwrap();
        old.advance(Duration::from_secs(6)).await;
        peer.send("3").unwrap();
        assert_eq!((peer.dropped(), peer.buffered_amount()), (1, 6));
        client.resume();
        old.settle().await;
        assert_eq!(
            rest(&mut client).await,
            ["1", "3"],
            "the first was on its way"
        );

        let new = server(&Log::default(), limits.overflow(Overflow::DropNewest));
        let (mut client, peer) = paused(&new).await;
        peer.send("1").unwrap();
        new.advance(Duration::from_secs(10)).await;
        assert!(peer.send("2").is_err());
        client.resume();
        new.settle().await;
        assert_eq!(rest(&mut client).await, ["1"]);
    });
}

#[test]
fn the_drain_hook_runs_once_after_many_bytes_piled_up() {
    block_on(async {
        let log = Log::default();
        let server = server(&log, Limits::default());
        let (mut client, peer) = paused(&server).await;
        peer.send(vec![0; DRAIN_MARK - MAX_HEADER]).unwrap();
        client.resume();
        server.settle().await;
        assert_eq!(log.take(), ["open"], "not more than the mark");
        client.pause();
        peer.send(vec![0; DRAIN_MARK]).unwrap();
        peer.send(vec![0; 1]).unwrap();
        server.settle().await;
        assert!(log.take().is_empty());
        client.resume();
        server.settle().await;
        server.settle().await;
        assert_eq!(log.take(), ["drain"]);
    });
}

#[test]
fn drained_resolves_when_the_client_reads() {
    block_on(async {
        let log = Log::default();
        let told = log.clone();
        let server = TestServer::new(log.hooks().on_message(move |peer: Peer, _| {
            let log = told.clone();
            async move {
                peer.send(vec![0; 1000]).unwrap();
                peer.drained(0).await;
                log.add(format!("drained to {}", peer.buffered_amount()));
            }
        }));
        let (mut client, peer) = paused(&server).await;
        client.send("go").unwrap();
        server.settle().await;
        assert_eq!(log.take(), ["open"]);
        assert_eq!(peer.buffered_amount(), 4 + 1000);
        client.resume();
        server.settle().await;
        assert_eq!(log.take(), ["drained to 0"]);
    });
}

#[test]
fn requests_wait_while_their_answers_are_not_taken() {
    block_on(async {
        let log = Log::default();
        let limits = Limits::default().max_queued(8);
        let server = server(&log, limits);
        let (mut client, peer) = paused(&server).await;
        for n in 0..20 {
            client.send(n.to_string()).unwrap();
        }
        server.settle().await;
        assert_eq!(log.take().len(), 1 + 5, "open, and one more than half");
        assert_eq!(peer.state(), PeerState::Open);
        client.resume();
        server.settle().await;
        assert_eq!(rest(&mut client).await.len(), 20);
    });
}

#[test]
fn a_client_that_vanishes_without_reading_ends_its_connection() {
    block_on(async {
        let log = Log::default();
        let server = server(&log, Limits::default().max_queued(8));
        let (mut client, _) = paused(&server).await;
        // More than the server reads ahead: the rest waits in the network.
        for n in 0..40 {
            client.send(n.to_string()).unwrap();
        }
        server.settle().await;
        client.vanish();
        server.settle().await;
        let log = log.take();
        assert_eq!(log.len(), 1 + 40 + 1, "what it sent is heard");
        assert_eq!(log[41], "close 1006, by Network, not clean");
    });
}

#[test]
fn no_hook_gets_messages_of_a_closed_slow_consumer() {
    block_on(async {
        let (log, gate) = (Log::default(), Gate::default());
        let hooks = {
            let (log, gate) = (log.clone(), gate.clone());
            log.clone().hooks().on_message(move |_, message: Message| {
                let (log, gate) = (log.clone(), gate.clone());
                async move {
                    log.add(message.to_string());
                    gate.passed().await;
                }
            })
        };
        let limits = Limits::default().max_queued(1);
        let server = TestServer::builder(hooks).limits(limits).build();
        let (mut client, peer) = paused(&server).await;
        client.send("heard").unwrap();
        client.send("not heard").unwrap();
        server.settle().await;
        peer.send("1").unwrap();
        peer.send("2").unwrap_err();
        server.settle().await;
        assert!(server.hub().peers().is_empty(), "although its hook runs");
        gate.open();
        server.settle().await;
        let close = "close 1013 slow consumer, by Server, not clean";
        assert_eq!(log.take(), ["open", "heard", close]);
    });
}

#[test]
fn the_dropped_hook_gets_what_a_policy_discards() {
    block_on(async {
        let log = Log::default();
        let drops = log.clone();
        let hooks = hooks().on_dropped(move |peer, dropped| {
            let all = peer.dropped();
            drops.add(format!("{} of {all} {:?}", dropped.messages, dropped.cause));
            async {}
        });
        let limits = Limits::default()
            .max_queued(2)
            .overflow(Overflow::DropOldest);
        let server = TestServer::builder(hooks).limits(limits).build();
        let (_client, peer) = paused(&server).await;
        // Two are on their way, and two fit after them.
        for n in 0..7 {
            peer.send(n.to_string()).unwrap();
        }
        server.settle().await;
        assert_eq!(log.take(), ["3 of 3 Overflow(DropOldest)"]);
        peer.send("one more").unwrap();
        server.settle().await;
        assert_eq!(log.take(), ["1 of 4 Overflow(DropOldest)"]);
    });
}

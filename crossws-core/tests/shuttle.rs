//! The registry and a peer's end under every interleaving that shuttle's schedulers try.
//!
//! `RUSTFLAGS="--cfg crossws_shuttle" cargo test -p crossws-core --test shuttle --release`
//!
//! event-listener's locks stay std's: no thread yields inside them, so that none blocks there.

#![cfg(crossws_shuttle)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub
)]

#[allow(dead_code)]
#[path = "behaviour/common.rs"]
mod common;

use std::sync::Arc;

use crossws_core::adapter::{Encoding, Publication, Session, Wire as Format};
use crossws_core::{
    CloseCode, CloseFrame, Closed, ClosedBy, ErrorKind, Formats, HookKind, HooksBuilder, Hub,
    Incoming, Limits, Peer, PeerId, PeerState, SubscribeError, Upgrade, handler, hooks,
};
use shuttle::future::block_on;
use shuttle::thread;

use common::{Log, Out, Wire, accept, assert_empty, join, open, open_speaking, poll_tasks};

const ITERATIONS: usize = 20_000;

/// Tries a scenario with a random scheduler, and with one that is good at rare orders.
fn check(scenario: impl Fn() + Send + Sync + Copy + 'static) {
    shuttle::check_random(scenario, ITERATIONS);
    shuttle::check_pct(scenario, ITERATIONS, 3);
}

fn plain(hub: &Hub) -> (Session<HooksBuilder>, Wire) {
    open(hub, &Arc::new(hooks()), "/")
}

fn frame() -> CloseFrame {
    CloseFrame::from(CloseCode::RESTART)
}

/// Two that publish at the same time, a peer and the hub.
fn publishers(peer: &Peer, hub: &Hub) -> Vec<thread::JoinHandle<()>> {
    let (peer, hub) = (peer.clone(), hub.clone());
    let by_peer = move || {
        peer.to("t").including_self().send("a1").unwrap();
        peer.to("t").including_self().send("a2").unwrap();
    };
    let by_hub = move || {
        hub.in_namespace("/").publish("t", "b1").unwrap();
        hub.in_all_namespaces().publish("t", "b2").unwrap();
    };
    vec![thread::spawn(by_peer), thread::spawn(by_hub)]
}

#[test]
fn every_subscriber_sees_the_same_order() {
    check(|| {
        let hub = Hub::default();
        let (one, one_wire) = plain(&hub);
        let (two, two_wire) = plain(&hub);
        let (three, three_wire) = plain(&hub);
        for session in [&one, &two, &three] {
            session.peer().subscribe("t").unwrap();
        }
        let mut threads = publishers(one.peer(), &hub);
        // One comes and goes: it misses some, and sees the rest in the same order.
        let peer = three.peer().clone();
        threads.push(thread::spawn(move || {
            assert!(peer.unsubscribe("t"));
            assert!(peer.subscribe("t").unwrap());
        }));
        threads.into_iter().for_each(|one| one.join().unwrap());
        let (seen, also) = (one_wire.texts(), two_wire.texts());
        assert_eq!(seen, also);
        assert_eq!(seen.len(), 4);
        for pair in [["a1", "a2"], ["b1", "b2"]] {
            let at = |text| seen.iter().position(|one| one == text).unwrap();
            assert!(at(pair[0]) < at(pair[1]), "{seen:?}");
        }
        let mut rest = seen.iter();
        for text in three_wire.texts() {
            assert!(rest.any(|one| *one == text), "out of order or twice");
        }
        drop((one, two, three));
        assert_empty(&hub);
    });
}

#[test]
fn messages_to_several_topics_have_one_order_and_come_once() {
    check(|| {
        let hub = Hub::default();
        let (one, one_wire) = plain(&hub);
        let (two, two_wire) = plain(&hub);
        let (three, three_wire) = plain(&hub);
        for session in [&one, &two, &three] {
            session.peer().subscribe("t").unwrap();
        }
        one.peer().subscribe("u").unwrap();
        three.peer().subscribe("u").unwrap();
        let (first, second, other) = (hub.clone(), hub.clone(), hub.clone());
        let peer = three.peer().clone();
        let threads = [
            // In either order: they must not wait for each other.
            thread::spawn(move || {
                first.in_namespace("/").topic(["t", "u"]).send("a").unwrap();
            }),
            thread::spawn(move || {
                second
                    .in_namespace("/")
                    .topic(["u", "t"])
                    .send("b")
                    .unwrap();
            }),
            thread::spawn(move || {
                other.in_namespace("/").publish("t", "c").unwrap();
            }),
            // It stays in one of the two, and so misses nothing and gets nothing twice.
            thread::spawn(move || assert!(peer.unsubscribe("u"))),
        ];
        threads.into_iter().for_each(|one| one.join().unwrap());
        let seen = one_wire.texts();
        assert_eq!(seen.len(), 3);
        assert_eq!(two_wire.texts(), seen);
        assert_eq!(three_wire.texts(), seen);
        drop((one, two, three));
        assert_empty(&hub);
    });
}

#[test]
fn all_formats_of_a_topic_have_one_order_and_a_new_subscriber_misses_none() {
    check(|| {
        let hub = Hub::default();
        let wires = ["a", "b", "b"].map(|protocol| {
            let wire = Wire::default();
            (open_speaking(&hub, protocol, &wire), wire)
        });
        let [(one, one_wire), (two, two_wire), (three, three_wire)] = wires;
        one.peer().subscribe("t").unwrap();
        two.peer().subscribe("t").unwrap();
        let (first, second, peer) = (hub.clone(), hub.clone(), three.peer().clone());
        let threads = [
            thread::spawn(move || {
                let others = Formats::from_iter([("b".into(), "B".into())]);
                let to = first.in_namespace("/").topic("t");
                to.send_formats("A".into(), others).unwrap();
            }),
            thread::spawn(move || {
                second.in_namespace("/").publish("t", "c").unwrap();
            }),
            thread::spawn(move || assert!(peer.subscribe("t").unwrap())),
        ];
        threads.into_iter().for_each(|one| one.join().unwrap());
        let seen = two_wire.texts();
        assert_eq!(seen.len(), 2);
        let first: Vec<_> = seen.iter().map(|text| text.replace('B', "A")).collect();
        assert_eq!(one_wire.texts(), first);
        assert!(seen.ends_with(&three_wire.texts()));
        drop((one, two, three));
        assert_empty(&hub);
    });
}

#[test]
fn what_takes_long_to_encode_has_one_order_too() {
    struct Slow;
    impl Encoding for Slow {
        fn append(_: u64, publication: &Publication, to: &mut Vec<u8>) {
            to.extend_from_slice(publication.message().as_bytes());
        }
        fn takes_long(_: u64, _: &Publication) -> bool {
            true
        }
    }
    check(|| {
        let hub = Hub::default();
        let join = |format| {
            let wire = Wire::reading(format);
            let accepted = accept(&hub, &Arc::new(hooks()), "/");
            let joined = accepted.join(wire.transport()).unwrap();
            (block_on(joined.open()), wire)
        };
        // The third has a format of its own, which no publisher saw before.
        let formats = [0, 0, 1].map(Format::new::<Slow>);
        let [(one, one_wire), (two, two_wire), (three, three_wire)] = formats.map(join);
        one.peer().subscribe("t").unwrap();
        two.peer().subscribe("t").unwrap();
        let mut threads = publishers(one.peer(), &hub);
        let peer = three.peer().clone();
        threads.push(thread::spawn(move || {
            assert!(peer.subscribe("t").unwrap());
        }));
        threads.into_iter().for_each(|one| one.join().unwrap());
        let seen = one_wire.texts();
        assert_eq!(seen, two_wire.texts());
        assert_eq!(seen.len(), 4);
        for pair in [["a1", "a2"], ["b1", "b2"]] {
            let at = |text| seen.iter().position(|one| one == text).unwrap();
            assert!(at(pair[0]) < at(pair[1]), "{seen:?}");
        }
        // A peer that joins later sees the end of it.
        assert!(seen.ends_with(&three_wire.texts()));
        drop((one, two, three));
        assert_empty(&hub);
    });
}

#[test]
fn leaving_leaves_no_ghost() {
    check(|| {
        let hub = Hub::default();
        let (session, _wire) = plain(&hub);
        session.peer().subscribe("a").unwrap();
        let peer = session.peer().clone();
        let subscriber = thread::spawn(move || {
            let _ = peer.unsubscribe("a");
            match peer.subscribe("b") {
                Ok(true) | Err(SubscribeError::Closed) => {}
                other => panic!("{other:?}"),
            }
        });
        let from = hub.clone();
        let publisher = thread::spawn(move || {
            let told = from.in_all_namespaces().publish("b", "x").unwrap();
            assert!(told.queued <= 1);
        });
        drop(session);
        // Before the other threads have ended, and after.
        assert_eq!(hub.peers(), []);
        subscriber.join().unwrap();
        publisher.join().unwrap();
        assert_empty(&hub);
    });
}

#[test]
fn a_ghost_is_not_seen_through_another_member() {
    check(|| {
        let hub = Hub::default();
        // Keeps the namespace alive.
        let (_other, wire) = plain(&hub);
        let (session, gone) = plain(&hub);
        let peer = session.peer().clone();
        let subscriber = thread::spawn(move || peer.subscribe("t").is_ok());
        drop(session);
        subscriber.join().unwrap();
        assert_eq!(hub.in_namespace("/").count("t"), 0);
        assert!(hub.in_namespace("/").topics().is_empty());
        assert_eq!(hub.in_namespace("/").publish("t", "x").unwrap().queued, 0);
        assert!(gone.texts().is_empty());
        assert!(wire.texts().is_empty());
    });
}

#[test]
fn publishers_wait_for_a_slow_subscriber_that_has_just_caught_up() {
    check(|| {
        let hub = Hub::default();
        let join = || join(&hub, &Arc::new(hooks()), "/");
        let ((slow, wire), (publisher, _other)) = (join(), join());
        let must_wait = move || publisher.lifeline().must_wait(true);
        wire.buffer(10_000);
        slow.peer().send("listed").unwrap();
        // It has caught up, and no task has noticed.
        wire.buffer(0);
        let sender = {
            let (peer, wire) = (slow.peer().clone(), wire.clone());
            thread::spawn(move || {
                wire.buffer(10_000);
                peer.send("much").unwrap();
            })
        };
        must_wait();
        sender.join().unwrap();
        assert!(must_wait(), "it is behind, and not listed");
        wire.buffer(0);
        assert!(!must_wait());
    });
}

#[test]
fn topics_and_namespaces_may_vanish_and_come_back() {
    check(|| {
        let hub = Hub::default();
        let (leaver, _wire) = plain(&hub);
        leaver.peer().subscribe("t").unwrap();
        let to = hub.clone();
        let comer = thread::spawn(move || {
            let (session, wire) = plain(&to);
            assert!(session.peer().subscribe("t").unwrap());
            to.in_namespace("/").publish("t", "to me").unwrap();
            (session, wire)
        });
        drop(leaver);
        let (session, wire) = comer.join().unwrap();
        assert_eq!(wire.texts(), ["to me"]);
        assert_eq!(hub.in_namespace("/").count("t"), 1);
        assert_eq!(hub.in_namespace("/").publish("t", "x").unwrap().queued, 1);
        assert_eq!(session.peer().topics(), ["t".into()]);
        drop(session);
        assert_empty(&hub);
    });
}

#[test]
fn a_connection_closes_once_whichever_thread_closes_it() {
    check(|| {
        let hub = Hub::default();
        // Logged, because a panic in a hook would be contained.
        let log = Log::default();
        let line = log.clone();
        let hooks = Arc::new(hooks().on_close(move |peer, _| {
            line.add(format!("{:?} {}", peer.state(), peer.peers().len()));
            async {}
        }));
        let wire = Wire::default();
        let joined = accept(&hub, &hooks, "/").join(wire.transport()).unwrap();
        let lifeline = joined.lifeline();
        let session = block_on(joined.open());
        let peer = session.peer().clone();
        let handle = peer.clone();
        let by_app = thread::spawn(move || handle.close(CloseCode::NORMAL, ""));
        let stopping = hub.clone();
        let by_shutdown = thread::spawn(move || stopping.shutdown(frame()));
        let by_client = thread::spawn(move || {
            lifeline.ended();
            let by_us = lifeline.closed_here();
            block_on(session.close(Closed::by_client(None)));
            by_us
        });
        by_app.join().unwrap();
        by_shutdown.join().unwrap();
        let by_us = by_client.join().unwrap();
        let frames = wire.take();
        match &frames[..] {
            [] => assert!(!by_us),
            [Out::Close(1000 | 1012, _)] => assert!(by_us),
            more => panic!("{more:?}"),
        }
        assert_eq!(log.take(), ["Closed 0"], "once, when it had left");
        assert_eq!(peer.state(), PeerState::Closed);
        assert_empty(&hub);
    });
}

#[test]
fn nothing_runs_after_idle() {
    check(|| {
        let hub = Hub::default();
        // Logged, because a panic in a hook would be contained.
        let log = Log::default();
        let (opening, closing) = (log.clone(), log.clone());
        let hooks = hooks()
            .on_open(move |_| {
                opening.add("open");
                async {}
            })
            .on_close(move |_, closed| {
                closing.add(format!("{:?}", closed.by));
                async {}
            });
        let accepted = accept(&hub, &Arc::new(hooks), "/");
        let stopping = hub.clone();
        let seen = log.clone();
        let stopper = thread::spawn(move || {
            stopping.shutdown(frame());
            block_on(stopping.idle());
            seen.take()
        });
        let (wire, mut sent) = (Wire::default(), 0);
        match accepted.join(wire.transport()) {
            Err(refused) => assert_eq!(refused, frame()),
            Ok(joined) => {
                sent = 1;
                let peer = joined.peer().clone();
                let session = block_on(joined.open());
                // As an adapter does: it runs until another task ends it.
                block_on(peer.closed());
                block_on(session.close(Closed::by_us(&frame(), ClosedBy::Server, true)));
            }
        }
        let before_idle = stopper.join().unwrap();
        match sent {
            0 => assert!(before_idle.is_empty()),
            _ => assert_eq!(before_idle, ["open", "Shutdown"]),
        }
        assert!(log.take().is_empty(), "a hook ran after idle");
        assert_eq!(wire.closes(), vec![1012; sent]);
        assert_empty(&hub);
    });
}

#[test]
fn closed_and_drained_miss_no_wake_up() {
    check(|| {
        let hub = Hub::default();
        let wire = Wire::default();
        wire.buffer(9);
        let joined = accept(&hub, &Arc::new(hooks()), "/")
            .join(wire.transport())
            .unwrap();
        let (peer, lifeline) = (joined.peer().clone(), joined.lifeline());
        let handle = peer.clone();
        let drained = thread::spawn(move || block_on(handle.drained(0)));
        let handle = peer.clone();
        let closed = thread::spawn(move || block_on(handle.closed()));
        wire.buffer(0);
        lifeline.drained();
        drained.join().unwrap();
        wire.buffer(9);
        let handle = peer.clone();
        let drained = thread::spawn(move || block_on(handle.drained(0)));
        peer.close(CloseCode::NORMAL, "");
        drained.join().unwrap();
        closed.join().unwrap();
    });
}

#[test]
fn idle_misses_no_wake_up() {
    check(|| {
        let hub = Hub::default();
        let (one, _wire) = plain(&hub);
        let (two, _wire) = plain(&hub);
        let waiting = hub.clone();
        let waiter = thread::spawn(move || block_on(waiting.idle()));
        let dropper = thread::spawn(move || drop(one));
        drop(two);
        dropper.join().unwrap();
        waiter.join().unwrap();
        assert_empty(&hub);
    });
}

#[test]
fn a_spawned_future_wakes_its_session() {
    check(|| {
        let hub = Hub::default();
        let (mut session, _wire) = plain(&hub);
        let peer = session.peer().clone();
        let spawner = thread::spawn(move || {
            let inner = peer.clone();
            peer.spawn(async move { inner.spawn(async { Err::<(), _>("failed") }) });
        });
        let notice = block_on(poll_tasks(&mut session));
        let error = notice.failure().unwrap();
        assert_eq!(error.kind(), ErrorKind::Hook(HookKind::Task));
        spawner.join().unwrap();
        // One that comes while the session ends is run or dropped, never kept.
        let peer = session.peer().clone();
        let kept = Arc::new(());
        let guard = Arc::clone(&kept);
        let spawner = thread::spawn(move || peer.spawn(async move { drop(guard) }));
        drop(session);
        spawner.join().unwrap();
        assert_eq!(Arc::strong_count(&kept), 1);
    });
}

#[test]
fn a_loop_elsewhere_gets_every_message_and_the_end() {
    check(|| {
        let hub = Hub::default();
        let place = Arc::new(std::sync::Mutex::new(None::<Incoming>));
        let put = Arc::clone(&place);
        let hooks = handler(move |_, incoming| {
            *put.lock().unwrap() = Some(incoming);
            async { Ok(crossws_core::HandlerEnd::KeepOpen) }
        });
        let (mut session, _wire) = open(&hub, &Arc::new(hooks), "/");
        assert!(common::ready(poll_tasks(&mut session)).is_none());
        let mut incoming = place.lock().unwrap().take().unwrap();
        let reader = thread::spawn(move || {
            block_on(async {
                let first = incoming.next().await.unwrap().to_string();
                let second = incoming.next().await.unwrap().to_string();
                // The rest goes nowhere, and delays no task.
                drop(incoming);
                [first, second]
            })
        });
        block_on(async {
            session.message("1".into()).await;
            session.message("2".into()).await;
            session.message("3".into()).await;
            session.close(Closed::by_client(None)).await;
        });
        assert_eq!(reader.join().unwrap(), ["1", "2"]);
        assert_empty(&hub);
    });
}

#[test]
fn one_of_two_with_the_same_id_joins() {
    check(|| {
        let hub = Hub::default();
        let id = PeerId::from_u128(1);
        let hooks = Arc::new(hooks().on_upgrade(move |_| async move { Ok(Upgrade::new().id(id)) }));
        let one = accept(&hub, &hooks, "/a");
        let two = accept(&hub, &hooks, "/b");
        let other = thread::spawn(move || two.join(Wire::default().transport()).ok());
        let one = one.join(Wire::default().transport()).ok();
        let two = other.join().unwrap();
        assert!(one.is_some() != two.is_some());
        assert_eq!(hub.namespaces().len(), 1);
        assert_eq!((hub.stats().peers, hub.stats().sessions), (1, 1));
        drop((one, two));
        assert_empty(&hub);
    });
}

#[test]
fn limits_hold_when_many_come_at_once() {
    check(|| {
        let limits = Limits::default().max_peers(2).max_namespaces(1);
        let hub = Hub::builder().limits(limits).build();
        let hooks = Arc::new(hooks());
        let paths = ["/a", "/b", "/a", "/a"];
        let accepted = paths.map(|path| accept(&hub, &hooks, path));
        let threads: Vec<_> = accepted
            .into_iter()
            .map(|accepted| thread::spawn(|| accepted.join(Wire::default().transport()).ok()))
            .collect();
        let joined: Vec<_> = threads.into_iter().map(|one| one.join().unwrap()).collect();
        assert!(hub.namespaces().len() == 1);
        let stats = hub.stats();
        assert!(stats.peers <= 2);
        assert_eq!(stats.peers, joined.iter().flatten().count());
        assert_eq!(stats.sessions, stats.peers);
        drop(joined);
        assert_empty(&hub);
    });
}

//! Publications: every subscriber gets them once and in the same order, and publishers wait for slow ones.

use std::sync::Arc;

use crossws_core::adapter::{Encoding, Publication, Wire as Format};
use crossws_core::{Formats, Hub, Peer, hooks};
use shuttle::future::block_on;
use shuttle::thread;

use crate::common::{Wire, accept, assert_empty, join, open_speaking};
use crate::{check, plain};

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

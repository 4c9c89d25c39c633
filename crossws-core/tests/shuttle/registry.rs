//! Peers that join and leave while others look for them.

use std::sync::Arc;

use crossws_core::{Hub, Limits, PeerId, SubscribeError, Upgrade, hooks};
use shuttle::thread;

use crate::common::{Wire, accept, assert_empty};
use crate::{check, plain};

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

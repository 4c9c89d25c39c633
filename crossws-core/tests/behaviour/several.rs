//! Messages to several topics at once, and to their subscribers with exceptions.

use std::sync::Arc;

use crossws_core::{Hub, Limits, Topics, hooks};

use crate::common::{Mode, assert_empty, open};

#[test]
fn each_recipient_gets_a_message_to_several_topics_once() {
    let hub = Hub::default();
    let hooks = Arc::new(hooks());
    let [red, both, blue, muted, other] = [(); 5].map(|()| open(&hub, &hooks, "/"));
    let elsewhere = open(&hub, &hooks, "/elsewhere");
    for (session, topics) in [
        (&red.0, &["red"][..]),
        (&both.0, &["red", "blue"]),
        (&blue.0, &["blue"]),
        (&muted.0, &["red", "blue", "muted"]),
        (&other.0, &["green"]),
        (&elsewhere.0, &["red", "blue"]),
    ] {
        for topic in topics {
            session.peer().subscribe(topic).unwrap();
        }
    }
    let peer = both.0.peer();
    assert_eq!(peer.to(["red", "blue"]).send("1").unwrap().queued, 3);
    let to = peer.to(["red", "blue", "red"]).except("muted");
    assert_eq!(to.clone().send("2").unwrap().queued, 2);
    assert_eq!(to.clone().including_self().send("3").unwrap().queued, 3);
    assert_eq!(to.except(["blue", "none"]).send("4").unwrap().queued, 1);
    assert_eq!(peer.to_all().except("red").send("5").unwrap().queued, 2);
    assert_eq!(peer.to_own_topics().send("6").unwrap().queued, 3);
    assert_eq!(other.0.peer().to_own_topics().send("7").unwrap().queued, 0);
    let scope = hub.in_namespace("/");
    let told = scope.topic(["green", "blue"]).except("red").send("8");
    assert_eq!(told.unwrap().queued, 2);
    let told = hub.in_all_namespaces().topic(["red", "blue"]).send("9");
    assert_eq!(told.unwrap().queued, 5);
    let nobody = Topics::default();
    assert_eq!(peer.to(nobody).send("10").unwrap().queued, 0);

    assert_eq!(red.1.texts(), ["1", "2", "3", "4", "6", "9"]);
    assert_eq!(both.1.texts(), ["3", "9"]);
    assert_eq!(blue.1.texts(), ["1", "2", "3", "5", "6", "8", "9"]);
    assert_eq!(muted.1.texts(), ["1", "6", "9"]);
    assert_eq!(other.1.texts(), ["5", "8"]);
    assert_eq!(elsewhere.1.texts(), ["9"]);
    drop((red, both, blue, muted, other, elsewhere));
    assert_empty(&hub);
}

#[test]
fn a_peer_with_many_topics_gets_a_message_to_several_once() {
    let limits = Limits::default().max_topics(100);
    let hub = Hub::builder().limits(limits).build();
    let (one, wire) = open(&hub, &Arc::new(hooks()), "/");
    let topics: Vec<String> = (0..100).map(|n| format!("topic {n}")).collect();
    for topic in &topics {
        one.peer().subscribe(topic).unwrap();
    }
    let scope = hub.in_namespace("/");
    assert_eq!(scope.topic(&topics).send("1").unwrap().queued, 1);
    let told = scope.topic(&topics[..50]).except(&topics[99]).send("2");
    assert_eq!(told.unwrap().queued, 0);
    let own = one.peer().to_own_topics().including_self();
    assert_eq!(own.send("3").unwrap().queued, 1);
    assert_eq!(wire.texts(), ["1", "3"]);
}

#[test]
fn what_becomes_of_a_message_to_several_topics_is_counted() {
    let hub = Hub::default();
    let hooks = Arc::new(hooks());
    let [taken, full, replaced, closed] = [Mode::Take, Mode::Full, Mode::Replace, Mode::Closed]
        .map(|mode| {
            let (session, wire) = open(&hub, &hooks, "/");
            session.peer().subscribe("a").unwrap();
            session.peer().subscribe("b").unwrap();
            wire.mode(mode);
            (session, wire)
        });
    let told = hub.in_namespace("/").topic(["a", "b"]).send("x").unwrap();
    assert_eq!((told.queued, told.dropped), (2, 3));
    assert_eq!(taken.1.wakes(), 1, "the writer sleeps");
    let stats = hub.stats();
    assert_eq!((stats.published, stats.queued), (1, 2));
    drop((taken, full, replaced, closed));
    assert_empty(&hub);
}

#[test]
fn topics_are_named_in_any_usual_form() {
    fn names<'a>(topics: impl Into<Topics<'a>>) -> Vec<String> {
        topics.into().names().map(str::to_owned).collect()
    }
    let (owned, shared): (String, Arc<str>) = ("a".to_owned(), "a".into());
    for one in [
        names("a"),
        names(&owned),
        names(&shared),
        names(owned.clone()),
        names(["a"]),
        names(&[owned.clone(), owned.clone()][1..]),
        names(vec![owned.clone()]),
        names(&vec![Arc::clone(&shared)]),
        names(&[shared][..]),
        names(["a"].into_iter().collect::<Topics<'_>>()),
    ] {
        assert_eq!(one, ["a"]);
    }
}

#[test]
fn each_recipient_may_get_a_message_of_its_own_or_none() {
    let hub = Hub::default();
    let hooks = Arc::new(hooks());
    let [ann, bob, eve, other] = [(); 4].map(|()| open(&hub, &hooks, "/"));
    for (session, name) in [(&ann.0, "ann"), (&bob.0, "bob"), (&eve.0, "eve")] {
        session.peer().subscribe("table").unwrap();
        session.peer().subscribe("other").unwrap();
        session.peer().set_identity(name).unwrap();
    }
    other.0.peer().subscribe_pattern("*").unwrap();
    let gone = eve.0.peer().clone();
    let told = ann.0.peer().to(["table", "other"]).send_each(|peer| {
        // Nothing is locked: this may ask the hub, and change who is subscribed.
        gone.unsubscribe("table");
        gone.unsubscribe("other");
        assert!(hub.in_namespace("/").count("table") >= 2);
        let name = peer.identity()?;
        Some(format!("for {name}"))
    });
    assert_eq!(told.unwrap().queued, 1);
    assert_eq!(bob.1.texts(), ["for bob"]);
    for (_, wire) in [&ann, &eve, &other] {
        assert!(wire.texts().is_empty());
    }
    let to = hub.in_all_namespaces().topic("table");
    let failed = to.send_each(|_| Some(crossws_core::Json(f64::NAN..f64::NAN)));
    assert_eq!(failed.unwrap().queued, 3, "NaN is null in JSON");
    drop((ann, bob, eve, other));
    assert_empty(&hub);
}

#[test]
fn a_message_of_its_own_reaches_each_peer_of_a_namespace() {
    let hub = Hub::default();
    let hooks = Arc::new(hooks());
    let [ann, bob] = [(); 2].map(|()| open(&hub, &hooks, "/"));
    let own = |peer: &crossws_core::Peer| Some(peer.id().to_string());
    let told = ann.0.peer().to_all().send_each(own).unwrap();
    assert_eq!(told.queued, 1);
    assert!(ann.1.texts().is_empty());
    assert_eq!(bob.1.texts(), [bob.0.peer().id().to_string()]);
    let told = hub.in_all_namespaces().all().send_each(own).unwrap();
    assert_eq!(told.queued, 2);
}

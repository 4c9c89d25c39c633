//! Subscriptions by pattern.

use std::sync::Arc;

use crossws_core::adapter::{Encoding, Publication, Wire as Format};
use crossws_core::{Hub, InvalidPattern, Limits, PersistError, SubscribeError, hooks};

use crate::common::{Log, Wire, assert_empty, open, request, turn, upgrade, wall_clock};

#[test]
fn a_subscriber_is_behind_once_however_many_subscriptions_match() {
    let hub = Hub::default();
    let hooks = Arc::new(hooks());
    let [both, pattern, other] = [(); 3].map(|()| open(&hub, &hooks, "/"));
    both.0.peer().subscribe("room/7").unwrap();
    for peer in [&both, &pattern] {
        peer.0.peer().subscribe_pattern("room/*").unwrap();
    }
    other.0.peer().subscribe("room/8").unwrap();
    for scope in [hub.in_namespace("/"), hub.in_all_namespaces()] {
        assert_eq!(scope.behind("room/7"), 0);
    }
    for (_, wire) in [&both, &pattern, &other] {
        wire.buffer(1 << 20);
    }
    for scope in [hub.in_namespace("/"), hub.in_all_namespaces()] {
        assert_eq!(scope.behind("room/7"), 2);
        assert_eq!(scope.behind("room/8"), 3);
        assert_eq!(scope.behind("elsewhere"), 0);
    }
}

#[test]
fn each_publication_comes_once_however_many_patterns_match() {
    let hub = Hub::default();
    let hooks = Arc::new(hooks());
    let [some, all, direct, none] = [(); 4].map(|()| open(&hub, &hooks, "/"));
    let elsewhere = open(&hub, &hooks, "/elsewhere");
    for pattern in ["room/*", "room/**", "*/7"] {
        assert!(some.0.peer().subscribe_pattern(pattern).unwrap());
        assert!(!some.0.peer().subscribe_pattern(pattern).unwrap(), "it is");
    }
    some.0.peer().subscribe("room/7").unwrap();
    all.0.peer().subscribe_pattern("**").unwrap();
    direct.0.peer().subscribe("room/7").unwrap();
    elsewhere.0.peer().subscribe_pattern("**").unwrap();

    let peer = none.0.peer();
    assert_eq!(peer.publish("room/7", "1").unwrap().queued, 3);
    assert_eq!(peer.publish("room/8", "2").unwrap().queued, 2, "no topic");
    assert_eq!(peer.publish("other", "3").unwrap().queued, 1);
    assert_eq!(all.0.peer().publish("room/7", "4").unwrap().queued, 2);
    let to = all.0.peer().to("room/8").including_self();
    assert_eq!(to.send("5").unwrap().queued, 2);
    assert_eq!(
        peer.to(["room/7", "room/8", "other"])
            .send("6")
            .unwrap()
            .queued,
        3
    );
    let to = peer.to(["room/7", "other"]).except("room/7");
    assert_eq!(
        to.send("7").unwrap().queued,
        1,
        "a pattern leaves no peer out"
    );
    assert_eq!(direct.0.peer().to_own_topics().send("8").unwrap().queued, 2);
    assert_eq!(peer.to("room/7").volatile().send("9").unwrap().queued, 3);
    assert_eq!(
        hub.in_namespace("/").publish("x/7", "10").unwrap().queued,
        2
    );
    assert_eq!(peer.broadcast("11").unwrap().queued, 3);

    assert_eq!(
        some.1.texts(),
        ["1", "2", "4", "5", "6", "8", "9", "10", "11"]
    );
    let heard = ["1", "2", "3", "5", "6", "7", "8", "9", "10", "11"];
    assert_eq!(all.1.texts(), heard);
    assert_eq!(direct.1.texts(), ["1", "4", "6", "9", "11"]);
    assert!(none.1.texts().is_empty() && elsewhere.1.texts().is_empty());

    let scope = hub.in_namespace("/");
    assert_eq!(*scope.topics(), [Arc::from("room/7")]);
    assert_eq!(scope.count("room/7"), 2);
    assert_eq!(scope.patterns().len(), 4);
    assert_eq!(scope.pattern_count("**"), 1);
    assert_eq!(hub.in_all_namespaces().pattern_count("**"), 2);
    drop((some, all, direct, none, elsewhere));
    assert!(hub.in_all_namespaces().patterns().is_empty());
    assert_empty(&hub);
}

#[test]
fn a_pattern_that_is_unsubscribed_from_matches_no_more() {
    let hub = Hub::default();
    let hooks = Arc::new(hooks());
    let (session, wire) = open(&hub, &hooks, "/");
    let peer = session.peer();
    peer.subscribe_pattern("a/*").unwrap();
    peer.subscribe("a/*").unwrap();
    assert_eq!((peer.topics().len(), peer.patterns().len()), (1, 1));
    let publish = |text| hub.in_namespace("/").publish("a/1", text).unwrap().queued;
    assert_eq!(publish("1"), 1);
    assert!(peer.unsubscribe_pattern("a/*"));
    assert!(!peer.unsubscribe_pattern("a/*"));
    assert_eq!(publish("2"), 0);
    assert!(peer.is_subscribed("a/*"), "the topic of that name");
    assert!(peer.unsubscribe("a/*"));
    assert_eq!(wire.texts(), ["1"]);
    drop(session);
    assert_empty(&hub);
}

struct Plain;

impl Encoding for Plain {
    fn append(_: u64, publication: &Publication, to: &mut Vec<u8>) {
        to.extend(publication.message().as_bytes());
    }
}

#[test]
fn members_that_read_the_log_and_those_of_patterns_see_one_order() {
    let hub = Hub::default();
    let hooks = Arc::new(hooks());
    let join = |wire: Wire| {
        let accepted = upgrade(&hub, &hooks, request("/")).unwrap();
        (accepted.join(wire.transport()).unwrap(), wire)
    };
    let direct = join(Wire::reading(Format::new::<Plain>(0)));
    let reading = join(Wire::reading(Format::new::<Plain>(0)));
    let handed = join(Wire::default());
    direct.0.peer().subscribe("t").unwrap();
    reading.0.peer().subscribe_pattern("*").unwrap();
    handed.0.peer().subscribe_pattern("**").unwrap();
    std::thread::scope(|scope| {
        for publisher in 0..2 {
            let hub = &hub;
            scope.spawn(move || {
                for number in 0..500 {
                    let text = format!("{publisher}-{number}");
                    let scope = hub.in_namespace("/");
                    let told = match number % 3 {
                        0 => scope.topic(["t", "u"]).send(text),
                        _ => scope.publish("t", text),
                    };
                    assert_eq!(told.unwrap().queued, 3);
                }
            });
        }
    });
    let order = direct.1.texts();
    assert_eq!(order.len(), 1000);
    assert_eq!(reading.1.texts(), order);
    assert_eq!(handed.1.texts(), order);
}

#[test]
fn patterns_have_bounds_of_their_own() {
    let limits = Limits::default()
        .max_patterns(2)
        .max_topics(1)
        .max_name_len(8);
    let hub = Hub::builder().limits(limits.max_hub_topics(3)).build();
    let hooks = Arc::new(hooks());
    let [(session, _), (other, _)] = [(); 2].map(|()| open(&hub, &hooks, "/"));
    let peer = session.peer();
    peer.subscribe("t").unwrap();
    peer.subscribe_pattern("1/*").unwrap();
    peer.subscribe_pattern("2/*").unwrap();
    let error = peer.subscribe_pattern("3/*").unwrap_err();
    assert_eq!(error, SubscribeError::TooManyPatterns(2));
    assert_eq!(peer.subscribe("u").unwrap_err(), SubscribeError::TooMany(1));
    let peer = other.peer();
    let error = peer.subscribe_pattern("3/*").unwrap_err();
    assert_eq!(error, SubscribeError::HubFull(3));
    peer.subscribe_pattern("2/*").unwrap();
    for (pattern, error) in [
        ("room", InvalidPattern::NoWildcard),
        ("r*", InvalidPattern::PartOfSegment),
    ] {
        let refused = peer.subscribe_pattern(pattern).unwrap_err();
        assert_eq!(refused, SubscribeError::Pattern(error));
    }
    let error = peer.subscribe_pattern("1234567/*").unwrap_err();
    assert!(matches!(error, SubscribeError::NameTooLong { len: 9, .. }));
    drop((session, other));
    assert_empty(&hub);
}

#[test]
fn the_subscription_hook_runs_for_patterns() {
    let (hub, log) = (Hub::default(), Log::default());
    let lines = log.clone();
    let app = Arc::new(hooks().on_subscription(move |_, event| {
        let sign = if event.joined { '+' } else { '-' };
        let kind = if event.is_pattern { "pattern" } else { "topic" };
        lines.add(format!(
            "{sign}{kind} {} {}",
            event.topic, event.subscribers
        ));
        async {}
    }));
    let (mut ann, _wire) = open(&hub, &app, "/");
    let (bob, _wire) = open(&hub, &app, "/");
    bob.peer().subscribe_pattern("a/*").unwrap();
    ann.peer().subscribe("a/1").unwrap();
    ann.peer().subscribe_pattern("a/*").unwrap();
    ann.peer().subscribe_pattern("b/*").unwrap();
    ann.peer().unsubscribe_pattern("a/*");
    turn(&mut ann);
    let told = [
        "+topic a/1 1",
        "+pattern a/* 1",
        "+pattern b/* 1",
        "-pattern a/* 1",
    ];
    assert_eq!(log.take(), told);
    futures_lite::future::block_on(ann.close(crossws_core::Closed::by_client(None)));
    assert_eq!(log.take(), ["-topic a/1 0", "-pattern b/* 0"]);
}

#[test]
fn patterns_outlive_the_memory_within_what_can_be_stored() {
    let upgraded = upgrade(&Hub::default(), &Arc::new(hooks()), request("/")).unwrap();
    let snapshot = upgraded.snapshot(wall_clock()).unwrap();
    drop(upgraded);
    let (hub, wire) = (Hub::default(), Wire::sleepy(300));
    let seat = hub.admit(&snapshot, wire.transport()).unwrap();
    seat.peer().subscribe_pattern("a/*").unwrap();
    seat.peer().subscribe_pattern("b/*").unwrap();
    let long = format!("{}/*", "x".repeat(250));
    let error = seat.peer().subscribe_pattern(long).unwrap_err();
    assert!(
        matches!(error, SubscribeError::Persist(PersistError::TooBig { .. })),
        "{error}"
    );
    seat.peer().unsubscribe_pattern("b/*");
    let stored = wire.stored().unwrap();
    drop(seat);
    assert_empty(&hub);

    let wire = Wire::sleepy(300);
    let awake = hub.restore(&stored, wire.transport()).unwrap();
    assert_eq!(*awake.peer().patterns(), [Arc::from("a/*")]);
    let published = hub.in_namespace("/").publish("a/1", "hi").unwrap();
    assert_eq!(published.queued, 1);
    assert_eq!(wire.texts(), ["hi"]);
    drop(awake);
    assert_empty(&hub);
}

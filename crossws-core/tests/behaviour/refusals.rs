//! What refuses an upgrade besides its hook: the origin, a shutdown, limits.

use std::sync::Arc;

use crossws_core::{CloseCode, CloseFrame, Hub, Limits, Origin, SubscribeError, Upgrade, hooks};

use crate::common::{Wire, accept, open, request, request_with, upgrade};
use crate::upgrade::answering;

#[test]
fn foreign_origins_get_403_before_the_hook_runs() {
    let never = answering(|_| panic!("the hook must not run"));
    let foreign = || request_with("/", &[("origin", "https://evil.example")]);
    let rejection = upgrade(&Hub::default(), &never, foreign()).unwrap_err();
    assert_eq!(rejection.status(), 403);

    let plain = Arc::new(hooks());
    let same = request_with("/", &[("origin", "https://example.org")]);
    assert!(upgrade(&Hub::default(), &plain, same).is_ok());
    let any = Hub::builder().origin(Origin::Any).build();
    assert!(upgrade(&any, &plain, foreign()).is_ok());
    let listed = Hub::builder().origin(Origin::listed(["https://evil.example"]));
    assert!(upgrade(&listed.build(), &plain, foreign()).is_ok());
}

#[test]
fn a_shutdown_refuses_with_503() {
    let hub = Hub::default();
    hub.shutdown(CloseFrame::from(crossws_core::CloseCode::RESTART));
    let rejection = upgrade(&hub, &Arc::new(hooks()), request("/")).unwrap_err();
    assert_eq!(rejection.status(), 503);
    assert!(rejection.response().headers().contains_key("retry-after"));
}

#[test]
fn max_peers_counts_also_those_on_their_way() {
    let hub = Hub::builder()
        .limits(Limits::default().max_peers(2))
        .build();
    let plain = Arc::new(hooks());
    let early = accept(&hub, &plain, "/");
    let (one, _wire) = open(&hub, &plain, "/");
    let (_two, _wire) = open(&hub, &plain, "/");
    let rejection = upgrade(&hub, &plain, request("/")).unwrap_err();
    assert_eq!(rejection.status(), 503);
    let frame = early.join(Wire::default().transport()).unwrap_err();
    assert_eq!(frame.code().get(), 1013, "accepted before the hub was full");
    assert_eq!(hub.stats().peers, 2);
    assert_eq!(hub.stats().sessions, 2);
    drop(one);
    assert!(upgrade(&hub, &plain, request("/")).is_ok());
}

#[test]
fn max_namespaces_counts_also_those_on_their_way() {
    let limits = Limits::default().max_namespaces(2);
    let hub = Hub::builder().limits(limits).build();
    let plain = Arc::new(hooks());
    let early = accept(&hub, &plain, "/c");
    let (one, _wire) = open(&hub, &plain, "/a");
    let (_two, _wire) = open(&hub, &plain, "/b");
    let (_also, _wire) = open(&hub, &plain, "/b");
    let rejection = upgrade(&hub, &plain, request("/c")).unwrap_err();
    assert_eq!(rejection.status(), 503);
    let frame = early.join(Wire::default().transport()).unwrap_err();
    assert_eq!(frame.code().get(), 1013);
    assert_eq!(hub.namespaces(), ["/a".into(), "/b".into()]);
    assert_eq!(hub.stats().sessions, 3);
    drop(one);
    assert!(upgrade(&hub, &plain, request("/c")).is_ok());
}

#[test]
fn a_namespaces_name_has_a_longest_length() {
    let hub = Hub::default();
    let path = |len: usize| format!("/{}", "x".repeat(len - 1));
    let (longest, _wire) = open(&hub, &Arc::new(hooks()), &path(255));
    drop(longest);
    let rejection = upgrade(&hub, &Arc::new(hooks()), request(&path(256))).unwrap_err();
    assert_eq!(rejection.status(), 414);
    // A long path is fine where the hook chooses another name.
    let short = answering(|_| Ok(Upgrade::new().namespace("short")));
    assert!(upgrade(&hub, &short, request(&path(256))).is_ok());
}

#[test]
fn topics_beyond_a_limit_refuse_the_upgrade() {
    let limits = Limits::default().max_topics(2).max_name_len(5);
    let hub = Hub::builder().limits(limits).build();
    let many = answering(|_| Ok(Upgrade::new().topic("a").topic("b").topic("c")));
    let error = |hooks| {
        let rejection = upgrade(&hub, hooks, request("/")).unwrap_err();
        assert_eq!(rejection.status(), 500);
        let source = rejection.source().unwrap();
        source.downcast_ref::<SubscribeError>().unwrap().clone()
    };
    assert_eq!(error(&many), SubscribeError::TooMany(2));
    let long = answering(|_| Ok(Upgrade::new().topic("123456")));
    let too_long = SubscribeError::NameTooLong { len: 6, most: 5 };
    assert_eq!(error(&long), too_long);
    let twice = answering(|_| Ok(Upgrade::new().topic("a").topic("b").topic("a")));
    assert!(upgrade(&hub, &twice, request("/")).is_ok());
}

#[test]
fn topics_from_the_upgrade_count_against_the_hubs_bound() {
    let limits = Limits::default().max_hub_topics(2);
    let hub = Hub::builder().limits(limits).build();
    let (session, _wire) = open(&hub, &Arc::new(hooks()), "/");
    session.peer().subscribe("a").unwrap();
    let some = |topics: &'static [&'static str]| {
        answering(move |_| {
            Ok(topics
                .iter()
                .fold(Upgrade::new(), |up, topic| up.topic(*topic)))
        })
    };
    let (fits, too_many) = (some(&["a", "b", "a"]), some(&["a", "b", "c"]));
    let rejection = upgrade(&hub, &too_many, request("/")).unwrap_err();
    assert_eq!(rejection.status(), 503);
    let rejection = upgrade(&hub, &fits, request("/other")).unwrap_err();
    assert_eq!(
        rejection.status(),
        503,
        "those of another namespace are others"
    );
    let accepted = upgrade(&hub, &fits, request("/")).unwrap();
    // Between the 101 and here, another peer takes the room.
    session.peer().subscribe("last").unwrap();
    let wire = Wire::default();
    let frame = accepted.join(wire.transport()).map(drop).unwrap_err();
    assert_eq!(frame.code(), CloseCode::TRY_AGAIN);
    assert_eq!(hub.stats().peers, 1);
    assert!(session.peer().unsubscribe("last"));
    let accepted = upgrade(&hub, &fits, request("/")).unwrap();
    assert!(accepted.join(wire.transport()).is_ok());
}

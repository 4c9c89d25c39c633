//! The settings of a route: what its peers get from it, from its group, and from the hub.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use crossws_core::adapter::{Encoding, Publication, Wire as Format};
use crossws_core::{
    Capabilities, Deflate, HooksBuilder, Hub, Limit, Limits, Origin, PublishError, Resolve,
    RetainError, Route, RouteSettings, Settings, SubscribeError, Upgrade, hooks, resolve_with,
};
use futures_lite::future::block_on;

use crate::common::*;

/// Returns a route to hooks that do nothing.
fn routed(settings: RouteSettings) -> Arc<impl Resolve<Hooks = HooksBuilder>> {
    let (app, settings) = (Arc::new(hooks()), Arc::new(settings));
    Arc::new(resolve_with(move |_| {
        Route::new(Arc::clone(&app)).settings(&settings)
    }))
}

#[test]
fn what_a_route_leaves_out_is_as_the_hub_has_it() {
    let hub = Hub::builder()
        .limits(Limits::default().max_topics(1).max_queued(7))
        .deflate(Deflate::default())
        .build();
    let route = RouteSettings::new()
        .route("/rooms/{room}")
        .name("rooms")
        .max_topics(2)
        .max_peers(0)
        .upgrade_timeout(Duration::from_secs(1));
    let (session, _wire) = open(&hub, &routed(route), "/");
    let peer = session.peer();
    let settings = peer.settings();
    assert_eq!(settings.limits.max_topics, Limit::At(2));
    assert_eq!(settings.limits.max_queued, Limit::At(7));
    assert_eq!(
        settings.limits.max_peers,
        hub.limits().max_peers,
        "the hub's"
    );
    assert_eq!(settings.deflate, Some(Deflate::default()));
    assert_eq!(peer.route().as_deref(), Some("/rooms/{room}"));
    assert_eq!(peer.route_name().as_deref(), Some("rooms"));
    assert_eq!(
        (peer.subscribe("a"), peer.subscribe("b")),
        (Ok(true), Ok(true))
    );
    assert_eq!(peer.subscribe("c"), Err(SubscribeError::TooMany(2)));

    let (plain, _wire) = open(&hub, &Arc::new(hooks()), "/");
    assert_eq!(plain.peer().route(), None);
    plain.peer().subscribe("a").unwrap();
    assert_eq!(plain.peer().subscribe("b"), Err(SubscribeError::TooMany(1)));
}

#[test]
fn a_peer_retains_messages_within_the_name_limit_of_its_route() {
    let hub = Hub::default();
    let long = "n".repeat(256);
    let (session, _wire) = open(&hub, &routed(RouteSettings::new().max_name_len(256)), "/");
    session.peer().to(&long).retained().send("1").unwrap();
    let (session, _wire) = open(&hub, &routed(RouteSettings::new().max_name_len(4)), "/");
    let refused = session.peer().to("price").retained().send("1").unwrap_err();
    let too_long = RetainError::NameTooLong { len: 5, most: 4 };
    assert!(matches!(refused, PublishError::Retain(error) if error == too_long));
    // What the application retains is bounded by the hub's limit.
    let scope = hub.in_namespace("/");
    assert!(scope.topic(&long).retained().send("2").is_err());
    scope.topic("price").retained().send("2").unwrap();
}

#[test]
fn a_routes_peers_share_their_settings() {
    let hub = Hub::default();
    let resolver = routed(RouteSettings::new().max_queued(1));
    let (one, _wire) = open(&hub, &resolver, "/");
    let (two, _wire) = open(&hub, &resolver, "/");
    assert!(Arc::ptr_eq(&one.peer().settings(), &two.peer().settings()));
    // On another hub with other defaults the same route has other settings.
    let other = Hub::builder()
        .limits(Limits::default().max_topics(3))
        .build();
    let (three, _wire) = open(&other, &resolver, "/");
    assert_eq!(three.peer().settings().limits.max_topics, Limit::At(3));
    assert_eq!(three.peer().settings().limits.max_queued, Limit::At(1));
    let (plain, _wire) = open(&hub, &Arc::new(hooks()), "/");
    assert!(Arc::ptr_eq(&plain.peer().settings(), hub.settings()));
}

#[test]
fn a_route_takes_from_its_group_what_it_does_not_say() {
    let group = RouteSettings::new()
        .name("group")
        .origin(Origin::Any)
        .max_topics(5)
        .max_queued(5)
        .protocols(["old"])
        .topic("group");
    let route = RouteSettings::new()
        .max_queued(1)
        .protocols(["new"])
        .topic("own")
        .inherit(&group);
    let settings = route.apply(&Arc::new(Settings::default().topic("hub")));
    assert_eq!(settings.origin, Origin::Any);
    assert_eq!(settings.limits.max_topics, Limit::At(5));
    assert_eq!(settings.limits.max_queued, Limit::At(1));
    assert_eq!(settings.protocols, ["new"]);
    assert_eq!(settings.topics, ["hub", "group", "own"].map(Arc::from));
    assert_eq!(settings.route_name(), None, "a name is one route's");
}

#[test]
fn settings_that_are_changed_after_they_were_applied_are_the_changed_ones() {
    let defaults = Arc::new(Settings::default());
    let one = RouteSettings::new().max_queued(1);
    assert_eq!(one.apply(&defaults).limits.max_queued, Limit::At(1));
    let two = one.clone().max_queued(2);
    assert_eq!(two.apply(&defaults).limits.max_queued, Limit::At(2));
    assert_eq!(
        one.max_queued(3).apply(&defaults).limits.max_queued,
        Limit::At(3)
    );
}

#[test]
fn a_routes_origin_policy_decides_before_its_hooks() {
    let hub = Hub::default();
    let foreign = || request_with("/", &[("origin", "https://evil.example")]);
    let same = routed(RouteSettings::new());
    assert_eq!(upgrade(&hub, &same, foreign()).unwrap_err().status(), 403);
    let any = routed(RouteSettings::new().origin(Origin::Any));
    assert!(upgrade(&hub, &any, foreign()).is_ok());
}

#[test]
fn a_route_selects_the_first_of_its_protocols_that_the_client_offers() {
    let hub = Hub::default();
    let speaks = routed(RouteSettings::new().protocols(["chat.v2", "chat.v1"]));
    let answered = |offer: &str| {
        let headers = [("sec-websocket-protocol", offer)];
        let accepted = upgrade(&hub, &speaks, request_with("/", &headers)).unwrap();
        let header = accepted.headers().get("sec-websocket-protocol");
        header.map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(answered("chat.v1, chat.v2").as_deref(), Some("chat.v2"));
    assert_eq!(answered("chat.v1").as_deref(), Some("chat.v1"));
    assert_eq!(answered("mqtt"), None);
    assert_eq!(accept(&hub, &speaks, "/").headers().len(), 0);

    // The hook has the last word.
    let settings = Arc::new(RouteSettings::new().protocols(["chat.v2"]));
    let app = Arc::new(hooks().on_upgrade(|_| async { Ok(Upgrade::new().protocol(None)) }));
    let silent = Arc::new(resolve_with(move |_| {
        Route::new(Arc::clone(&app)).settings(&settings)
    }));
    let headers = [("sec-websocket-protocol", "chat.v2")];
    let accepted = upgrade(&hub, &silent, request_with("/", &headers)).unwrap();
    assert_eq!(accepted.headers().len(), 0);
}

#[test]
fn a_routes_topics_are_joined_before_open() {
    let app = Arc::new(
        hooks()
            .on_upgrade(|_| async { Ok(Upgrade::new().topic("own")) })
            .on_open(|peer| async move { peer.send(format!("{:?}", peer.topics())) }),
    );
    let settings = Arc::new(RouteSettings::new().topic("general"));
    let resolver = Arc::new(resolve_with(move |_| {
        Route::new(Arc::clone(&app)).settings(&settings)
    }));
    let (_session, wire) = open(&Hub::default(), &resolver, "/");
    assert_eq!(wire.texts(), [r#"["general", "own"]"#]);
}

#[test]
fn a_route_chooses_how_much_of_the_request_its_peers_keep() {
    let cookie = "c".repeat(6_000);
    for (most, keeps) in [(8_000, true), (1_000, false)] {
        let resolver = routed(RouteSettings::new().max_kept_head(most));
        let request = request_with("/", &[("cookie", &cookie)]);
        let accepted = upgrade(&Hub::default(), &resolver, request).unwrap();
        let joined = accepted.join(Wire::default().transport()).unwrap();
        let kept = joined.peer().request().header("cookie").is_some();
        assert_eq!(kept, keeps, "{most}");
    }
}

#[test]
fn a_routes_deadline_and_compression_are_the_accepted_upgrades() {
    let resolver = routed(
        RouteSettings::new()
            .upgrade_timeout(Duration::from_secs(3))
            .deflate(Deflate::default()),
    );
    let hub = Hub::default();
    let claim = block_on(hub.claim(&resolver, request("/"))).unwrap();
    assert_eq!(claim.deadline(), Duration::from_secs(3));
    let accepted = block_on(claim.upgrade()).unwrap();
    assert_eq!(accepted.deflate(), Some(&Deflate::default()));
    assert_eq!(accepted.settings().deflate, Some(Deflate::default()));
}

#[test]
fn a_connection_that_lacks_what_its_settings_need_is_closed() {
    let pongs = Settings::default().limits(Limits::default().auto_pong(false));
    let deflate = Settings::default().deflate(Deflate::default().required(true));
    for (settings, lacks) in [
        (pongs, Capabilities::PING),
        (deflate, Capabilities::COMPRESSION),
    ] {
        let hub = Hub::builder().settings(settings).build();
        let accepted = || accept(&hub, &Arc::new(hooks()), "/");
        let frame = accepted().join(Wire::without(lacks).transport());
        assert_eq!(frame.unwrap_err().code().get(), 1011);
        accepted().join(Wire::default().transport()).unwrap();

        let snapshot = accepted().snapshot(wall_clock()).unwrap();
        let seat = hub
            .admit(&snapshot, Wire::without(lacks).transport())
            .unwrap();
        let frame = block_on(seat.claim(&Arc::new(hooks())));
        assert_eq!(frame.unwrap_err().code().get(), 1011);
    }
}

thread_local! {
    static MEANWHILE: RefCell<Option<Hub>> = const { RefCell::new(None) };
}

/// A format in which a message takes so long that another is published meanwhile.
struct Slow;

impl Encoding for Slow {
    fn append(_: u64, publication: &Publication, to: &mut Vec<u8>) {
        to.extend_from_slice(publication.message().as_bytes());
        if let Some(hub) = MEANWHILE.take() {
            hub.route("/slow").send("short").unwrap();
        }
    }

    fn takes_long(_: u64, _: &Publication) -> bool {
        true
    }
}

#[test]
fn a_slow_encoding_for_a_route_does_not_block_other_publishers() {
    let hub = Hub::default();
    let resolver = routed(RouteSettings::new().route("/slow"));
    let wire = Wire::reading(Format::new::<Slow>(0));
    let joined = accept(&hub, &resolver, "/slow").join(wire.transport());
    let _joined = joined.unwrap();
    MEANWHILE.set(Some(hub.clone()));
    hub.route("/slow").send("long").unwrap();
    assert_eq!(wire.texts(), ["short", "long"]);
}

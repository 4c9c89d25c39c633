//! Which hooks a request gets, the settings of their route, and the values that layers attach on
//! the way.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use crossws_core::adapter::{ClaimError, Encoding, Publication, Snapshot, Wire as Format};
use crossws_core::{
    Capabilities, Deflate, DynHooks, DynResolve, Hooks, HooksBuilder, Hub, Limit, Limits, Origin,
    Rejection, Resolution, Resolve, Route, RouteSettings, Settings, SharedResolver, SubscribeError,
    Swap, Upgrade, UpgradeRequest, hooks, resolve_with,
};
use futures_lite::future::block_on;
use http::StatusCode;

use crate::common::*;

fn says(text: &'static str) -> HooksBuilder {
    hooks()
        .on_open(move |peer| async move { peer.send(text) })
        .on_message(move |peer, _| async move { peer.send(text) })
}

/// Returns how a request with this path is resolved.
fn resolution(resolver: impl Resolve, path: &str) -> String {
    let hub = Hub::default();
    match block_on(hub.claim(&Arc::new(resolver), request(path))) {
        Ok(_) => "hooks".to_owned(),
        Err(ClaimError::NotHandled(request)) => format!("passed {}", request.path()),
        Err(ClaimError::Rejected(rejection)) => format!("refused {}", rejection.status().as_u16()),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_function_may_return_whatever_says_it() {
    struct NoTicket;
    impl From<NoTicket> for Rejection {
        fn from(_: NoTicket) -> Self {
            Self::from(StatusCode::PAYMENT_REQUIRED)
        }
    }
    let app = Arc::new(hooks());
    let shared = || Arc::clone(&app);
    let (a, b, c, d, e) = (shared(), shared(), shared(), shared(), shared());

    assert_eq!(
        resolution(resolve_with(move |_| Arc::clone(&a)), "/"),
        "hooks"
    );
    let route = resolve_with(move |_| Route::new(Arc::clone(&b)));
    assert_eq!(resolution(route, "/"), "hooks");
    let none =
        resolve_with(move |request| (request.path() == "/ws").then(|| Route::new(Arc::clone(&c))));
    assert_eq!(resolution(none, "/other"), "passed /other");
    let result = resolve_with(move |request| match request.path() {
        "/paid" => Ok(Some(Arc::clone(&d))),
        "/free" => Err(NoTicket),
        _ => Ok(None),
    });
    let result = Arc::new(result);
    let each = ["/paid", "/free", "/"].map(|path| {
        let result = Arc::clone(&result);
        match block_on(result.resolve(&mut request(path))) {
            Resolution::Route(_) => 101,
            Resolution::Pass => 0,
            Resolution::Reject(rejection) => rejection.status().as_u16(),
        }
    });
    assert_eq!(each, [101, 402, 0]);
    let whole = resolve_with(move |_| Resolution::from(Arc::clone(&e)));
    assert_eq!(resolution(whole, "/"), "hooks");
}

#[test]
fn a_refusal_by_the_resolver_reaches_the_client_and_leaves_nothing() {
    let refuses = resolve_with(|_| -> Result<Arc<HooksBuilder>, Rejection> {
        Err(Rejection::unauthorized("Bearer").with_source("no token"))
    });
    let hub = Hub::default();
    let refused = upgrade(&hub, &Arc::new(refuses), request("/")).unwrap_err();
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.source().unwrap().to_string(), "no token");
    assert_empty(&hub);
}

#[test]
fn a_resolver_behind_a_pointer_resolves_to_the_same_hooks() {
    let app = Arc::new(says("one"));
    let typed = resolve_with(move |request| match request.path() {
        "/ws" => Ok(Some(Arc::clone(&app))),
        "/no" => Err(Rejection::from(StatusCode::FORBIDDEN)),
        _ => Ok(None),
    });
    let erased: Arc<dyn DynResolve> = Arc::new(typed);
    let (_session, wire) = open(&Hub::default(), &Arc::new(Arc::clone(&erased)), "/ws");
    assert_eq!(wire.texts(), ["one"]);
    assert_eq!(resolution(Arc::clone(&erased), "/no"), "refused 403");
    assert_eq!(resolution(Arc::clone(&erased), "/api"), "passed /api");
    // Again behind pointers: what holds several holds those too.
    let nested: Arc<dyn DynResolve> = Arc::new(Swap::new(says("two")));
    let (_session, wire) = open(&Hub::default(), &Arc::new(nested), "/");
    assert_eq!(wire.texts(), ["two"]);
    // The same as a type of its own, also of hooks whose type is not known.
    let shared = SharedResolver::from(Arc::clone(&erased));
    assert_eq!(resolution(shared.clone(), "/no"), "refused 403");
    assert_eq!(resolution(shared, "/api"), "passed /api");
    let unknown: Arc<dyn DynHooks> = Arc::new(says("three"));
    let unknown = resolve_with(move |_| Arc::clone(&unknown));
    let shared = Arc::new(SharedResolver::new(unknown));
    let (_session, wire) = open(&Hub::default(), &shared, "/");
    assert_eq!(wire.texts(), ["three"]);
}

#[test]
fn a_swapped_resolver_is_for_new_connections() {
    let hub = Hub::default();
    let one: Arc<dyn DynResolve> = Arc::new(says("one"));
    let swap = Swap::new(one);
    let server = Arc::new(swap.clone());
    let (mut old, old_wire) = open(&hub, &server, "/");
    swap.set(Arc::new(says("two")));
    let (_new, new_wire) = open(&hub, &server, "/");
    block_on(old.message("more".into()));
    assert_eq!(old_wire.texts(), ["one", "one"]);
    assert_eq!(new_wire.texts(), ["two"]);

    swap.set(Arc::new(resolve_with(|_| None::<Arc<HooksBuilder>>)));
    let claimed = block_on(hub.claim(&server, request("/")));
    assert!(
        matches!(claimed, Err(ClaimError::NotHandled(_))),
        "{claimed:?}"
    );
    assert_eq!(hub.peers().len(), 2, "they stay connected");
}

#[derive(Debug, PartialEq)]
struct User(String);

#[test]
fn what_a_layer_attaches_reaches_every_hook_by_its_type() {
    let app = Arc::new(
        hooks()
            .on_upgrade(|request| async move {
                let user = request.attached::<User>()?;
                Ok(Upgrade::new().namespace(user.0.clone()).extension(7_u8))
            })
            .on_open(|peer| async move {
                let user = peer.attached::<User>()?;
                let same = peer.request().attached::<User>()?;
                assert!(Arc::ptr_eq(&user, &same));
                peer.send(format!("{user:?} {}", peer.attached::<u8>()?))?;
                Ok::<_, crossws_core::BoxError>(())
            }),
    );
    let authenticated = resolve_with(move |request| {
        let name = request.header("x-user").map(str::to_owned);
        name.map(|name| {
            assert!(request.attach(User("nobody".to_owned())).is_none());
            let replaced = request.attach(User(name)).unwrap();
            assert_eq!(replaced.0, "nobody");
            Arc::clone(&app)
        })
    });
    let hub = Hub::default();
    let request = request_with("/", &[("x-user", "ada")]);
    let accepted = upgrade(&hub, &Arc::new(authenticated), request).unwrap();
    let wire = Wire::default();
    let session = block_on(accepted.join(wire.transport()).unwrap().open());
    assert_eq!(wire.texts(), [r#"User("ada") 7"#]);
    assert_eq!(session.peer().namespace(), "ada");
    assert_eq!(
        session.peer().extensions().get(),
        Some(Arc::new(User("ada".to_owned())))
    );
}

#[test]
fn a_value_that_no_layer_attached_is_an_error_that_names_the_type() {
    let request = request("/");
    let missing = request.attached::<User>().unwrap_err();
    assert!(missing.type_name().ends_with("User"), "{missing:?}");
    assert!(missing.to_string().contains("User"), "{missing}");
    // As a refusal it is a fault of the server, and tells the client nothing.
    let hooks = hooks().on_upgrade(|request| async move {
        request.attached::<User>()?;
        Ok(Upgrade::new())
    });
    let refused = upgrade(&Hub::default(), &Arc::new(hooks), request).unwrap_err();
    assert_eq!(refused.status(), 500);
}

#[test]
fn a_layer_adopts_what_http_middleware_left() {
    let mut parts = request("/").into_parts();
    parts.extensions.insert(String::from("ada"));
    let mut request = UpgradeRequest::new(parts);
    assert!(request.attached::<String>().is_err());
    assert!(request.adopt::<String>());
    assert_eq!(*request.attached::<String>().unwrap(), "ada");
    assert!(!request.adopt::<u8>());
}

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

/// Resolves every request to a route with these settings, after attaching a user.
struct Layered {
    app: Arc<HooksBuilder>,
    settings: Arc<RouteSettings>,
}

impl Resolve for Layered {
    type Hooks = HooksBuilder;

    async fn resolve(self: &Arc<Self>, request: &mut UpgradeRequest) -> Resolution<HooksBuilder> {
        let path = request.path().to_owned();
        request.attach(User(path));
        Route::new(Arc::clone(&self.app))
            .settings(&self.settings)
            .into()
    }
}

#[test]
fn a_sleeping_peer_keeps_its_route_and_gets_its_layers_again() {
    const ROOM: usize = 16_000;
    let app = Arc::new(hooks().on_message(|peer, _| async move {
        peer.send(format!("{:?}", peer.attached::<User>()?))?;
        Ok::<_, crossws_core::BoxError>(())
    }));
    let settings = RouteSettings::new()
        .route("/w/{x}")
        .name("ws")
        .max_topics(1);
    let settings = Arc::new(settings);
    let layered = Arc::new(Layered { app, settings });

    let edge = upgrade(&Hub::default(), &layered, request("/w/1")).unwrap();
    let snapshot = edge.snapshot(wall_clock()).unwrap();
    let bytes = serde_json::to_vec(&snapshot).unwrap();
    let snapshot: Snapshot = serde_json::from_slice(&bytes).unwrap();
    let (first, wire) = (Hub::default(), Wire::sleepy(ROOM));
    let admitted = first.admit(&snapshot, wire.transport()).unwrap();
    assert_eq!(admitted.peer().route().as_deref(), Some("/w/{x}"));
    let session = block_on(async { admitted.claim(&layered).await.unwrap().open().await });
    assert!(
        session
            .peer()
            .capabilities()
            .contains(Capabilities::HIBERNATION)
    );
    let stored = wire.stored().unwrap();
    drop(session);

    let (second, wire) = (Hub::default(), Wire::sleepy(ROOM));
    let seat = second.restore(&stored, wire.transport()).unwrap();
    let peer = seat.peer().clone();
    assert_eq!(peer.route().as_deref(), Some("/w/{x}"), "before any hook");
    assert_eq!(peer.route_name().as_deref(), Some("ws"));
    let mut session = block_on(seat.claim(&layered)).unwrap().resume();
    assert_eq!(peer.settings().limits.max_topics, Limit::At(1));
    block_on(session.message("who".into()));
    assert_eq!(wire.texts(), [r#"User("/w/1")"#]);

    let refuses = resolve_with(|_| -> Result<Arc<HooksBuilder>, Rejection> {
        Err(StatusCode::FORBIDDEN.into())
    });
    let (third, wire) = (Hub::default(), Wire::sleepy(ROOM));
    let seat = third.restore(&stored, wire.transport()).unwrap();
    let frame = block_on(seat.claim(&Arc::new(refuses))).unwrap_err();
    assert_eq!(frame.code().get(), 1008);
    assert_empty(&third);
}

#[test]
fn hooks_resolve_to_themselves_without_a_route() {
    fn takes(_: &impl Hooks) {}
    let app = says("one");
    takes(&app);
    let route = match block_on(Arc::new(app).resolve(&mut request("/"))) {
        Resolution::Route(route) => route,
        other => panic!("{other:?}"),
    };
    let erased: Route<dyn DynHooks> = route.map(|hooks| hooks as _);
    assert_eq!(
        format!("{erased:?}"),
        "Route { params: Params(None), settings: None, .. }"
    );
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

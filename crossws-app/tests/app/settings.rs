use std::sync::Arc;
use std::time::Duration;

use crossws_app::{RequestExt, Router, RouterError, route};
use crossws_core::adapter::Start;
use crossws_core::{
    HooksBuilder, Hub, Limit, Limits, Origin, Peer, RouteSettings, SettingsError, Upgrade, hooks,
};
use crossws_memory::{Frame, TestServer};
use futures_lite::future::block_on;

use crate::common::*;

#[test]
fn a_route_has_settings_of_its_own_and_those_of_its_routers() {
    let shows = || {
        hooks().on_open(|peer: Peer| async move {
            let settings = peer.settings();
            peer.send(format!(
                "{} {} {:?} {:?} {:?}",
                peer.route().unwrap_or_default(),
                peer.route_name().unwrap_or_default(),
                settings.limits.max_message_size,
                settings.protocols,
                peer.topics(),
            ))
        })
    };
    let inner = Router::new()
        .settings(RouteSettings::new().protocols(["v1"]).topic("inner"))
        .route(
            "/own",
            route(shows()).name("own").topic("own").protocols(["v2"]),
        )
        .route("/[id]", shows());
    let router = Router::new()
        .settings(RouteSettings::new().max_message_size(7).topic("all"))
        .nest("/in", inner)
        .route(
            "/out",
            route(shows()).limits(|limits| limits.max_message_size(Limit::Unlimited)),
        );
    expect(
        router,
        &[
            (
                "/in/own",
                "/in/own own At(7) [\"v2\"] [\"all\", \"inner\", \"own\"]",
            ),
            ("/in/7", "/in/{id}  At(7) [\"v1\"] [\"all\", \"inner\"]"),
            ("/out", "/out  Unlimited [] [\"all\"]"),
        ],
    );
}

#[test]
fn the_table_of_routes_is_readable() {
    let router = Router::new()
        .settings(RouteSettings::new().topic("all"))
        .route(
            "/rooms/[id]",
            route(says("")).name("rooms").default_name("other"),
        )
        .route("/chat", route(says("")).default_name("chat"))
        .route("/", says(""));
    let table: Vec<_> = router
        .routes()
        .map(|route| {
            (
                route.pattern.to_string(),
                route.name().map(ToString::to_string),
            )
        })
        .collect();
    let expected = [
        ("/rooms/{id}", Some("rooms")),
        ("/chat", Some("chat")),
        ("/", None),
    ];
    assert_eq!(
        table,
        expected.map(|(a, b)| (a.to_owned(), b.map(str::to_owned)))
    );
    assert!(format!("{router:?}").contains("rooms"));
}

#[test]
fn a_route_has_its_own_heartbeat_origin_and_limit() {
    let router = Router::new()
        .route(
            "/often",
            route(says("often")).heartbeat(Duration::from_secs(1)),
        )
        .route("/seldom", says("seldom"))
        .route(
            "/quiet",
            route(says("quiet")).inactivity(Duration::from_secs(5)),
        )
        .route("/public", route(says("public")).origin(Origin::Any))
        .route(
            "/small",
            route(says("small")).limits(|limits| limits.max_message_size(4)),
        );
    let server = TestServer::new(router);
    block_on(async {
        let mut often = server.connect("/often").await.unwrap();
        let mut seldom = server.connect("/seldom").await.unwrap();
        assert_eq!(first_text(&mut often).await, "often");
        assert_eq!(first_text(&mut seldom).await, "seldom");
        server.advance(Duration::from_secs(2)).await;
        assert!(matches!(often.next_frame().await, Some(Frame::Ping(_))));
        let frame = futures_lite::future::poll_once(seldom.next_frame()).await;
        assert_eq!(frame, None, "the hub's heartbeat is slower");

        let foreign = |path| server.connect(path).origin("https://other.example");
        assert_eq!(foreign("/public").await.unwrap().protocol(), None);
        assert_eq!(foreign("/often").await.unwrap_err().status(), 403);

        let mut quiet = server.connect("/quiet").await.unwrap();
        server.advance(Duration::from_secs(6)).await;
        assert_eq!(quiet.closed().await.code, 3008);
        assert_eq!(server.hub().peers().len(), 2, "the others stay");

        let mut small = server.connect("/small").await.unwrap();
        small.send("12345").unwrap();
        assert_eq!(small.closed().await.code, 1009);
    });
}

#[test]
fn a_namespace_of_typed_parameters_is_the_same_however_the_path_is_spelled() {
    fn order(id: u64) -> String {
        format!("order:{id}")
    }
    let chooses = hooks().on_upgrade(|_| async { Ok(Upgrade::new().namespace("its own")) });
    let named =
        |hooks: HooksBuilder| route(hooks).namespace(|request| Ok(order(request.path_as()?)));
    let router = Router::new()
        .route("/orders/{id}", named(hooks()))
        .route("/other/{id}", named(chooses));
    let server = TestServer::new(router);
    block_on(async {
        let mut clients = Vec::new();
        for path in ["/orders/7", "/orders/%37", "/%6Frders/07"] {
            clients.push(server.connect(path).await.unwrap());
        }
        let told = server.hub().in_namespace(&order(7)).broadcast("shipped");
        assert_eq!(told.unwrap().queued, 3);
        for client in &mut clients {
            assert_eq!(client.next().await.unwrap().text(), Ok("shipped"));
        }
        let refused = server.connect("/orders/seven").await.unwrap_err();
        assert_eq!(refused.status(), 400);
        let _other = server.connect("/other/7").await.unwrap();
        let in_order = server.hub().in_namespace(&order(7)).peers().len();
        assert_eq!(in_order, 3, "the upgrade hook's own namespace comes first");
    });
}

#[test]
fn a_setting_that_cannot_be_used_is_an_error_of_its_route() {
    let nowhere = || Origin::listed(["https://*.example"]);
    let wrong = [
        Router::new().route("/a/{id}", route(says("")).origin(nowhere())),
        Router::new()
            .settings(RouteSettings::new().origin(nowhere()))
            .route("/a/{id}", says("")),
        Router::new().nest(
            "/a",
            Router::new()
                .settings(RouteSettings::new().origin(nowhere()))
                .route("/{id}", says("")),
        ),
    ];
    for router in wrong {
        let error = router.check().unwrap_err().to_string();
        for part in [
            "the route `/a/{id}`",
            "`https://*.example`",
            "`Origin::Any`",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }
    let fallback = Router::new().fallback(route(says("")).protocols(["a b"]));
    let error = fallback.check().unwrap_err();
    let RouterError::Settings { error, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(error, SettingsError::Protocol("a b".into()));
    // A route that overrides what its router says is right.
    let router = Router::new()
        .settings(RouteSettings::new().origin(nowhere()))
        .route("/", route(says("")).origin(Origin::Any));
    assert_eq!(router.check(), Ok(()));
    // Of a framework's routes.
    let prepared = route(says("")).heartbeat(Duration::ZERO).prepare();
    let error = block_on(prepared.start(&Hub::default())).unwrap_err();
    assert!(error.to_string().contains("`ping_interval`"), "{error}");
}

#[test]
fn topics_of_a_route_that_exceed_a_limit_keep_the_server_from_starting() {
    let start = |router: Router, hub: &Hub| {
        let started = block_on(Start::default().run(&Arc::new(router), hub));
        started.map_err(|error| error.to_string())
    };
    let long = || "t".repeat(256);
    let three = || route(says("")).topic("b").topic("c").topic("d");
    let (hub, most) = (Hub::default(), Limits::default().max_topics(3));
    let full = Hub::builder().limits(most).topic("a").build();
    for (router, hub, exceeded) in [
        (
            Router::new().route("/a/{id}", route(says("")).topic(long())),
            &hub,
            "256 bytes, at most 255",
        ),
        (
            Router::new()
                .settings(RouteSettings::new().topic(long()))
                .route("/a/{id}", says("")),
            &hub,
            "256 bytes, at most 255",
        ),
        // With the topic of the hub.
        (Router::new().route("/a/{id}", three()), &full, "3 topics"),
    ] {
        assert_eq!(router.check(), Ok(()), "the hub's limits are not known");
        let error = start(router, hub).unwrap_err();
        for part in ["the settings cannot be used: the route `/a/{id}`", exceeded] {
            assert!(error.contains(part), "{error}");
        }
    }
    let fallback = Router::new().fallback(route(says("")).topic(long()));
    start(fallback, &hub).unwrap_err();
    start(Router::new().route("/", three()), &hub).unwrap();
    // The route's own limit is used.
    let longer = RouteSettings::new().max_name_len(256);
    let router = Router::new().settings(longer);
    let router = router.route("/", route(says("")).topic(long()));
    start(router, &hub).unwrap();
    // Of a framework's routes.
    let prepared = route(says("")).topic(long()).prepare();
    let error = block_on(prepared.start(&hub)).unwrap_err();
    assert!(
        error.to_string().contains("256 bytes, at most 255"),
        "{error}"
    );
}

//! The results of an upgrade.

use std::sync::Arc;

use crossws_core::adapter::ClaimError;
use crossws_core::http::{Response, StatusCode};
use crossws_core::{
    Hub, Params, PeerId, Rejection, Resolution, Resolve, Route, Upgrade, UpgradeRequest, hooks,
    resolve_with,
};
use futures_lite::future::block_on;

use crate::common::{Wire, accept, assert_empty, join, open, request, request_with, upgrade};

pub(crate) type Answer = Result<Upgrade, Rejection>;

/// Hooks whose upgrade decides by the path.
pub(crate) fn answering(
    answer: impl Fn(&UpgradeRequest) -> Answer + Send + Sync + 'static,
) -> Arc<crossws_core::HooksBuilder> {
    Arc::new(hooks().on_upgrade(move |request| {
        let answer = answer(&request);
        async { answer }
    }))
}

#[test]
fn namespace_is_the_path_unless_chosen() {
    let hub = Hub::default();
    let plain = Arc::new(hooks());
    for (target, namespace) in [
        ("/rooms/1?token=x", "/rooms/1"),
        ("/", "/"),
        ("/a%2Fb//c/", "/a%2Fb//c/"),
        ("*", "*"),
        ("http://evil.example/abs", "/abs"),
    ] {
        let (session, _wire) = open(&hub, &plain, target);
        assert_eq!(session.peer().namespace(), namespace, "{target}");
    }
    for name in ["chosen", "", "/rooms/1\0x"] {
        let chosen = answering(move |_| Ok(Upgrade::new().namespace(name)));
        let (session, _wire) = open(&hub, &chosen, "/rooms/1");
        assert_eq!(session.peer().namespace(), name);
        assert_eq!(hub.namespaces(), [name.into()]);
    }
    assert_empty(&hub);
}

#[test]
fn ids_are_random_unless_given_and_unique() {
    let hub = Hub::default();
    let (one, _wire) = open(&hub, &Arc::new(hooks()), "/");
    assert_eq!(
        one.peer().id().to_string().as_bytes()[14],
        b'4',
        "version 4"
    );

    let id = PeerId::from_u128(7);
    let given = answering(move |_| Ok(Upgrade::new().id(id)));
    let early = accept(&hub, &given, "/");
    let (two, _wire) = open(&hub, &given, "/");
    assert_eq!(two.peer().id(), id);
    let conflict = upgrade(&hub, &given, request("/other")).unwrap_err();
    assert_eq!(conflict.status(), 409);
    // Both were accepted before either joined.
    let frame = early.join(Wire::default().transport()).unwrap_err();
    assert_eq!(
        (frame.code().get(), &**frame.reason()),
        (1008, "peer id in use")
    );
    assert_eq!(hub.stats().sessions, 2);
    assert_eq!(hub.peer(id), Some(two.peer().clone()));
    drop(two);
    let (two, _wire) = open(&hub, &given, "/");
    assert_eq!(two.peer().id(), id, "free again");
    drop((one, two));
    assert_empty(&hub);
}

#[test]
fn headers_are_appended_and_repeated_cookies_kept() {
    let hub = Hub::default();
    let hooks = answering(|_| {
        Ok(Upgrade::new()
            .header("Set-Cookie", "a=1")?
            .header("set-cookie", "b=2")?
            .header("X-Trace", "7")?)
    });
    let accepted = accept(&hub, &hooks, "/");
    let cookies: Vec<_> = accepted.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(accepted.headers()["x-trace"], "7");
    assert!(!accepted.headers().contains_key("sec-websocket-protocol"));
}

#[test]
fn reserved_and_malformed_headers_are_errors() {
    for (name, value) in [
        ("Connection", "close"),
        ("upgrade", "h2c"),
        ("Sec-WebSocket-Accept", "x"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("Sec-WebSocket-Protocol", "chat"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "x"),
        ("Content-Length", "0"),
        ("transfer-encoding", "chunked"),
        ("bad name", "x"),
        ("", "x"),
        ("x", "a\r\nset-cookie: evil=1"),
        ("x", "nul\0"),
    ] {
        let error = Upgrade::new().header(name, value).err();
        let text = error
            .unwrap_or_else(|| panic!("{name}: {value}"))
            .to_string();
        assert!(text.contains(&format!("`{name}`")), "{text}");
        let hooks = answering(move |_| Ok(Upgrade::new().header(name, value)?));
        let rejection = upgrade(&Hub::default(), &hooks, request("/")).unwrap_err();
        assert_eq!(rejection.status(), 500, "the server's own mistake");
    }
}

#[test]
fn a_subprotocol_is_answered_only_if_offered_and_chosen() {
    let hub = Hub::default();
    let offers = || {
        request_with(
            "/",
            &[
                ("sec-websocket-protocol", "v1, v2"),
                ("sec-websocket-protocol", " v3 ,,"),
            ],
        )
    };
    assert_eq!(offers().protocols().collect::<Vec<_>>(), ["v1", "v2", "v3"]);

    let silent = answering(|_| Ok(Upgrade::new()));
    let accepted = upgrade(&hub, &silent, offers()).unwrap();
    assert!(!accepted.headers().contains_key("sec-websocket-protocol"));
    let joined = accepted.join(Wire::default().transport()).unwrap();
    assert_eq!(joined.peer().protocol(), None);

    let choosing =
        answering(|request| Ok(Upgrade::new().protocol(request.choose_protocol(&["v3", "v1"]))));
    let accepted = upgrade(&hub, &choosing, offers()).unwrap();
    assert_eq!(accepted.headers()["sec-websocket-protocol"], "v3");
    let joined = accepted.join(Wire::default().transport()).unwrap();
    assert_eq!(joined.peer().protocol(), Some("v3"));
    let accepted = upgrade(&hub, &choosing, request("/")).unwrap();
    assert!(!accepted.headers().contains_key("sec-websocket-protocol"));

    for forced in ["v4", "V1", "", "v1, v2", "v1\r\nx: y"] {
        let forcing = answering(move |_| Ok(Upgrade::new().protocol(forced)));
        let rejection = upgrade(&hub, &forcing, offers()).unwrap_err();
        assert_eq!(rejection.status(), 500, "{forced:?}");
        assert!(rejection.source().is_some());
    }
}

#[test]
fn topics_from_the_upgrade_are_there_before_open() {
    let hub = Hub::default();
    let hooks = hooks()
        .on_upgrade(|_| async { Ok(Upgrade::new().topic("b").topic("a").topic("a")) })
        .on_open(|peer| async move { peer.send(format!("{:?}", peer.topics())) });
    let (session, wire) = open(&hub, &Arc::new(hooks), "/");
    assert_eq!(wire.texts(), [r#"["a", "b"]"#]);
    drop(session);
    assert_empty(&hub);
}

#[test]
fn errors_convert_with_a_question_mark() {
    struct NoTicket;
    impl From<NoTicket> for Rejection {
        fn from(_: NoTicket) -> Self {
            Rejection::unauthorized("Bearer")
        }
    }
    fn ticket(request: &UpgradeRequest) -> Result<&str, NoTicket> {
        request.header("x-ticket").ok_or(NoTicket)
    }
    let hooks = answering(|request| match ticket(request)? {
        "gone" => Err(StatusCode::GONE.into()),
        "teapot" => Err(Response::builder()
            .status(418)
            .header("x-pot", "tea")
            .body("short and stout")?
            .into()),
        "broken" => Err(crossws_core::BoxError::from("db is down").into()),
        _ => Ok(Upgrade::new()),
    });
    let hub = Hub::default();
    let with = |ticket| request_with("/", &[("x-ticket", ticket)]);
    let refused = |request| upgrade(&hub, &hooks, request).unwrap_err();

    let rejection = refused(request("/"));
    assert_eq!(rejection.status(), 401);
    assert_eq!(rejection.response().headers()["www-authenticate"], "Bearer");
    assert_eq!(refused(with("gone")).status(), 410);
    let teapot = refused(with("teapot")).into_response();
    assert_eq!(
        (teapot.status().as_u16(), &teapot.headers()["x-pot"]),
        (418, &"tea".parse().unwrap())
    );
    assert_eq!(teapot.body(), "short and stout");
    let broken = refused(with("broken"));
    assert_eq!(broken.status(), 500);
    assert_eq!(broken.source().unwrap().to_string(), "db is down");
    assert!(upgrade(&hub, &hooks, with("good")).is_ok());
    assert_empty(&hub);
}

#[test]
fn unclaimed_requests_come_back_untouched() {
    let hub = Hub::default();
    let chat = Arc::new(hooks());
    let resolver = Arc::new(resolve_with(move |request| {
        (request.path() == "/chat").then(|| Arc::clone(&chat))
    }));
    assert!(block_on(hub.claim(&resolver, request("/chat"))).is_ok());
    let odd = request_with("/api?x=1", &[("x-odd", "1"), ("x-odd", "2")]);
    let before = format!("{:?}", odd.parts());
    match block_on(hub.claim(&resolver, odd)) {
        Err(ClaimError::NotHandled(request)) => {
            assert_eq!(format!("{:?}", request.into_parts()), before);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_hook_may_pass_the_request_on() {
    let hub = Hub::default();
    let hooks = Arc::new(hooks().on_upgrade(|_| async { Ok(Upgrade::pass().namespace("never")) }));
    let odd = request_with("/api?x=1", &[("x-odd", "1"), ("x-odd", "2")]);
    let before = format!("{:?}", odd.parts());
    let claim = block_on(hub.claim(&hooks, odd)).unwrap();
    match block_on(claim.upgrade()) {
        Err(ClaimError::NotHandled(request)) => {
            assert_eq!(format!("{:?}", request.into_parts()), before);
        }
        other => panic!("{other:?}"),
    }
    assert_empty(&hub);
}

#[test]
fn a_wrapper_can_read_what_a_hook_set_on_the_upgrade() {
    let id = PeerId::random();
    let upgrade = Upgrade::new()
        .header("x-one", "1")
        .unwrap()
        .protocol("chat")
        .namespace("room")
        .context(7_u8)
        .extension("volatile")
        .id(id)
        .topic("t")
        .expires(std::time::Duration::from_secs(9));
    assert_eq!(upgrade.get_headers()["x-one"], "1");
    assert_eq!(upgrade.get_protocol(), Some("chat"));
    assert_eq!(upgrade.get_namespace(), Some("room"));
    assert_eq!(*upgrade.get_context::<u8>().unwrap(), 7);
    assert_eq!(
        upgrade.get_extension::<&str>().as_deref(),
        Some(&"volatile")
    );
    assert_eq!((upgrade.get_id(), upgrade.is_pass()), (Some(id), false));
    assert_eq!(upgrade.get_topics(), ["t".into()]);
    let expiry = std::time::Duration::from_secs(9).into();
    assert_eq!(upgrade.get_expiry(), expiry);
    let plain = Upgrade::new();
    assert_eq!(
        (plain.get_protocol(), plain.get_namespace(), plain.get_id()),
        (None, None, None)
    );
}

#[test]
fn refusals_are_errors_that_name_their_cause() {
    let rejection = Rejection::internal("db is down");
    assert_eq!(
        rejection.to_string(),
        "refused with 500 Internal Server Error: db is down"
    );
    let refused = ClaimError::from(rejection);
    let error: crossws_core::BoxError = refused.into();
    assert_eq!(
        error.to_string(),
        "refused with 500 Internal Server Error: db is down"
    );
    assert_eq!(error.source().unwrap().to_string(), "db is down");
    let unclaimed = ClaimError::NotHandled(Box::new(request("/api")));
    assert_eq!(unclaimed.to_string(), "no hooks claim `/api`");
}

#[test]
fn route_params_are_visible_to_every_hook() {
    struct Rooms(Arc<crossws_core::HooksBuilder>);
    impl Resolve for Rooms {
        type Hooks = crossws_core::HooksBuilder;
        async fn resolve(
            self: &Arc<Self>,
            request: &mut UpgradeRequest,
        ) -> Resolution<crossws_core::HooksBuilder> {
            let Some(room) = request.path().strip_prefix("/rooms/") else {
                return Resolution::Pass;
            };
            let params = Params::from_iter([("room", room), ("kind", "x")]);
            Route::new(Arc::clone(&self.0)).params(params).into()
        }
    }
    let hooks = hooks()
        .on_upgrade(|request| async move {
            let room = request.params().get("room").unwrap().to_owned();
            Ok(Upgrade::new().namespace(room))
        })
        .on_open(|peer| async move {
            let all: Vec<_> = peer.request().params().iter().collect();
            peer.send(format!("{all:?} {:?}", peer.request().params().get("none")))
        });
    let hub = Hub::default();
    let resolver = Arc::new(Rooms(Arc::new(hooks)));
    let (session, wire) = open(&hub, &resolver, "/rooms/7");
    assert_eq!(session.peer().namespace(), "7");
    assert_eq!(wire.texts(), [r#"[("room", "7"), ("kind", "x")] None"#]);
}

#[test]
fn an_upgrade_dropped_in_the_middle_leaves_nothing() {
    let hub = Hub::default();
    let slow = Arc::new(hooks().on_upgrade(|_| std::future::pending()));
    let claim = block_on(hub.claim(&slow, request("/"))).unwrap();
    assert_eq!(claim.deadline(), hub.limits().upgrade_timeout);
    let mut upgrading = crate::common::Hand::new(claim.upgrade());
    upgrading.pending();
    drop(upgrading);
    assert_empty(&hub);
    let (joined, _wire) = join(&hub, &Arc::new(hooks()), "/");
    assert_eq!(hub.stats().accepted, 1);
    drop(joined);
}

//! Which hooks a request gets, and the values that layers attach on the way.

use std::sync::Arc;

use crossws_core::adapter::{ClaimError, Snapshot};
use crossws_core::{
    Capabilities, DynHooks, DynResolve, Hooks, HooksBuilder, Hub, Limit, Rejection, Resolution,
    Resolve, Route, RouteSettings, SharedResolver, Swap, Upgrade, UpgradeRequest, hooks,
    resolve_with,
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

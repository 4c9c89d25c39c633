//! Peers that outlive their memory.

use std::sync::Arc;
use std::time::Duration;

use crossws_core::adapter::{Snapshot, SnapshotPart};
use crossws_core::http::header::{COOKIE, HOST};
use crossws_core::{
    CloseCode, CloseFrame, Closed, ContextError, HookResult, Hooks, Hub, Limit, Limits, Message,
    Overflow, Peer, PersistError, Rejection, Route, RouteSettings, SubscribeError, Upgrade,
    UpgradeRequest, resolve_with,
};
use futures_lite::future::block_on;
use serde::{Deserialize, Serialize};

use crate::common::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
}

fn user(name: &str) -> User {
    User {
        name: name.to_owned(),
    }
}

struct App;

impl Hooks for App {
    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        Ok(Upgrade::new()
            .namespace("room")
            .protocol(request.choose_protocol(&["chat"]))
            .context(user("ada"))
            .topic("first"))
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        peer.send("open")?;
        Ok(())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        peer.send(message)?;
        Ok(())
    }

    async fn close(&self, peer: &Peer, _: Closed) -> HookResult {
        peer.publish("first", "left")?;
        Ok(())
    }
}

const ROOM: usize = 16_000;

/// Returns a peer that was upgraded on one hub and admitted to another, after a journey through
/// bytes.
fn admit(hub: &Hub, wire: &Wire) -> crossws_core::adapter::Session<App> {
    let headers = [("cookie", "secret"), ("sec-websocket-protocol", "chat")];
    let request = request_with("/ws?as=ada", &headers);
    let accepted = upgrade(&Hub::default(), &Arc::new(App), request).unwrap();
    let snapshot = again(&accepted.snapshot(wall_clock()).unwrap());
    let seat = hub.admit(&snapshot, wire.transport()).unwrap();
    block_on(async { seat.claim(&Arc::new(App)).await.unwrap().open().await })
}

fn again(snapshot: &Snapshot) -> Snapshot {
    serde_json::from_slice(&serde_json::to_vec(snapshot).unwrap()).unwrap()
}

/// Returns the same peer on a new hub, as after a sleep.
fn wake(hub: &Hub, stored: &Wire) -> (crossws_core::adapter::Session<App>, Wire) {
    let wire = Wire::sleepy(ROOM);
    let seat = hub.restore(&again(&stored.stored().unwrap()), wire.transport());
    let joined = block_on(seat.unwrap().claim(&Arc::new(App))).unwrap();
    (joined.resume(), wire)
}

#[test]
fn an_upgrade_travels_with_everything_the_hook_set() {
    let wire = Wire::sleepy(ROOM);
    let session = admit(&Hub::default(), &wire);
    let peer = session.peer();
    assert_eq!(peer.namespace(), "room");
    assert_eq!(peer.protocol(), Some("chat"));
    assert_eq!(*peer.context::<User>().unwrap(), user("ada"));
    assert!(peer.is_subscribed("first"));
    assert_eq!(peer.request().query(), Some("as=ada"));
    assert_eq!(peer.request().header("cookie"), Some("secret"));
    assert_eq!(wire.texts(), ["open"]);
}

#[test]
fn a_sleep_keeps_all_that_lasts_and_runs_no_open() {
    let hub = || Hub::builder().keep_headers([HOST]).build();
    let wire = Wire::sleepy(ROOM);
    let session = admit(&hub(), &wire);
    session.peer().subscribe("second").unwrap();
    assert!(session.peer().unsubscribe("first"));
    session.peer().set_context(user("bob")).unwrap();
    let id = session.peer().id();

    let hub = hub();
    let (mut woken, wire) = wake(&hub, &wire);
    let peer = woken.peer().clone();
    assert_eq!(peer.id(), id);
    assert_eq!(peer.namespace(), "room");
    assert_eq!(peer.protocol(), Some("chat"));
    assert_eq!(peer.topics(), [Arc::from("second")]);
    assert_eq!(*peer.context::<User>().unwrap(), user("bob"));
    assert_eq!(peer.request().uri(), "/ws?as=ada");
    assert_eq!(peer.request().header(HOST), Some("example.org"));
    assert_eq!(peer.request().header(COOKIE), None, "not named");
    assert_eq!(hub.peer(id).as_ref(), Some(&peer));
    assert_eq!(wire.texts(), [""; 0], "open ran before the sleep");

    hub.in_namespace("room").publish("second", "hello").unwrap();
    hub.in_namespace("room").publish("first", "lost").unwrap();
    hub.in_namespace("other").publish("second", "lost").unwrap();
    block_on(woken.message("echo".into()));
    assert_eq!(wire.texts(), ["hello", "echo"]);
    block_on(woken.close(Closed::by_client(None)));
    assert!(hub.peers().is_empty());
}

#[test]
fn a_restored_context_waits_for_the_type_that_fits_it() {
    let wire = Wire::sleepy(ROOM);
    let _session = admit(&Hub::default(), &wire);
    let (woken, _wire) = wake(&Hub::default(), &wire);
    let peer = woken.peer();
    assert_eq!(
        peer.context_as::<serde_json::Value>().unwrap()["name"],
        "ada"
    );
    assert!(matches!(
        peer.context::<u32>(),
        Err(ContextError::Decode(_))
    ));
    let first = peer.context::<User>().unwrap();
    assert!(
        Arc::ptr_eq(&first, &peer.context::<User>().unwrap()),
        "one value for all"
    );
    assert!(matches!(
        peer.context::<u32>(),
        Err(ContextError::Type { .. })
    ));
    assert_eq!(
        peer.context_as::<serde_json::Value>().unwrap()["name"],
        "ada"
    );
}

#[test]
fn a_unit_context_is_not_a_missing_one() {
    let wire = Wire::sleepy(ROOM);
    let session = admit(&Hub::default(), &wire);
    session.peer().set_context(()).unwrap();
    let (woken, _wire) = wake(&Hub::default(), &wire);
    assert!(woken.peer().context::<()>().is_ok());
}

#[test]
fn a_subscription_without_room_is_undone_and_says_why() {
    let wire = Wire::sleepy(2_000);
    let session = admit(
        &Hub::builder()
            .limits(Limits::default().max_topics(10_000))
            .build(),
        &wire,
    );
    let peer = session.peer();
    let mut kept = 1;
    let error = loop {
        match peer.subscribe(format!("a/topic/with/a/long/name/{kept}")) {
            Ok(new) => assert!(new),
            Err(error) => break error,
        }
        kept += 1;
    };
    let SubscribeError::Persist(PersistError::TooBig { part, most, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!((part, most), (SnapshotPart::Topics, 2_000));
    assert_eq!(peer.topics().len(), kept);
    assert_eq!(wire.stored().unwrap().topics().count(), kept);
    assert!(!peer.is_subscribed(format!("a/topic/with/a/long/name/{kept}")));
    assert!(peer.unsubscribe("first"), "shrinking makes room");
    assert!(peer.subscribe("first").unwrap());
}

#[test]
fn a_context_without_room_leaves_the_old_one() {
    let wire = Wire::sleepy(2_000);
    let session = admit(&Hub::default(), &wire);
    let peer = session.peer();
    let error = peer.set_context(user(&"x".repeat(3_000))).unwrap_err();
    assert!(
        matches!(
            error,
            ContextError::Persist(PersistError::TooBig {
                part: SnapshotPart::Context,
                ..
            })
        ),
        "{error:?}"
    );
    assert_eq!(*peer.context::<User>().unwrap(), user("ada"));
    peer.subscribe("more").unwrap();
    assert_eq!(again(&wire.stored().unwrap()).topics().count(), 2);
}

#[test]
fn an_id_in_use_is_neither_admitted_nor_restored() {
    let (hub, wire) = (Hub::default(), Wire::sleepy(ROOM));
    let _session = admit(&hub, &wire);
    let snapshot = wire.stored().unwrap();
    let refused = hub
        .admit(&snapshot, Wire::sleepy(ROOM).transport())
        .unwrap_err();
    assert_eq!(refused.status(), 409);
    assert!(
        hub.restore(&snapshot, Wire::sleepy(ROOM).transport())
            .is_err()
    );
    assert_eq!(hub.peers().len(), 1);
}

#[test]
fn a_peer_that_cannot_be_stored_is_refused_and_leaves_nothing() {
    let (full, wire) = (Hub::default(), Wire::sleepy(ROOM));
    let _session = admit(&Hub::default(), &wire);
    let snapshot = wire.stored().unwrap();
    let refused = full
        .admit(&snapshot, Wire::sleepy(10).transport())
        .unwrap_err();
    assert_eq!(refused.status(), 500);
    assert!(full.peers().is_empty());

    let closing = Hub::default();
    closing.shutdown(CloseFrame::from(CloseCode::RESTART));
    let refused = closing
        .admit(&snapshot, Wire::sleepy(ROOM).transport())
        .unwrap_err();
    assert_eq!(refused.status(), 503);

    let small = Hub::builder()
        .limits(Limits::default().max_peers(0))
        .build();
    let refused = small
        .admit(&snapshot, Wire::sleepy(ROOM).transport())
        .unwrap_err();
    assert_eq!(refused.status(), 503);
    assert!(
        small
            .restore(&snapshot, Wire::sleepy(ROOM).transport())
            .is_ok(),
        "was admitted once"
    );
}

#[test]
fn a_peer_whose_hooks_are_gone_is_closed() {
    let (hub, wire) = (Hub::default(), Wire::sleepy(ROOM));
    let _session = admit(&Hub::default(), &wire);
    let seat = hub
        .restore(&wire.stored().unwrap(), wire.transport())
        .unwrap();
    let nobody = Arc::new(crossws_core::resolve_with(|_| None::<Arc<App>>));
    let frame = block_on(seat.claim(&nobody)).unwrap_err();
    assert_eq!(frame.code(), CloseCode::RESTART);
    assert!(hub.peers().is_empty());
}

#[test]
fn the_limits_of_a_route_hold_before_its_hooks_are_asked_for() {
    let settings = Arc::new(
        RouteSettings::new()
            .route("/small")
            .max_message_size(16)
            .max_buffered(Limit::Unlimited)
            .inactivity_timeout(Duration::from_millis(1500))
            .idle_timeout(None)
            .close_timeout(Duration::from_secs(1))
            .overflow(Overflow::DropOldest),
    );
    let resolver = Arc::new(resolve_with(move |_| {
        Route::new(Arc::new(App)).settings(&settings)
    }));
    let hub = || {
        let limits = Limits::default().max_topics(7);
        Hub::builder().limits(limits).build()
    };
    let request = request_with("/ws", &[("sec-websocket-protocol", "chat")]);
    let accepted = upgrade(&hub(), &resolver, request).unwrap();
    let expected = accepted.settings().limits.clone();
    assert_eq!(expected.max_topics, Limit::At(7), "as the hub has it");
    let snapshot = again(&accepted.snapshot(wall_clock()).unwrap());

    let wire = Wire::sleepy(ROOM);
    let seat = hub().admit(&snapshot, wire.transport()).unwrap();
    assert_eq!(seat.peer().settings().limits, expected);
    let session = block_on(async { seat.claim(&resolver).await.unwrap().open().await });
    assert_eq!(session.peer().settings().limits, expected);
    // And so after a sleep, and another one.
    for _ in 0..2 {
        let seat = hub().restore(&again(&wire.stored().unwrap()), wire.transport());
        let seat = seat.unwrap();
        assert_eq!(seat.peer().settings().limits, expected);
        seat.peer().set_context(user("bob")).unwrap();
    }
    // Snapshots from before limits were stored, or from a later version, still parse.
    let mut stored = serde_json::to_value(wire.stored().unwrap()).unwrap();
    stored["k"]["max_of_the_future"] = 1.into();
    let read: Snapshot = serde_json::from_value(stored.clone()).unwrap();
    let seat = hub()
        .restore(&read, Wire::sleepy(ROOM).transport())
        .unwrap();
    assert_eq!(seat.peer().settings().limits, expected);
    stored.as_object_mut().unwrap().remove("k");
    let read: Snapshot = serde_json::from_value(stored).unwrap();
    let seat = hub()
        .restore(&read, Wire::sleepy(ROOM).transport())
        .unwrap();
    assert_eq!(seat.peer().settings().limits, *hub().limits());
}

/// A peer with more of everything than the default limits allow.
struct Large;

impl Hooks for Large {
    async fn upgrade(&self, _: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        let upgrade = Upgrade::new().namespace(long("n")).identity(long("i"));
        let upgrade = (0..150).fold(upgrade, |it, n| it.topic(long(&format!("topic {n}"))));
        Ok((0..30).fold(upgrade, |it, n| it.tag(long(&format!("tag {n}")))))
    }
}

/// Returns the snapshot without the limits of its route.
fn without_limits(snapshot: &Snapshot) -> Snapshot {
    let mut stored = serde_json::to_value(snapshot).unwrap();
    stored.as_object_mut().unwrap().remove("k");
    serde_json::from_value(stored).unwrap()
}

/// Returns a name that is longer than the default limits allow.
fn long(name: &str) -> String {
    format!("{name} {}", "x".repeat(300))
}

#[test]
fn a_peer_is_admitted_and_restored_within_its_routes_limits() {
    const ROOM: usize = 200_000;
    let settings = Arc::new(
        RouteSettings::new()
            .max_topics(200)
            .max_patterns(40)
            .max_tags(40)
            .max_timers(40)
            .max_name_len(400),
    );
    let resolver = Arc::new(resolve_with(move |_| {
        Route::new(Arc::new(Large)).settings(&settings)
    }));
    let accepted = upgrade(&Hub::default(), &resolver, request("/")).unwrap();
    let snapshot = again(&accepted.snapshot(wall_clock()).unwrap());
    let (hub, wire) = (Hub::default(), Wire::sleepy(ROOM));
    let seat = hub.admit(&snapshot, wire.transport()).unwrap();
    let session = block_on(async { seat.claim(&resolver).await.unwrap().open().await });
    let peer = session.peer();
    assert_eq!((peer.topics().len(), peer.tags().len()), (150, 30));
    assert_eq!(peer.identity().as_deref(), Some(&*long("i")));

    let unrouted = without_limits(&snapshot);
    let refused = Hub::default().admit(&unrouted, Wire::sleepy(ROOM).transport());
    assert_eq!(refused.unwrap_err().status(), 500, "the hub's limits hold");

    // After a sleep no limit is checked again.
    for n in 0..30 {
        let pattern = format!("{}/*", long(&n.to_string()));
        peer.subscribe_pattern(pattern).unwrap();
        let hour = Duration::from_secs(3600);
        peer.set_timer(long(&format!("timer {n}")), hour).unwrap();
    }
    let stored = without_limits(&wire.stored().unwrap());
    let none = Limits::default()
        .max_peers(0)
        .max_namespaces(0)
        .max_hub_topics(0);
    let hub = Hub::builder().limits(none).build();
    let awake = hub.restore(&stored, Wire::sleepy(ROOM).transport());
    let awake = awake.unwrap();
    let peer = awake.peer();
    let counts = (peer.topics().len(), peer.tags().len());
    assert_eq!((counts, peer.patterns().len()), ((150, 30), 30));
    assert_eq!(peer.identity().as_deref(), Some(&*long("i")));
}

//! The events that observers of a hub get.

use std::sync::Arc;
use std::time::Duration;

use crossws_core::adapter::ClaimError;
use crossws_core::{
    CloseCode, Closed, ClosedBy, Disconnected, DropCause, Dropped, Emitted, Error, Formats,
    HookKind, Hub, Message, Observer, Overflow, Peer, RejectReason, Rejected, Rejection, hooks,
};
use futures_lite::future::block_on;

use crate::common::{
    Log, Wire, accept, assert_empty, join, open, open_speaking, request, request_with, upgrade,
};

/// Logs every event, and calls back into the hub, which would never return under a lock.
struct Recorder(Log);

impl Recorder {
    fn add(&self, hub: Option<&Hub>, line: String) {
        if let Some(hub) = hub {
            hub.snapshot();
            hub.in_all_namespaces().count("t");
        }
        self.0.add(line);
    }
}

impl Observer for Recorder {
    fn connected(&self, peer: &Peer) {
        let line = format!("connected {}", peer.request().path());
        self.add(Some(peer.hub()), line);
    }

    fn disconnected(&self, peer: &Peer, it: &Disconnected) {
        let (code, by) = (it.closed.code, it.closed.by.name());
        let line = format!("disconnected {code} {by} {:?}", it.duration);
        self.add(Some(peer.hub()), line);
    }

    fn received(&self, peer: &Peer, message: &Message) {
        self.add(Some(peer.hub()), format!("received {message}"));
    }

    fn emitted(&self, it: &Emitted<'_>) {
        let to = (it.to.peer().is_some(), it.to.namespace(), it.to.topic());
        self.add(None, format!("emitted {} {to:?} {}", it.message, it.queued));
    }

    fn rejected(&self, it: &Rejected<'_>) {
        let line = format!("rejected {} {} {}", it.status, it.reason.name(), it.path);
        self.add(None, line);
    }

    fn slow(&self, peer: &Peer) {
        self.add(Some(peer.hub()), "slow".to_owned());
    }

    fn dropped(&self, peer: &Peer, dropped: Dropped) {
        self.add(Some(peer.hub()), format!("dropped {}", dropped.messages));
    }

    fn failed(&self, peer: &Peer, error: &Error) {
        self.add(Some(peer.hub()), format!("failed {error}"));
    }

    fn hook_ended(&self, peer: &Peer, hook: HookKind, took: Duration) {
        self.add(Some(peer.hub()), format!("{hook} {took:?}"));
    }
}

fn recorded() -> (Hub, Log) {
    let log = Log::default();
    let hub = Hub::builder().observer(Recorder(log.clone())).build();
    (hub, log)
}

#[test]
fn an_observer_gets_every_event_once_and_under_no_lock() {
    let (hub, log) = recorded();
    let app = Arc::new(
        hooks()
            .on_open(|peer| async move { peer.subscribe("t").map(drop) })
            .on_message(|peer, message| async move {
                peer.publish("t", message)?;
                peer.send("thanks")?;
                Err::<(), _>("no".into()) as crossws_core::HookResult
            }),
    );
    let (mut ann, _wire) = open(&hub, &app, "/a?token=secret");
    assert_eq!(log.take(), ["connected /a"]);
    block_on(ann.message("hi".into()));
    assert_eq!(
        log.take(),
        [
            "received hi",
            "emitted hi (false, Some(\"/a\"), Some(\"t\")) 0",
            "emitted thanks (true, Some(\"/a\"), None) 1",
            "message 0ns",
            "failed the message hook failed: no",
        ]
    );
    // The default `error` hook has closed.
    block_on(ann.close(Closed::by_us(
        &CloseCode::ERROR.into(),
        ClosedBy::Server,
        true,
    )));
    assert_eq!(log.take(), ["disconnected 1011 server Some(0ns)"]);
    assert_empty(&hub);
}

#[test]
fn every_peer_that_connected_disconnects_once() {
    let (hub, log) = recorded();
    let app = Arc::new(hooks());
    let (session, _wire) = open(&hub, &app, "/");
    drop(session);
    let lost = "disconnected 1006 network Some(0ns)";
    assert_eq!(log.take(), ["connected /", lost]);
    let (joined, _wire) = join(&hub, &app, "/");
    joined.peer().close(CloseCode::NORMAL, "");
    drop(joined);
    let closed = "disconnected 1006 server Some(0ns)";
    assert_eq!(log.take(), ["connected /", closed]);
    // A peer that could not join has not connected.
    let accepted = accept(&hub, &app, "/");
    hub.shutdown(CloseCode::RESTART.into());
    assert!(accepted.join(Wire::default().transport()).is_err());
    assert_eq!(log.take(), [] as [&str; 0]);
    assert_eq!(hub.stats().closed.total(), 2);
    assert_eq!(hub.stats().accepted, 2);
}

#[test]
fn observers_get_a_refusals_reason_and_no_query() {
    let (hub, log) = recorded();
    let app = hooks().on_upgrade(|request| async move {
        match request.path() {
            "/failed" => Err(Rejection::internal("gone")),
            _ => Err(Rejection::unauthorized("Bearer")),
        }
    });
    let app = Arc::new(app);
    let foreign = [("origin", "https://app.example")];
    assert!(upgrade(&hub, &app, request_with("/o?token=secret", &foreign)).is_err());
    assert!(upgrade(&hub, &app, request("/failed")).is_err());
    assert!(upgrade(&hub, &app, request("/closed?token=secret")).is_err());
    hub.rejected(
        RejectReason::Malformed,
        &Rejection::from(http_400()),
        "",
        None,
    );
    hub.shutdown(CloseCode::RESTART.into());
    let claim = block_on(hub.claim(&app, request("/late"))).unwrap();
    let late = block_on(claim.upgrade()).unwrap_err();
    assert!(matches!(late, ClaimError::Rejected(_)));
    assert_eq!(
        log.take(),
        [
            "rejected 403 Forbidden origin /o",
            "rejected 500 Internal Server Error failed /failed",
            "rejected 401 Unauthorized rejected /closed",
            "rejected 400 Bad Request malformed ",
            "rejected 503 Service Unavailable unavailable /late",
        ]
    );
    let refused = hub.stats().refused;
    let counted = [
        refused.origin,
        refused.failed,
        refused.rejected,
        refused.malformed,
        refused.unavailable,
    ];
    assert_eq!((counted, refused.total()), ([1; 5], 5));
}

fn http_400() -> crossws_core::http::StatusCode {
    crossws_core::http::StatusCode::BAD_REQUEST
}

#[test]
fn drops_are_counted_and_a_slow_consumer_is_reported_once() {
    let (hub, log) = recorded();
    let (joined, _wire) = join(&hub, &Arc::new(hooks()), "/");
    let lifeline = joined.lifeline();
    log.take();
    lifeline.dropped(Dropped::new(1, DropCause::Volatile));
    assert_eq!(log.take(), ["dropped 1"]);
    let overflow = DropCause::Overflow(Overflow::DropOldest);
    lifeline.dropped(Dropped::new(2, overflow));
    lifeline.dropped(Dropped::new(3, overflow));
    assert_eq!(log.take(), ["slow", "dropped 2", "dropped 3"]);
    let stats = hub.stats();
    assert_eq!((stats.dropped, stats.slow), (6, 1));
    drop(joined);
}

#[test]
fn a_panic_of_an_observer_goes_no_further() {
    struct Fragile;
    impl Observer for Fragile {
        fn connected(&self, _: &Peer) {
            panic!("an observer's");
        }
    }
    let log = Log::default();
    let hub = Hub::builder()
        .observer(Fragile)
        .observer(Recorder(log.clone()))
        .build();
    let (session, _wire) = open(&hub, &Arc::new(hooks()), "/");
    assert_eq!(log.take(), ["connected /"]);
    drop(session);
}

#[test]
fn an_observer_without_messages_gets_every_other_event() {
    struct Connections(Recorder);

    impl Observer for Connections {
        fn wants_messages(&self) -> bool {
            false
        }

        fn connected(&self, peer: &Peer) {
            self.0.connected(peer);
        }

        fn received(&self, peer: &Peer, message: &Message) {
            self.0.received(peer, message);
        }

        fn emitted(&self, emitted: &Emitted<'_>) {
            self.0.emitted(emitted);
        }

        fn hook_ended(&self, peer: &Peer, hook: HookKind, took: Duration) {
            self.0.hook_ended(peer, hook, took);
        }
    }

    let (few, all) = (Log::default(), Log::default());
    let hub = Hub::builder()
        .observer(Connections(Recorder(few.clone())))
        .observer(Recorder(all.clone()))
        .build();
    let app = hooks().on_message(|peer, message| async move {
        peer.publish("t", message.clone())?;
        peer.send(message).map(drop)?;
        crossws_core::ok()
    });
    let (mut ann, _wire) = open(&hub, &Arc::new(app), "/");
    block_on(ann.message("hi".into()));
    assert_eq!(few.take(), ["connected /", "message 0ns"]);
    assert_eq!(all.take().len(), 5);
    let traffic = hub.stats().traffic.unwrap();
    assert_eq!((traffic.received, traffic.sent), (1, 1));
    drop(ann);
}

#[test]
fn an_observer_hears_to_which_group_a_message_went() {
    struct Groups(Log);

    impl Observer for Groups {
        fn emitted(&self, it: &Emitted<'_>) {
            let to = (it.to.route(), it.to.identity(), it.to.tag());
            self.0.add(format!("{to:?} {} {}", it.message, it.queued));
        }
    }

    let log = Log::default();
    let hub = Hub::builder().observer(Groups(log.clone())).build();
    let (session, _wire) = open(&hub, &Arc::new(hooks()), "/");
    session.peer().set_identity("ann").unwrap();
    session.peer().tag("beta").unwrap();
    hub.route("chat").send("1").unwrap();
    hub.identity("ann").send("2").unwrap();
    hub.tagged("beta").except_tagged("gamma").send("3").unwrap();
    assert_eq!(
        log.take(),
        [
            r#"(Some("chat"), None, None) 1 0"#,
            r#"(None, Some("ann"), None) 2 1"#,
            r#"(None, None, Some("beta")) 3 1"#,
        ]
    );
}

#[test]
fn an_observer_hears_of_each_of_the_messages_that_differ() {
    let (hub, log) = recorded();
    let app = Arc::new(hooks());
    let [ann, bob] = [(); 2].map(|()| open(&hub, &app, "/a"));
    log.take();
    bob.1.mode(crate::common::Mode::Closed);
    let of = |peer: &Peer| (peer == ann.0.peer() || peer == bob.0.peer()).then_some("yours");
    let to = hub.in_namespace("/a").all();
    assert_eq!(to.send_each(of).unwrap().queued, 1);
    assert_eq!(log.take(), ["emitted yours (true, Some(\"/a\"), None) 1"]);
    assert_eq!(hub.counters().unwrap().sent.count, 1);
}

#[test]
fn a_message_in_several_formats_is_one_publication_to_its_topic() {
    let (hub, log) = recorded();
    let wire = Wire::default();
    let peers = ["a", "b"].map(|protocol| open_speaking(&hub, protocol, &wire));
    for session in &peers {
        session.peer().subscribe("t").unwrap();
    }
    log.take();
    let others = Formats::from_iter([("b".into(), "two".into())]);
    let scope = hub.in_namespace("/");
    for to in [scope.topic("t"), scope.all(), scope.topic("t").retained()] {
        to.send_formats("one".into(), others.clone()).unwrap();
    }
    // The first format alone.
    let to = scope.topic("t");
    to.send_formats("one".into(), Formats::default()).unwrap();
    let topic = "emitted one (false, Some(\"/\"), Some(\"t\")) 2";
    let all = "emitted one (false, Some(\"/\"), None) 2";
    assert_eq!(log.take(), [topic, all, topic, topic]);
    assert_eq!((hub.stats().published, hub.stats().queued), (4, 8));
}

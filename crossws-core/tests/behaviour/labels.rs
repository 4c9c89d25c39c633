//! Identities and tags.

use std::sync::Arc;

use crossws_core::http::StatusCode;
use crossws_core::{
    CloseCode, Closed, HookResult, Hooks, Hub, LabelError, Limits, Peer, PersistError,
    PublishError, Rejection, Upgrade, UpgradeRequest, hooks,
};

use crate::common::{Log, Wire, assert_empty, open, ready, request, upgrade};

/// `/NAMESPACE?IDENTITY&TAG&TAG`.
struct Labelled;

impl Hooks for Labelled {
    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        let mut names = request.query().unwrap_or_default().split('&');
        let identity = names.next().unwrap_or_default().to_owned();
        let upgrade = match &*identity {
            "" => Upgrade::new(),
            _ => Upgrade::new().identity(identity),
        };
        Ok(names.fold(upgrade, Upgrade::tag))
    }
}

#[test]
fn an_identity_reaches_all_of_its_connections_in_all_namespaces() {
    let hub = Hub::default();
    let hooks = Arc::new(Labelled);
    let [phone, laptop, bob, nobody] =
        ["/1?ann&mobile", "/2?ann", "/2?bob", "/"].map(|path| open(&hub, &hooks, path));
    assert_eq!(phone.0.peer().identity().as_deref(), Some("ann"));
    assert_eq!(nobody.0.peer().identity(), None);
    assert_ne!(phone.0.peer().namespace(), laptop.0.peer().namespace());

    assert_eq!(hub.identity("ann").send("hi").unwrap().queued, 2);
    assert_eq!(hub.identity("ann").peer_count().unwrap(), 2);
    assert_eq!(hub.identity("ann").peers().unwrap().len(), 2);
    assert_eq!(hub.identity("eve").send("hi").unwrap().queued, 0);
    let ann = hub.identity("ann");
    assert_eq!(ann.clone().tagged("mobile").peer_count().unwrap(), 1);
    assert_eq!(ann.except_tagged("mobile").send("here").unwrap().queued, 1);
    assert_eq!(phone.1.texts(), ["hi"]);
    assert_eq!(laptop.1.texts(), ["hi", "here"]);
    assert!(bob.1.texts().is_empty() && nobody.1.texts().is_empty());

    hub.identity("ann").close_all(CloseCode::POLICY).unwrap();
    assert_eq!((phone.1.closes(), bob.1.closes()), (vec![1008], vec![]));
    assert_eq!(hub.identity("ann").peer_count().unwrap(), 0);
    drop((phone, laptop, bob, nobody));
    assert_empty(&hub);
}

#[test]
fn an_identity_is_changed_and_ends() {
    let hub = Hub::default();
    let hooks = Arc::new(Labelled);
    let (session, wire) = open(&hub, &hooks, "/");
    let peer = session.peer().clone();
    peer.set_identity("ann").unwrap();
    peer.set_identity("bob").unwrap();
    assert_eq!(hub.identity("ann").send("1").unwrap().queued, 0);
    assert_eq!(hub.identity("bob").send("2").unwrap().queued, 1);
    peer.clear_identity().unwrap();
    assert_eq!(peer.identity(), None);
    assert_eq!(hub.identity("bob").send("3").unwrap().queued, 0);
    peer.set_identity("eve").unwrap();
    assert_eq!(wire.texts(), ["2"]);
    drop(session);
    // For the `close` hook, and for what is logged after it.
    assert_eq!(peer.identity().as_deref(), Some("eve"));
    assert_eq!(hub.identity("eve").peer_count().unwrap(), 0);
    assert!(matches!(peer.set_identity("x"), Err(LabelError::Closed)));
    assert!(matches!(peer.tag("x"), Err(LabelError::Closed)));
    assert_empty(&hub);
}

#[test]
fn tags_select_recipients_alone_and_among_subscribers() {
    let hub = Hub::default();
    let hooks = Arc::new(
        hooks().on_upgrade(|_| async { Ok::<_, Rejection>(Upgrade::new().topic("talk")) }),
    );
    let [red, blue, both, none] = [(); 4].map(|()| open(&hub, &hooks, "/"));
    for (session, tags) in [
        (&red.0, &["red"][..]),
        (&blue.0, &["blue"]),
        (&both.0, &["red", "blue"]),
    ] {
        for tag in tags {
            assert!(session.peer().tag(*tag).unwrap());
            assert!(!session.peer().tag(*tag).unwrap(), "it has it");
        }
    }
    assert_eq!(both.0.peer().tags().len(), 2);
    assert!(both.0.peer().is_tagged("blue") && !red.0.peer().is_tagged("blue"));
    assert_eq!(hub.tagged("red").send("1").unwrap().queued, 2);
    assert_eq!(
        hub.tagged("red").tagged("blue").send("2").unwrap().queued,
        1
    );
    let peer = none.0.peer();
    assert_eq!(peer.to("talk").tagged("blue").send("3").unwrap().queued, 2);
    let to = peer.to("talk").except_tagged("red").including_self();
    assert_eq!(to.send("4").unwrap().queued, 2);
    assert_eq!(peer.to_all().tagged("none").send("5").unwrap().queued, 0);
    red.0.peer().set_identity("ann").unwrap();
    let to = peer.to("talk").except_identity("ann");
    assert_eq!(to.send("6").unwrap().queued, 2);
    assert!(both.0.peer().untag("blue"));
    assert!(!both.0.peer().untag("blue"), "it has it no more");
    assert_eq!(hub.tagged("blue").send("7").unwrap().queued, 1);

    assert_eq!(red.1.texts(), ["1"]);
    assert_eq!(blue.1.texts(), ["3", "4", "6", "7"]);
    assert_eq!(both.1.texts(), ["1", "2", "3", "6"]);
    assert_eq!(none.1.texts(), ["4"]);
    drop((red, blue, both, none));
    assert_empty(&hub);
}

#[test]
fn a_layer_sets_the_identity_and_the_hook_may_replace_it() {
    let hub = Hub::default();
    let hooks = Arc::new(Labelled);
    for (path, expected) in [("/", "layer"), ("/?ann", "ann")] {
        let mut asked = request(path);
        asked.set_identity("layer");
        let accepted = upgrade(&hub, &hooks, asked).unwrap();
        let opening = accepted.join(Wire::default().transport()).unwrap();
        assert_eq!(opening.peer().identity().as_deref(), Some(expected));
    }
    assert_empty(&hub);
}

#[test]
fn labels_have_bounds() {
    let limits = Limits::default().max_tags(2).max_name_len(8);
    let hub = Hub::builder().limits(limits).build();
    let hooks = Arc::new(Labelled);
    for path in ["/?ann&1&2&3", "/?123456789", "/?ann&123456789"] {
        let Err(error) = upgrade(&hub, &hooks, request(path)) else {
            panic!("{path} was accepted");
        };
        assert_eq!(error.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
    }
    let (session, _) = open(&hub, &hooks, "/?ann&1&1&2");
    let peer = session.peer();
    assert_eq!(peer.tag("3"), Err(LabelError::TooMany(2)));
    let long = LabelError::NameTooLong { len: 9, most: 8 };
    assert_eq!(peer.set_identity("123456789"), Err(long.clone()));
    peer.untag("1");
    assert_eq!(peer.tag("123456789"), Err(long));
    assert_eq!(peer.tag("3"), Ok(true));
    assert_eq!(peer.identity().as_deref(), Some("ann"));
    drop(session);
    assert_empty(&hub);
}

#[test]
fn where_a_hub_is_partial_only_those_here_are_reached() {
    let hub = Hub::builder().partial().build();
    let hooks = Arc::new(Labelled);
    let (session, wire) = open(&hub, &hooks, "/?ann&mobile");
    let refused = hub.identity("ann").send("all");
    assert!(
        matches!(refused, Err(PublishError::Route(_))),
        "{refused:?}"
    );
    let error = hub.tagged("mobile").peer_count().unwrap_err();
    assert!(error.to_string().contains("tags that span hubs"), "{error}");
    assert_eq!(hub.identity("ann").here().send("here").unwrap().queued, 1);
    assert_eq!(wire.texts(), ["here"]);
    drop(session);
    assert_empty(&hub);
}

/// Says who it was.
struct Goodbye(Log);

impl Hooks for Goodbye {
    async fn open(&self, peer: &Peer) -> HookResult {
        peer.set_identity("ann")?;
        peer.tag("vip")?;
        Ok(())
    }

    async fn close(&self, peer: &Peer, _: Closed) -> HookResult {
        let identity = peer.identity().unwrap_or_default();
        self.0.add(format!("{identity} {:?}", peer.tags()));
        Ok(())
    }
}

#[test]
fn the_close_hook_knows_the_labels() {
    let hub = Hub::default();
    let log = Log::default();
    let hooks = Arc::new(Goodbye(log.clone()));
    let (session, _) = open(&hub, &hooks, "/");
    ready(session.close(Closed::by_client(None)));
    assert_eq!(log.take(), ["ann [\"vip\"]"]);
    assert_empty(&hub);
}

#[test]
fn labels_outlive_the_memory_within_what_can_be_stored() {
    let upgraded = upgrade(&Hub::default(), &Arc::new(Labelled), request("/?ann&vip")).unwrap();
    let snapshot = upgraded.snapshot(crate::common::wall_clock()).unwrap();
    drop(upgraded);
    let (hub, wire) = (Hub::default(), Wire::sleepy(500));
    let seat = hub.admit(&snapshot, wire.transport()).unwrap();
    let peer = seat.peer().clone();
    peer.tag("red").unwrap();
    peer.set_identity("bob").unwrap();
    assert_eq!(peer.tag("x".repeat(200)), Ok(true));
    let error = peer.tag("y".repeat(250)).unwrap_err();
    assert!(
        matches!(error, LabelError::Persist(PersistError::TooBig { .. })),
        "{error}"
    );
    assert!(
        error.to_string().contains("the identity and the tags"),
        "{error}"
    );
    assert!(peer.set_identity("z".repeat(250)).is_err());
    assert_eq!(peer.identity().as_deref(), Some("bob"));
    assert_eq!(peer.tags().len(), 3);
    assert!(peer.untag("vip"));
    let stored = wire.stored().unwrap();
    drop((seat, peer));
    assert_empty(&hub);

    let awake = hub.restore(&stored, Wire::sleepy(500).transport()).unwrap();
    assert_eq!(awake.peer().identity().as_deref(), Some("bob"));
    assert!(awake.peer().is_tagged("red") && !awake.peer().is_tagged("vip"));
    assert_eq!(hub.identity("bob").peer_count().unwrap(), 1);
    assert_eq!(hub.tagged("red").peers().unwrap(), [awake.peer().clone()]);
    drop(awake);
    assert_empty(&hub);
}

#[test]
fn a_peer_that_says_its_identity_again_gets_each_message_once() {
    let hub = Hub::default();
    let (session, _wire) = open(&hub, &Arc::new(Labelled), "/?ann");
    let peer = session.peer().clone();
    let again = std::thread::spawn(move || {
        for _ in 0..20_000 {
            peer.set_identity("ann").unwrap();
        }
    });
    while !again.is_finished() {
        assert_eq!(hub.identity("ann").peer_count().unwrap(), 1);
    }
    again.join().unwrap();
}

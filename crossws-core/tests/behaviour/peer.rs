//! The values and methods of a peer.

use std::collections::HashMap;
use std::sync::Arc;

use crossws_core::{
    Bytes, Capabilities, ContextError, ControlError, Hub, Json, Message, PublishError, SendError,
    SendOptions, SubscribeError, Upgrade, hooks,
};
use futures_lite::future::block_on;
use serde::{Deserialize, Serialize};

use crate::common::{Dropped, Log, Mode, Out, Wire, accept, assert_empty, open, ready};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
}

fn user(name: &str) -> User {
    User {
        name: name.to_owned(),
    }
}

#[test]
fn contexts_are_typed() {
    let hub = Hub::default();
    let (session, _wire) = open(&hub, &Arc::new(hooks()), "/");
    let peer = session.peer();
    assert!(matches!(peer.context::<User>(), Err(ContextError::Missing)));
    assert!(matches!(
        peer.context_as::<serde_json::Value>(),
        Err(ContextError::Missing)
    ));

    let with = Arc::new(hooks().on_upgrade(|_| async { Ok(Upgrade::new().context(user("ann"))) }));
    let (session, _wire) = open(&hub, &with, "/");
    let peer = session.peer();
    let before = peer.context::<User>().unwrap();
    assert_eq!(*before, user("ann"));
    match peer.context::<u32>() {
        Err(ContextError::Type { asked, actual }) => {
            assert_eq!(asked, "u32");
            assert!(actual.ends_with("User"), "{actual}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        peer.context_as::<serde_json::Value>().unwrap(),
        serde_json::json!({"name": "ann"})
    );
    peer.clone().set_context(user("bob")).unwrap();
    assert_eq!(*peer.context::<User>().unwrap(), user("bob"));
    assert_eq!(*before, user("ann"), "a reader keeps what it has read");
    peer.set_context(7u32).unwrap();
    assert_eq!(peer.context_as::<serde_json::Value>().unwrap(), 7);
    peer.set_context(HashMap::from([((1, 2), 3)])).unwrap();
    assert!(matches!(
        peer.context_as::<u8>(),
        Err(ContextError::Encode(_))
    ));
}

#[test]
fn replacing_a_context_may_use_the_peer() {
    #[derive(Default, Serialize, Deserialize)]
    struct Nosy {
        #[serde(skip)]
        peer: std::sync::OnceLock<crossws_core::WeakPeer>,
    }
    impl Drop for Nosy {
        fn drop(&mut self) {
            if let Some(peer) = self.peer.get().and_then(crossws_core::WeakPeer::upgrade) {
                assert!(peer.context::<u8>().is_ok());
            }
        }
    }
    let hub = Hub::default();
    let (session, _wire) = open(&hub, &Arc::new(hooks()), "/");
    let nosy = Nosy::default();
    let weak = session.peer().downgrade();
    assert!(nosy.peer.set(weak).is_ok());
    session.peer().set_context(nosy).unwrap();
    session.peer().set_context(1u8).unwrap();
}

#[test]
fn extensions_hold_one_value_per_type() {
    let hub = Hub::default();
    let log = Log::default();
    let guard = log.clone();
    let with = Arc::new(hooks().on_upgrade(move |_| {
        let upgrade = Upgrade::new()
            .extension(1u8)
            .extension(2u8)
            .extension(Dropped(guard.clone(), "with the peer"));
        async { Ok(upgrade) }
    }));
    let (session, _wire) = open(&hub, &with, "/");
    let extensions = session.peer().extensions();
    assert_eq!(*extensions.get::<u8>().unwrap(), 2);
    assert_eq!(extensions.get::<u16>(), None);
    assert_eq!(*extensions.insert(3u8).unwrap(), 2);
    assert_eq!(*extensions.remove::<u8>().unwrap(), 3);
    assert_eq!(extensions.remove::<u8>(), None);
    assert!(log.take().is_empty());
    drop(session);
    assert_eq!(
        log.take(),
        ["with the peer"],
        "nothing keeps a peer that is gone"
    );
}

#[test]
fn a_weak_peer_keeps_nothing_alive() {
    let hub = Hub::default();
    let (session, _wire) = open(&hub, &Arc::new(hooks()), "/");
    let weak = session.peer().downgrade();
    assert_eq!(weak.upgrade().unwrap(), *session.peer());
    drop(session);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_peer_is_shown_as_its_id() {
    let hub = Hub::default();
    let (session, _wire) = open(&hub, &Arc::new(hooks()), "/room?secret=1");
    let peer = session.peer();
    assert_eq!(peer.to_string(), peer.id().to_string());
    assert_eq!(
        format!("{peer}").parse::<crossws_core::PeerId>().unwrap(),
        peer.id()
    );
    let debug = format!("{peer:?}");
    assert!(debug.contains(&peer.to_string()) && debug.contains("/room"));
    assert!(!debug.contains("secret"), "{debug}");
}

#[test]
fn a_peer_tells_what_it_was_created_with() {
    let hub = Hub::default();
    let addr = "192.0.2.1:7".parse().ok();
    let request = crate::common::request_with("/a?b=c", &[("x-y", "z")])
        .with_remote_addr(addr)
        .with_secure(true);
    let accepted = crate::common::upgrade(&hub, &Arc::new(hooks()), request).unwrap();
    let joined = accepted.join(Wire::default().transport()).unwrap();
    let peer = joined.peer();
    assert_eq!(peer.remote_addr(), addr);
    assert_eq!(peer.request().header("X-Y"), Some("z"));
    assert_eq!(peer.request().query(), Some("b=c"));
    assert_eq!(peer.request().url(), "https://example.org/a?b=c");
    assert_eq!(peer.request().websocket_url(), "wss://example.org/a?b=c");
    assert_eq!(peer.negotiated_extensions(), "permessage-test");
    assert_eq!(peer.hub().peers(), std::slice::from_ref(peer));
}

#[test]
fn sending_says_queued_full_or_closed_and_hands_the_message_back() {
    let hub = Hub::default();
    let (session, wire) = open(&hub, &Arc::new(hooks()), "/");
    let peer = session.peer().clone();
    peer.send("text").unwrap();
    peer.send(vec![104u8, 105]).unwrap();
    peer.send(Bytes::from_static(b"hi")).unwrap();
    peer.send(Json(user("ann"))).unwrap();
    peer.send(Message::from("whole")).unwrap();
    assert_eq!(
        wire.texts(),
        ["text", "hi", "hi", r#"{"name":"ann"}"#, "whole"]
    );

    let bad = HashMap::from([((1, 2), 3)]);
    assert!(matches!(peer.send(Json(&bad)), Err(SendError::Encode(_))));
    wire.mode(Mode::Full);
    let error = peer.send("lost").unwrap_err();
    assert!(matches!(error, SendError::Full(_)));
    assert_eq!(error.into_message().unwrap(), Message::from("lost"));
    assert_eq!(peer.dropped(), 1);
    wire.mode(Mode::Take);
    wire.buffer(42);
    assert_eq!(peer.buffered_amount(), 42);

    peer.close(crossws_core::CloseCode::NORMAL, "");
    let error = peer.send("late").unwrap_err();
    assert_eq!(error.into_message().unwrap(), Message::from("late"));
    assert_eq!(peer.ping("x"), Err(ControlError::Closed));
    assert_eq!(wire.take(), [Out::Close(1000, String::new())]);
}

#[test]
fn control_frames_hold_125_bytes() {
    let hub = Hub::default();
    let (session, wire) = open(&hub, &Arc::new(hooks()), "/");
    let peer = session.peer();
    peer.ping(vec![0; 125]).unwrap();
    peer.pong("p").unwrap();
    assert_eq!(wire.take().len(), 2);
    assert_eq!(peer.ping(vec![0; 126]), Err(ControlError::TooLong(126)));
    assert_eq!(peer.pong(vec![0; 126]), Err(ControlError::TooLong(126)));
    assert_eq!(wire.take(), []);
}

#[test]
fn a_transport_without_topics_says_so() {
    let hub = Hub::default();
    let wire = Wire::without(Capabilities::PUBSUB);
    let with_topic = Arc::new(hooks());
    let joined = accept(&hub, &with_topic, "/")
        .join(wire.transport())
        .unwrap();
    let session = block_on(joined.open());
    let peer = session.peer();
    assert_eq!(peer.subscribe("a"), Err(SubscribeError::Unsupported));
    assert!(!peer.unsubscribe("a"));
    for result in [peer.publish("a", "x"), peer.broadcast("x")] {
        assert!(matches!(result, Err(PublishError::Unsupported)));
    }
}

#[test]
fn names_and_topics_have_limits_that_errors_name() {
    let limits = crossws_core::Limits::default()
        .max_topics(2)
        .max_name_len(5);
    let hub = Hub::builder().limits(limits).build();
    let (session, _wire) = open(&hub, &Arc::new(hooks()), "/");
    let peer = session.peer();
    let too_long = SubscribeError::NameTooLong { len: 6, most: 5 };
    assert_eq!(peer.subscribe("123456"), Err(too_long.clone()));
    assert!(too_long.to_string().contains('6') && too_long.to_string().contains('5'));
    assert_eq!(peer.subscribe("12345"), Ok(true));
    assert_eq!(peer.subscribe(""), Ok(true));
    assert_eq!(peer.subscribe("a"), Err(SubscribeError::TooMany(2)));
    assert_eq!(peer.subscribe(""), Ok(false), "it already is");
    assert!(peer.unsubscribe(""));
    assert_eq!(peer.subscribe("a"), Ok(true));
    assert_eq!(peer.topics(), ["12345".into(), "a".into()]);

    let none = crossws_core::Limits::default().max_topics(0);
    let hub = Hub::builder().limits(none).build();
    let (session, _wire) = open(&hub, &Arc::new(hooks()), "/");
    let refused = session.peer().subscribe("a");
    assert_eq!(refused, Err(SubscribeError::TooMany(0)));
    assert!(hub.in_namespace("/").topics().is_empty());
}

#[test]
fn all_topics_of_a_hub_have_a_bound() {
    let limits = crossws_core::Limits::default().max_hub_topics(3);
    let hub = Hub::builder().limits(limits).build();
    let hooks = Arc::new(hooks());
    let (one, _wire) = open(&hub, &hooks, "/1");
    let (two, _wire) = open(&hub, &hooks, "/1");
    let (other, _wire) = open(&hub, &hooks, "/2");
    assert_eq!(one.peer().subscribe("a"), Ok(true));
    assert_eq!(one.peer().subscribe("b"), Ok(true));
    assert_eq!(other.peer().subscribe("a"), Ok(true), "another topic");
    let full = SubscribeError::HubFull(3);
    assert_eq!(other.peer().subscribe("b"), Err(full.clone()));
    assert!(full.to_string().contains('3'));
    assert_eq!(other.peer().topics(), ["a".into()], "nothing is left of it");
    assert_eq!(two.peer().subscribe("a"), Ok(true), "it exists already");

    // A topic counts until its last member has left, in any way.
    assert!(one.peer().unsubscribe("a"));
    assert_eq!(other.peer().subscribe("b"), Err(full.clone()));
    assert!(two.peer().unsubscribe("a"));
    assert_eq!(other.peer().subscribe("b"), Ok(true));
    assert_eq!(two.peer().subscribe("c"), Err(full));
    drop(other);
    assert_eq!(two.peer().subscribe("c"), Ok(true));
    one.peer().terminate();
    assert_eq!(two.peer().subscribe("d"), Ok(true));
    assert_eq!(two.peer().subscribe("e"), Ok(true));
}

#[test]
fn a_handle_kept_too_long_does_not_touch_its_successor() {
    let hub = Hub::default();
    let id = crossws_core::PeerId::from_u128(1);
    let hooks = Arc::new(hooks().on_upgrade(move |_| async move { Ok(Upgrade::new().id(id)) }));
    let (old, _wire) = open(&hub, &hooks, "/");
    let stale = old.peer().clone();
    stale.subscribe("room").unwrap();
    drop(old);
    let (session, wire) = open(&hub, &hooks, "/");
    let peer = session.peer();
    peer.subscribe("room").unwrap();

    assert!(stale.topics().is_empty());
    assert!(!stale.is_subscribed("room"));
    assert_eq!(stale.subscribe("other"), Err(SubscribeError::Closed));
    assert!(!stale.unsubscribe("room"));
    assert_eq!(hub.in_namespace("/").count("room"), 1);
    assert_ne!(stale, *peer);
    // The old connection's farewell reaches the new one: they are two peers.
    assert_eq!(stale.publish("room", "farewell").unwrap().queued, 1);
    assert_eq!(peer.publish("room", "to others").unwrap().queued, 0);
    assert_eq!(wire.texts(), ["farewell"]);
    stale.terminate();
    assert_eq!(hub.peer(id), Some(peer.clone()));
    drop(session);
    assert_empty(&hub);
}

#[test]
fn drained_resolves_at_once_for_an_empty_queue_or_a_closed_peer() {
    let hub = Hub::default();
    let (session, wire) = open(&hub, &Arc::new(hooks()), "/");
    let peer = session.peer().clone();
    assert!(ready(peer.drained(0)).is_some());
    wire.buffer(1);
    assert!(ready(peer.drained(0)).is_none());
    drop(session);
    assert!(ready(peer.drained(0)).is_some());
    assert!(ready(peer.closed()).is_some());
}

#[test]
fn the_options_of_a_message_reach_the_transport_with_it() {
    let plain = SendOptions::new();
    assert!(plain.may_compress() && !plain.is_volatile() && plain.replaces().is_none());
    let all = SendOptions::new().uncompressed().volatile().key("at");
    assert!(!all.may_compress() && all.is_volatile());
    assert_eq!(all.replaces().map(|key| &**key), Some("at"));

    let hub = Hub::default();
    let app = Arc::new(hooks());
    let (ann, ann_wire) = open(&hub, &app, "/");
    let (bob, bob_wire) = open(&hub, &app, "/");
    for peer in [ann.peer(), bob.peer()] {
        peer.subscribe("t").unwrap();
    }
    let told = ann.peer().to("t").volatile().key("at").send("1").unwrap();
    assert_eq!(
        (told.queued, ann_wire.texts(), bob_wire.texts()),
        (1, vec![], vec!["1".to_owned()])
    );
    let told = ann.peer().to("t").including_self().send("2").unwrap();
    assert_eq!(told.queued, 2);
    let told = ann.peer().to_all().send("3").unwrap();
    assert_eq!(told.queued, 1);
    let told = hub
        .in_namespace("/")
        .topic("t")
        .uncompressed()
        .send("4")
        .unwrap();
    assert_eq!(told.queued, 2);
    let told = hub
        .in_all_namespaces()
        .all()
        .including_self()
        .send("5")
        .unwrap();
    assert_eq!(told.queued, 2, "no peer publishes, so none is left out");
    ann.peer().send_with("6", all).unwrap();
}

#[test]
fn a_closure_may_end_in_any_result() {
    let hub = Hub::default();
    let app = hooks()
        .on_open(|peer| async move { peer.publish("t", "opened") })
        .on_message(|peer, message| async move {
            peer.subscribe("t")?;
            peer.send(message)?;
            crossws_core::ok()
        })
        .on_drain(|_| async { "x".parse::<u8>() });
    let (mut session, wire) = open(&hub, &Arc::new(app), "/");
    block_on(session.message("echo".into()));
    assert_eq!(wire.texts(), ["echo"]);
    block_on(session.drain());
    assert_eq!(wire.closes(), [1011]);
}

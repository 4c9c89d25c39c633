//! Messages that topics retain: their bound, their lifetime, and the store of a platform that sleeps.

use std::sync::{Arc, Mutex};

use crossws_core::adapter::{RetainedBy, RetainedMessage, RetainedStore};
use crossws_core::{
    Capabilities, Formats, Hub, Limits, Message, PublishError, Published, RetainError, hooks,
};

use crate::common::{Wire, assert_empty, open, open_speaking, request, upgrade};

/// Retains a text of the hub's in `price`, in `/`.
fn retain(hub: &Hub, text: &str) -> Result<Published, PublishError> {
    hub.in_namespace("/").topic("price").retained().send(text)
}

fn refused(sent: Result<Published, PublishError>) -> RetainError {
    match sent {
        Err(PublishError::Retain(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_bytes_are_counted_and_bounded_and_given_back() {
    let limits = Limits::default().max_retained(2 * (256 + 5 + 10));
    let hub = Hub::builder().limits(limits).build();
    let (listener, wire) = open(&hub, &Arc::new(hooks()), "/");
    listener.peer().subscribe("price").unwrap();
    assert_eq!(retain(&hub, "0123456789").unwrap().queued, 1);
    assert_eq!(hub.stats().retained, 256 + 5 + 10);
    // The earlier one counts until it is replaced.
    assert_eq!(retain(&hub, "01234").unwrap().queued, 1);
    assert_eq!(hub.stats().retained, 256 + 5 + 5);
    let full = refused(retain(&hub, "0123456789012345"));
    assert_eq!(full, RetainError::Full { most: 542 });
    assert_eq!(hub.stats().retained, 256 + 5 + 5);
    assert_eq!(wire.texts(), ["0123456789", "01234"], "neither sent");
    let kept = hub.in_namespace("/").retained("price").unwrap();
    assert_eq!(kept, Message::from("01234"));
    assert_eq!(hub.in_all_namespaces().clear_retained("price"), 1);
    assert_eq!(hub.stats().retained, 0);
}

#[test]
fn what_peers_retain_is_given_back_with_the_last_of_them() {
    let hub = Hub::default();
    let hooks = Arc::new(hooks());
    let [ann, bob] = [(); 2].map(|()| open(&hub, &hooks, "/"));
    ann.0.peer().to("a").retained().send("1").unwrap();
    bob.0.peer().to(["b", "c"]).retained().send("2").unwrap();
    retain(&hub, "3").unwrap();
    let scope = hub.in_namespace("/");
    assert_eq!(scope.retained_topics().len(), 4);
    assert!(scope.topics().is_empty(), "without subscribers");
    drop(ann);
    assert_eq!(scope.retained_topics().len(), 4);
    drop(bob);
    assert_eq!(*scope.retained_topics(), [Arc::from("price")]);
    assert_eq!(hub.stats().retained, 256 + 5 + 1);
    assert!(hub.namespaces().is_empty());
    scope.clear_retained("price");
    assert_empty(&hub);
    assert_eq!(hub.stats().retained, 0);
}

#[test]
fn the_hubs_message_gives_way_to_a_peers_and_goes_with_it() {
    let hub = Hub::default();
    retain(&hub, "hub's").unwrap();
    let (ann, _) = open(&hub, &Arc::new(hooks()), "/");
    ann.peer().to("price").retained().send("peer's").unwrap();
    drop(ann);
    assert!(hub.in_namespace("/").retained("price").is_none());
    assert_eq!(hub.stats().retained, 0);
    assert_empty(&hub);
}

#[test]
fn a_namespace_of_the_hubs_counts_as_one() {
    let limits = Limits::default().max_namespaces(1);
    let hub = Hub::builder().limits(limits).build();
    retain(&hub, "1").unwrap();
    let elsewhere = hub.in_namespace("/b").topic("price").retained().send("2");
    assert_eq!(refused(elsewhere), RetainError::Namespaces(1));
    assert!(hub.in_namespace("/b").retained("price").is_none());
    assert_eq!(hub.stats().retained, 256 + 5 + 1);
    let long = "n".repeat(256);
    let sent = hub.in_namespace("/").topic(&long).retained().send("3");
    let error = RetainError::NameTooLong {
        len: 256,
        most: 255,
    };
    assert_eq!(refused(sent), error);
}

#[test]
fn only_a_message_to_all_subscribers_of_one_namespace_is_retained() {
    let hub = Hub::default();
    let (ann, _) = open(&hub, &Arc::new(hooks()), "/");
    ann.peer().subscribe("a").unwrap();
    let peer = ann.peer();
    let scope = hub.in_namespace("/");
    let all = [
        peer.to_all().retained().send("x"),
        peer.to_own_topics().retained().send("x"),
        peer.to("a").retained().tagged("t").send("x"),
        peer.to("a").retained().except_tagged("t").send("x"),
        peer.to("a").except_identity("i").retained().send("x"),
        peer.to("a").retained().send_each(|_| Some("x")),
        scope.all().retained().send("x"),
        hub.in_all_namespaces().topic("a").retained().send("x"),
    ];
    for sent in all {
        assert_eq!(refused(sent), RetainError::Audience);
    }
    let lacks = Hub::builder().lacks(Capabilities::RETAINED).build();
    assert_eq!(refused(retain(&lacks, "x")), RetainError::Unsupported);
}

#[test]
fn a_volatile_message_is_retained_like_any_other() {
    let hub = Hub::default();
    let to = hub.in_namespace("/").topic("price");
    to.volatile().retained().send("1").unwrap();
    let (ann, wire) = open(&hub, &Arc::new(hooks()), "/");
    ann.peer().subscribe("price").unwrap();
    assert_eq!((wire.texts(), wire.volatile()), (vec!["1".into()], 0));
}

#[derive(Default, Clone)]
struct Store(Arc<Mutex<Vec<String>>>);

impl RetainedStore for Store {
    fn max_len(&self) -> usize {
        10
    }

    fn max_names_len(&self) -> usize {
        10
    }

    fn put(&self, message: RetainedMessage) {
        let RetainedMessage { topic, by, .. } = message;
        self.0.lock().unwrap().push(format!("put {topic} {by:?}"));
    }

    fn remove(&self, namespace: &str, topic: &str) {
        let removed = format!("remove {namespace} {topic}");
        self.0.lock().unwrap().push(removed);
    }
}

#[test]
fn a_store_is_told_of_each_change_and_restores_without_sending() {
    let store = Store::default();
    let hub = Hub::builder().retained_store(store.clone()).build();
    let (ann, wire) = open(&hub, &Arc::new(hooks()), "/");
    let peer = ann.peer();
    peer.subscribe("a").unwrap();
    peer.to("a").retained().send("1").unwrap();
    retain(&hub, "2").unwrap();
    let long = RetainError::TooLong { len: 11, most: 10 };
    assert_eq!(refused(retain(&hub, "01234567890")), long);
    let restored = |namespace: &str, topic: &str, by| {
        hub.restore_retained(RetainedMessage::new(namespace, topic, "old".into(), by));
    };
    restored("/", "a", RetainedBy::Peer);
    restored("/", "b", RetainedBy::Peer);
    restored("/gone", "c", RetainedBy::Peer);
    restored("/empty", "d", RetainedBy::Hub);
    let kept = |namespace, topic| {
        let message = hub.in_namespace(namespace).retained(topic);
        message.map(|message| message.text().unwrap().to_owned())
    };
    assert_eq!(kept("/", "a").as_deref(), Some("1"), "the newer one stays");
    assert_eq!(kept("/", "b").as_deref(), Some("old"));
    assert_eq!(kept("/gone", "c"), None);
    assert_eq!(kept("/empty", "d").as_deref(), Some("old"));
    assert!(wire.texts().is_empty());
    drop(ann);
    hub.in_namespace("/").clear_retained("price");
    let told = [
        "put a Peer",
        "put price Hub",
        "remove /gone c",
        "remove / a",
        "remove / b",
        "remove / price",
    ];
    assert_eq!(*store.0.lock().unwrap(), told);
}

#[test]
fn names_that_a_store_has_no_room_for_are_refused_before_anything_is_sent() {
    let store = Store::default();
    let hub = Hub::builder().retained_store(store.clone()).build();
    let (ann, wire) = open(&hub, &Arc::new(hooks()), "/a");
    ann.peer().subscribe("12345678").unwrap();
    ann.peer().subscribe("123456789").unwrap();
    let retain = |topic| hub.in_namespace("/a").topic(topic).retained().send("1");
    retain("12345678").unwrap();
    let error = RetainError::NamesTooLong {
        namespace: 2,
        topic: 9,
        most: 10,
    };
    assert_eq!(refused(retain("123456789")), error);
    assert_eq!(wire.texts(), ["1"]);
    assert_eq!(*store.0.lock().unwrap(), ["put 12345678 Hub"]);
}

/// A store that asks the hub, as one that counts or compares would.
#[derive(Default, Clone)]
struct Curious(Arc<Mutex<(Option<Hub>, Vec<String>)>>);

impl Curious {
    fn look(&self, call: &str) {
        let mut state = self.0.lock().unwrap();
        let (hub, seen) = &mut *state;
        let Some(hub) = hub else {
            return;
        };
        let namespace = hub.in_namespace("/");
        let kept = namespace.retained("price").map(|it| it.to_string());
        let kept = kept.unwrap_or_default();
        seen.push(format!("{call} {kept:?} of {}", namespace.peer_count()));
    }
}

impl RetainedStore for Curious {
    fn put(&self, _: RetainedMessage) {
        self.look("put");
    }

    fn remove(&self, _: &str, _: &str) {
        self.look("remove");
    }
}

#[test]
fn a_store_is_called_under_no_lock_of_the_hub() {
    let store = Curious::default();
    let hub = Hub::builder().retained_store(store.clone()).build();
    store.0.lock().unwrap().0 = Some(hub.clone());
    let (ann, _) = open(&hub, &Arc::new(hooks()), "/");
    ann.peer().to("price").retained().send("1").unwrap();
    ann.peer().to("price").retained().send("2").unwrap();
    hub.in_all_namespaces().clear_retained("price");
    ann.peer().to("price").retained().send("3").unwrap();
    drop(ann);
    let (_, seen) = std::mem::take(&mut *store.0.lock().unwrap());
    let expected = [
        r#"put "" of 1"#,
        r#"put "1" of 1"#,
        r#"remove "" of 1"#,
        r#"put "" of 1"#,
        r#"remove "" of 0"#,
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_message_is_cleared_in_each_of_many_namespaces() {
    let hub = Hub::default();
    for at in 0..200 {
        let namespace = format!("/{at}");
        let to = hub.in_namespace(&namespace).topic("price");
        to.retained().send("1").unwrap();
    }
    assert_eq!(hub.in_all_namespaces().clear_retained("price"), 200);
    assert_empty(&hub);
}

#[test]
fn a_restored_peer_gets_no_retained_message_again() {
    let hub = Hub::default();
    retain(&hub, "1").unwrap();
    let wire = Wire::sleepy(10_000);
    let accepted = upgrade(&hub, &Arc::new(hooks()), request("/")).unwrap();
    let joined = accepted.join(wire.transport()).unwrap();
    joined.peer().subscribe("price").unwrap();
    let stored = wire.stored().unwrap();
    assert_eq!(wire.texts(), ["1"]);
    drop(joined);
    let again = Wire::sleepy(10_000);
    let restored = hub.restore(&stored, again.transport()).unwrap();
    assert!(restored.peer().is_subscribed("price"));
    assert!(again.texts().is_empty());
}

#[derive(Default, Clone)]
struct Last(Arc<Mutex<Option<RetainedMessage>>>);

impl RetainedStore for Last {
    fn put(&self, message: RetainedMessage) {
        *self.0.lock().unwrap() = Some(message);
    }

    fn remove(&self, _: &str, _: &str) {}
}

#[test]
fn a_message_in_several_formats_is_retained_in_each_and_outlives_a_sleep() {
    let formats = Formats::from_iter([(Arc::from("b"), Message::from("two"))]);
    let limits = Limits::default().max_retained(256 + 5 + 6);
    let store = Last::default();
    let hub = Hub::builder().limits(limits).retained_store(store.clone());
    let hub = hub.build();
    let to = hub.in_namespace("/").topic("price").retained();
    to.send_formats("one".into(), formats).unwrap();
    assert_eq!(hub.stats().retained, 256 + 5 + 6);
    let woken = Hub::default();
    woken.restore_retained(store.0.lock().unwrap().take().unwrap());
    for hub in [hub, woken] {
        for (offer, expected) in [("a", "one"), ("b", "two")] {
            let wire = Wire::default();
            let session = open_speaking(&hub, offer, &wire);
            session.peer().subscribe("price").unwrap();
            assert_eq!(wire.texts(), [expected]);
        }
    }
}

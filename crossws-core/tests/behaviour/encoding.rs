//! A publication is encoded once for each wire format, and without the topic's lock if that takes
//! long.

use std::cell::RefCell;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use crossws_core::adapter::{Encoding, Publication, Session, Wire as Format};
use crossws_core::{Formats, HooksBuilder, Hub, Message, hooks};
use futures_lite::future::block_on;

use crate::common::{Wire, accept, open_speaking};

/// The text in capitals and the variant, while another thread asks the hub about the topic.
struct Upper;

/// Variants from here on take long.
const SLOW: u64 = 10;

impl Encoding for Upper {
    fn append(variant: u64, publication: &Publication, to: &mut Vec<u8>) {
        let text = publication.message().to_string().to_uppercase();
        to.extend(format!("{text}{variant}").into_bytes());
        let hub = RUNS.with_borrow_mut(|runs| {
            runs.variants.push(variant);
            runs.hub.clone()
        });
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            // It asks now, however long the machine took to begin it.
            sender.send(0)?;
            sender.send(hub.map_or(0, |hub| hub.in_namespace("/").count("t")))
        });
        assert_eq!(receiver.recv(), Ok(0));
        let patience = if variant < SLOW { 50 } else { 10_000 };
        let answer = receiver.recv_timeout(Duration::from_millis(patience));
        RUNS.with_borrow_mut(|runs| runs.unlocked.push(answer.is_ok()));
    }

    fn takes_long(variant: u64, _: &Publication) -> bool {
        variant >= SLOW
    }
}

#[derive(Default)]
struct Runs {
    hub: Option<Hub>,
    variants: Vec<u64>,
    /// Whether the other thread got its answer meanwhile.
    unlocked: Vec<bool>,
}

thread_local! {
    /// The state of the publisher.
    static RUNS: RefCell<Runs> = RefCell::default();
}

fn subscriber(hub: &Hub, variant: u64) -> (Session<HooksBuilder>, Wire) {
    let wire = Wire::reading(Format::new::<Upper>(variant));
    let accepted = accept(hub, &Arc::new(hooks()), "/");
    let session = block_on(accepted.join(wire.transport()).unwrap().open());
    session.peer().subscribe("t").unwrap();
    (session, wire)
}

fn runs(hub: &Hub, publish: impl FnOnce()) -> Runs {
    RUNS.set(Runs {
        hub: Some(hub.clone()),
        ..Runs::default()
    });
    publish();
    RUNS.take()
}

#[test]
fn a_slow_encoding_does_not_hold_the_topics_lock() {
    let hub = Hub::default();
    let subscribers = [SLOW, SLOW + 1, SLOW, SLOW + 1].map(|variant| subscriber(&hub, variant));
    let seen = runs(&hub, || {
        hub.in_namespace("/").publish("t", "a").unwrap();
    });
    assert_eq!(seen.unlocked, [true, true]);
    assert_eq!(seen.variants, [SLOW, SLOW + 1], "once each");
    let texts = subscribers
        .each_ref()
        .map(|(_, wire)| wire.texts().concat());
    assert_eq!(texts, ["A10", "A11", "A10", "A11"]);
}

#[test]
fn the_first_message_of_a_subscriber_is_encoded_without_locks_of_publishers() {
    let hub = Hub::default();
    let to = hub.in_namespace("/").topic("t");
    to.retained().send("a").unwrap();
    let mut joined = None;
    let seen = runs(&hub, || joined = Some(subscriber(&hub, SLOW)));
    assert_eq!((seen.unlocked, seen.variants), (vec![true], vec![SLOW]));
    let (session, wire) = joined.unwrap();
    assert_eq!(wire.texts(), ["a"]);
    let again = runs(&hub, || _ = session.peer().subscribe("t").unwrap());
    assert!(again.variants.is_empty(), "it is a subscriber already");
}

#[test]
fn what_does_not_is_done_under_the_lock() {
    let hub = Hub::default();
    let (_session, wire) = subscriber(&hub, 0);
    let seen = runs(&hub, || {
        hub.in_namespace("/").publish("t", "a").unwrap();
    });
    // So that the other test would see it.
    assert_eq!(seen.unlocked, [false]);
    assert_eq!(wire.texts(), ["A0"]);
}

#[test]
fn nothing_is_encoded_for_its_author_alone() {
    let hub = Hub::default();
    let (author, wire) = subscriber(&hub, SLOW);
    let seen = runs(&hub, || {
        author.peer().publish("t", "a").unwrap();
    });
    assert!(seen.variants.is_empty());
    let seen = runs(&hub, || {
        author.peer().to("t").including_self().send("b").unwrap();
    });
    assert_eq!(seen.variants, [SLOW]);
    assert_eq!(wire.texts(), ["B10"]);
}

/// Publishes in three formats.
type Publish = fn(&Hub, Message, Formats);

#[test]
fn each_format_that_is_read_is_encoded_once_and_without_a_lock() {
    let publish: [Publish; 3] = [
        |hub, first, others| {
            let to = hub.in_namespace("/").topic("t");
            to.send_formats(first, others).unwrap();
        },
        |hub, first, others| {
            let to = hub.in_namespace("/").topic(["t", "u"]).retained();
            to.send_formats(first, others).unwrap();
        },
        |hub, first, others| {
            let told = hub.identity("ann").send_formats(first, others).unwrap();
            assert_eq!(told.queued, 4);
        },
    ];
    for publish in publish {
        let hub = Hub::default();
        let subscribers = ["a", "b", "b", "a"].map(|protocol| {
            let wire = Wire::reading(Format::new::<Upper>(SLOW));
            let session = open_speaking(&hub, protocol, &wire);
            session.peer().subscribe("t").unwrap();
            session.peer().set_identity("ann").unwrap();
            (session, wire)
        });
        let others = ["b", "c"].map(|name| (name.into(), name.into()));
        let others = Formats::from_iter(others);
        let seen = runs(&hub, || publish(&hub, "first".into(), others));
        assert_eq!(seen.unlocked, [true, true]);
        assert_eq!(seen.variants, [SLOW, SLOW], "once for each, and none for c");
        let texts = subscribers.each_ref().map(|(_, wire)| wire.texts());
        assert_eq!(texts, [["first"], ["b"], ["b"], ["first"]]);
    }
}

//! Observers that send what they observe.

use std::sync::Arc;

use crossws_core::{DropCause, Dropped, Emitted, Hub, Observer, Peer, hooks};

use crate::common::{Log, open, open_events};

/// Sends a message for every message, in a hub or to a peer.
struct Answers {
    log: Log,
    /// The hub that it publishes in, once there is one.
    hub: Arc<std::sync::OnceLock<Hub>>,
}

impl Answers {
    fn publish(&self, text: &str) {
        if let Some(hub) = self.hub.get() {
            let _ = hub.in_namespace("/").publish("log", text);
        }
    }
}

impl Observer for Answers {
    fn emitted(&self, it: &Emitted<'_>) {
        self.log.add(format!("emitted {}", it.message));
        self.publish("more");
    }

    fn dropped(&self, peer: &Peer, _: Dropped) {
        self.log.add("dropped");
        let _ = peer.send("you lost a message");
        self.publish("lost");
    }
}

/// Returns a hub, whose observer publishes in this or another one.
fn answering(hub: &Arc<std::sync::OnceLock<Hub>>, log: &Log) -> Hub {
    let (hub, log) = (Arc::clone(hub), log.clone());
    Hub::builder().observer(Answers { log, hub }).build()
}

#[test]
fn what_an_observer_publishes_is_delivered_and_counted_and_not_reported() {
    let (of, log) = (Arc::default(), Log::default());
    let hub = answering(&of, &log);
    assert!(of.set(hub.clone()).is_ok());
    let app = Arc::new(hooks().on_open(|peer| async move { peer.subscribe("log").map(drop) }));
    let (ann, wire) = open(&hub, &app, "/");
    for text in ["1", "2"] {
        hub.in_namespace("/").publish("log", text).unwrap();
    }
    assert_eq!(log.take(), ["emitted 1", "emitted 2"]);
    assert_eq!(wire.take().len(), 4);
    assert_eq!(hub.stats().traffic.unwrap().sent, 4);
    drop(ann);
}

#[test]
fn what_an_observer_sends_for_a_loss_is_delivered_and_not_reported() {
    let (of, log) = (Arc::default(), Log::default());
    let hub = answering(&of, &log);
    assert!(of.set(hub.clone()).is_ok());
    let app = Arc::new(hooks().on_open(|peer| async move { peer.subscribe("log").map(drop) }));
    let (session, events) = open_events(&hub, &app);
    events.dropped(Dropped::new(1, DropCause::Volatile));
    assert_eq!(log.take(), ["dropped"]);
    assert_eq!(hub.stats().traffic.unwrap().sent, 2);
    events.dropped(Dropped::new(1, DropCause::Volatile));
    assert_eq!(log.take(), ["dropped"], "and later ones are reported");
    drop(session);
}

/// Two hubs, each of whose observers publishes in the other.
#[test]
fn two_observers_that_publish_in_each_others_hubs_are_told_once_each() {
    let (of_one, of_other, log) = (Arc::default(), Arc::default(), Log::default());
    let (one, other) = (answering(&of_one, &log), answering(&of_other, &log));
    assert!(of_one.set(other).is_ok() && of_other.set(one.clone()).is_ok());
    one.in_namespace("/").publish("log", "1").unwrap();
    assert_eq!(log.take(), ["emitted 1", "emitted more"]);
}

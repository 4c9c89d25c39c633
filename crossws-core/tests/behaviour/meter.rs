//! The traffic of a connection, once the application asks for it.

use std::sync::Arc;
use std::time::Duration;

use crossws_core::adapter::MeterCell;
use crossws_core::{Bytes, Capabilities, Hub, Limits, Message, PeerStats, hooks};
use futures_lite::future::block_on;

use crate::common::{Wire, accept, open, wall_clock};

#[test]
fn counting_begins_when_it_is_asked_for() {
    let hub = Hub::default();
    let (mut session, wire) = open(&hub, &Arc::new(hooks()), "/");
    let peer = session.peer().clone();
    block_on(session.message(Message::from("before")));
    peer.send("before").unwrap();
    assert!(wire.meter().get().is_none(), "nothing is kept");
    let stats = peer.stats();
    assert_eq!(stats.since, Some(wall_clock()));
    assert_eq!((stats.received.messages, stats.sent.messages), (0, 0));
    block_on(session.message(Message::from("four")));
    block_on(session.message(Message::from("to")));
    peer.send("three").unwrap();
    let stats = peer.stats();
    assert_eq!((stats.received.messages, stats.received.bytes), (2, 6));
    assert_eq!((stats.sent.messages, stats.sent.bytes), (1, 5));
    assert_eq!(stats.rtt, None);
    let meter = wire.meter().get().unwrap();
    meter.pinged(Bytes::from_static(b"a"), Duration::from_millis(10));
    meter.ponged(b"a", Duration::from_millis(15));
    assert_eq!(peer.rtt(), Some(Duration::from_millis(5)));
    assert_eq!(peer.stats().rtt, peer.rtt());
}

#[test]
fn counting_begins_with_the_connection_if_its_limits_say_so() {
    let limits = Limits::default().count_traffic(true);
    let hub = Hub::builder().limits(limits).build();
    let (mut session, _wire) = open(&hub, &Arc::new(hooks()), "/");
    block_on(session.message(Message::from("first")));
    assert_eq!(session.peer().stats().received.messages, 1);
}

#[test]
fn inside_the_hook_the_count_is_the_messages_number() {
    let limits = Limits::default().count_traffic(true);
    let hub = Hub::builder().limits(limits).build();
    let hooks = hooks()
        .on_message(|peer, _| async move { peer.send(peer.stats().received.messages.to_string()) });
    let (mut session, wire) = open(&hub, &Arc::new(hooks), "/");
    for _ in 0..2 {
        block_on(session.message(Message::from("")));
    }
    assert_eq!(wire.texts(), ["1", "2"]);
}

#[test]
fn a_transport_that_does_not_count_says_so() {
    let hub = Hub::default();
    let wire = Wire::without(Capabilities::NONE).uncounted();
    let joined = accept(&hub, &Arc::new(hooks()), "/").join(wire.transport());
    let joined = joined.unwrap();
    assert_eq!(joined.peer().stats(), PeerStats::default());
    assert_eq!(joined.peer().rtt(), None);
}

#[test]
fn a_cell_keeps_its_first_meter() {
    let cell = MeterCell::default();
    assert!(cell.get().is_none());
}

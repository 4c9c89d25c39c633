//! The end of a hub: every peer is closed, no new one joins, and the last close hook is awaited.

use std::sync::Arc;

use crossws_core::{CloseCode, CloseFrame, Closed, ClosedBy, Hub, hooks};

use crate::common::{Gate, Hand, Wire, accept, assert_empty, open};

fn frame() -> CloseFrame {
    CloseFrame::new(CloseCode::new(4012).unwrap(), "moving")
}

#[test]
fn a_shutdown_closes_every_peer_and_idle_waits_for_the_last_close_hook() {
    let (hub, gate) = (Hub::default(), Gate::default());
    let wait = gate.clone();
    let hooks = Arc::new(hooks().on_close(move |_, _| {
        let wait = wait.clone();
        async move { wait.passed().await }
    }));
    let (one, one_wire) = open(&hub, &hooks, "/a");
    let (two, two_wire) = open(&hub, &hooks, "/b");
    assert!(!hub.is_shutting_down());
    hub.shutdown(frame());
    assert!(hub.is_shutting_down());
    assert_eq!(
        (one_wire.closes(), two_wire.closes()),
        (vec![4012], vec![4012])
    );
    let mut idle = Hand::new(hub.idle());
    idle.pending();
    drop(one);
    idle.pending();
    let closed = Closed::by_us(&frame(), ClosedBy::Server, true);
    let mut closing = Hand::new(two.close(closed));
    closing.pending();
    idle.pending();
    gate.open();
    closing.done();
    idle.done();
    drop(idle);
    assert_empty(&hub);
}

#[test]
fn a_second_shutdown_changes_nothing() {
    let hub = Hub::default();
    let (_session, wire) = open(&hub, &Arc::new(hooks()), "/");
    hub.shutdown(frame());
    hub.shutdown(CloseFrame::from(CloseCode::NORMAL));
    assert_eq!(wire.closes(), [4012]);
}

#[test]
fn a_peer_accepted_before_a_shutdown_does_not_join_after_it() {
    let hub = Hub::default();
    let accepted = accept(&hub, &Arc::new(hooks()), "/");
    hub.shutdown(frame());
    let mut idle = Hand::new(hub.idle());
    idle.pending();
    let wire = Wire::default();
    let refused = accepted.join(wire.transport()).unwrap_err();
    idle.done();
    assert_eq!(refused, frame(), "the shutdown's own frame");
    assert_empty(&hub);
}

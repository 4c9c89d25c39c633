//! Sends that wait for room: in order, and nothing is queued for a send that is dropped.

use std::sync::Arc;

use crossws_core::{CloseCode, Hub, SendError, hooks};

use crate::common::{Hand, Mode, join, open};

#[test]
fn a_message_waits_for_room_and_others_behind_it() {
    let hub = Hub::default();
    let (joined, wire) = join(&hub, &Arc::new(hooks()), "/");
    let (events, peer) = (joined.lifeline(), joined.peer().clone());
    wire.buffer(1 << 20);
    let mut first = Hand::new(peer.send_when_ready("first"));
    let mut second = Hand::new(peer.send_when_ready("second"));
    first.pending();
    second.pending();
    peer.send("at once").unwrap();
    assert_eq!(wire.texts(), ["at once"]);
    // Half of the bound is still used.
    wire.buffer(600 << 10);
    events.drained();
    first.pending();
    wire.buffer(0);
    events.drained();
    second.pending();
    first.done().unwrap();
    second.done().unwrap();
    assert_eq!(wire.texts(), ["first", "second"]);
    let mut third = Hand::new(peer.send_when_ready("third"));
    third.done().unwrap();
}

#[test]
fn a_send_that_is_dropped_queues_nothing_and_lets_the_next_go_on() {
    let hub = Hub::default();
    let (joined, wire) = join(&hub, &Arc::new(hooks()), "/");
    let (events, peer) = (joined.lifeline(), joined.peer().clone());
    wire.buffer(1 << 20);
    let mut first = Hand::new(peer.send_when_ready("first"));
    let mut second = Hand::new(peer.send_when_ready("second"));
    let mut third = Hand::new(peer.send_when_ready("third"));
    first.pending();
    second.pending();
    third.pending();
    drop(second);
    wire.buffer(0);
    drop(first);
    assert!(third.is_woken(), "it is the first now");
    third.done().unwrap();
    events.drained();
    assert_eq!(wire.texts(), ["third"]);
}

#[test]
fn the_message_comes_back_when_the_connection_ends() {
    let hub = Hub::default();
    let (session, wire) = open(&hub, &Arc::new(hooks()), "/");
    let peer = session.peer().clone();
    wire.buffer(1 << 20);
    let mut first = Hand::new(peer.send_when_ready("first"));
    let mut second = Hand::new(peer.send_when_ready("second"));
    first.pending();
    second.pending();
    peer.close(CloseCode::NORMAL, "");
    for (mut send, text) in [(first, "first"), (second, "second")] {
        match send.done() {
            Err(SendError::Closed(message)) => assert_eq!(message.to_string(), text),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_policy_that_refuses_is_waited_for() {
    let hub = Hub::default();
    let (joined, wire) = join(&hub, &Arc::new(hooks()), "/");
    let (events, peer) = (joined.lifeline(), joined.peer().clone());
    wire.mode(Mode::Full);
    let mut send = Hand::new(peer.send_when_ready("patient"));
    send.pending();
    wire.mode(Mode::Take);
    events.drained();
    send.done().unwrap();
    assert_eq!(wire.texts(), ["patient"]);
}

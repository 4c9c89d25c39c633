//! How a connection ends, and when its socket is dropped.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossws_core::{ClosedBy, Hooks, Limits, hooks};
use crossws_native::StreamInfo;

use crate::connection::*;

#[test]
fn a_close_without_a_reply_ends_at_its_deadline() {
    let (hooks, ends) = recording();
    let hooks = hooks.on_open(|peer| async move {
        peer.close(crossws_core::CloseCode::NORMAL, "bye");
    });
    let mut connection = Connection::open(hooks, Limits::default());
    connection.pass(Duration::from_millis(4900));
    assert!(ends.lock().unwrap().is_empty());
    connection.pass(Duration::from_millis(200));
    let closed = ends.lock().unwrap().pop().unwrap();
    assert_eq!(
        (closed.code, closed.by, closed.clean),
        (1000, ClosedBy::Server, false)
    );
    assert!(connection.over && connection.wire().aborted);
}

#[test]
fn after_the_last_frame_the_stream_is_ended_and_the_clients_end_awaited() {
    let (hooks, _) = recording();
    let mut connection = Connection::open(hooks, Limits::default());
    connection.receive(&frame(0x88, &[0x03, 0xe8]));
    assert_eq!(connection.take(), b"\x88\x02\x03\xe8");
    assert!(connection.wire().shut_down && !connection.over);
    connection.receive(b"what was still on its way");
    connection.end_input();
    assert!(connection.over && !connection.wire().aborted);
}

/// Returns a connection whose drop ends it in order, after the client has closed it.
fn closed_by_client(hooks: impl Hooks, close: &[u8]) -> Connection {
    let info = StreamInfo::default().with_ends_on_drop(true);
    let mut connection = Connection::open_as(hooks, Limits::default(), info);
    connection.receive(close);
    assert_eq!(connection.take(), b"\x88\x02\x03\xe8");
    connection
}

#[test]
fn a_socket_is_dropped_as_soon_as_both_sides_have_closed() {
    let (hooks, ends) = recording();
    let connection = closed_by_client(hooks, &frame(0x88, &CLOSE));
    assert!(connection.over);
    assert!(!connection.wire().shut_down && !connection.wire().aborted);
    let closed = ends.lock().unwrap().pop().unwrap();
    assert_eq!((closed.code, closed.clean), (1000, true));
}

#[test]
fn a_socket_with_something_unread_is_not_dropped() {
    let info = StreamInfo::default().with_ends_on_drop(true);
    let mut connection = Connection::open_as(hooks(), Limits::default(), info);
    let behind = b"against the rules".to_vec();
    // Arrives with the next read.
    connection
        .wire()
        .input
        .push_back(frame(0x88, &CLOSE).into());
    connection.receive(&behind);
    assert_eq!(connection.take(), b"\x88\x02\x03\xe8");
    assert!(connection.wire().shut_down && !connection.over);
    connection.end_input();
    assert!(connection.over && !connection.wire().aborted);
}

#[test]
fn a_close_hook_that_waits_does_not_keep_the_client_waiting() {
    let waits = hooks().on_close(|_, _| std::future::pending::<()>());
    let connection = closed_by_client(waits, &frame(0x88, &CLOSE));
    assert!(connection.wire().shut_down && !connection.over);
}

#[test]
fn a_socket_whose_client_reads_late_is_not_dropped() {
    let info = StreamInfo::default().with_ends_on_drop(true);
    let mut connection = Connection::open_as(hooks(), Limits::default(), info);
    connection.set_room(0);
    connection.receive(&frame(0x88, &CLOSE));
    connection.set_room(usize::MAX);
    assert_eq!(connection.take(), b"\x88\x02\x03\xe8");
    assert!(connection.wire().shut_down && !connection.over);
}

/// Returns a connection whose drop ends it in order, and whose client has been sent a ping.
fn pinged() -> Connection {
    let hooks = hooks().on_open(|peer| async move {
        peer.ping("").unwrap();
    });
    let info = StreamInfo::default().with_ends_on_drop(true);
    let mut connection = Connection::new_as(hooks, Limits::default(), info);
    connection.receive(REQUEST);
    assert!(connection.take().ends_with(b"\r\n\r\n\x89\x00"));
    connection
}

#[test]
fn a_socket_is_not_dropped_before_its_client_has_answered_a_ping() {
    let mut connection = pinged();
    connection.receive(&frame(0x88, &CLOSE));
    assert_eq!(connection.take(), b"\x88\x02\x03\xe8");
    assert!(connection.wire().shut_down && !connection.over);
    connection.receive(&frame(0x8a, b""));
    connection.end_input();
    assert!(connection.over && !connection.wire().aborted);
    // A heartbeat is a ping, too.
    let info = StreamInfo::default().with_ends_on_drop(true);
    let mut connection = Connection::open_as(hooks(), Limits::default(), info);
    connection.pass(Duration::from_secs(28));
    assert_eq!(connection.take(), b"\x89\x00");
    connection.receive(&frame(0x88, &CLOSE));
    assert!(connection.wire().shut_down && !connection.over);
}

#[test]
fn a_socket_is_dropped_when_its_client_has_answered_every_ping() {
    let mut connection = pinged();
    connection.receive(&frame(0x8a, b""));
    connection.receive(&frame(0x88, &CLOSE));
    assert_eq!(connection.take(), b"\x88\x02\x03\xe8");
    assert!(connection.over && !connection.wire().shut_down);
}

#[test]
fn a_socket_that_this_side_closes_is_not_dropped_before_its_client_ends() {
    let info = StreamInfo::default().with_ends_on_drop(true);
    let hooks = hooks().on_open(|peer| async move {
        peer.close(crossws_core::CloseCode::NORMAL, "");
    });
    let mut connection = Connection::open_as(hooks, Limits::default(), info);
    connection.receive(&frame(0x88, &CLOSE));
    assert!(connection.wire().shut_down && !connection.over);
    let info = StreamInfo::default().with_ends_on_drop(true);
    let mut violated = Connection::open_as(echo(), Limits::default(), info);
    violated.receive(&[0xff, 0xff]);
    assert!(violated.take().starts_with(b"\x88"));
    assert!(violated.wire().shut_down && !violated.over);
}

#[test]
fn a_close_after_unread_bytes_has_its_deadline() {
    let (hooks, ends) = recording();
    let mut connection = Connection::open(hooks, Limits::default());
    connection.set_room(10);
    connection
        .hub
        .in_namespace("/room")
        .broadcast(vec![7; 100_000])
        .unwrap();
    connection.settle();
    connection
        .hub
        .in_namespace("/room")
        .close_all(crossws_core::CloseCode::NORMAL);
    connection.settle();
    // Neither a trickle of writes nor the client's own bytes extend it.
    for _ in 0..6 {
        connection.set_room(10);
        connection.receive(&frame(0x8a, b""));
        connection.pass(secs(1));
    }
    let closed = ends.lock().unwrap().pop().unwrap();
    assert_eq!(
        (closed.code, closed.by, closed.clean),
        (1000, ClosedBy::Server, false)
    );
    assert!(connection.over && connection.wire().aborted);
}

#[test]
fn a_terminate_while_the_clients_end_is_awaited_does_not_wait() {
    let kept = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&kept);
    let hooks = hooks().on_open(move |peer| {
        *seen.lock().unwrap() = Some(peer);
        async {}
    });
    let mut connection = Connection::open(hooks, Limits::default());
    connection.receive(&frame(0x88, b""));
    assert!(!connection.over);
    let peer = kept.lock().unwrap().take().unwrap();
    peer.terminate();
    connection.settle();
    assert!(connection.over && connection.wire().aborted);
}

#[test]
fn a_close_whose_frame_was_never_written_is_this_sides() {
    let (hooks, ends) = recording();
    let mut connection = Connection::open(hooks, Limits::default());
    connection.set_room(0);
    let everyone = connection.hub.in_namespace("/room");
    everyone.broadcast(vec![7; 100_000]).unwrap();
    connection.settle();
    let everyone = connection.hub.in_namespace("/room");
    everyone.close_all(crossws_core::CloseCode::AWAY);
    // The client is gone before the connection's task looks at its queue again.
    connection.end_input();
    let closed = ends.lock().unwrap().pop().unwrap();
    assert_eq!(
        (closed.code, closed.by, closed.clean),
        (1001, ClosedBy::Server, false)
    );
}

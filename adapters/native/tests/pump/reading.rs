//! Reading, and the messages that reach hooks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crossws_core::{ClosedBy, Limits, hooks};

use crate::connection::*;

#[test]
fn a_head_byte_by_byte_and_a_frame_after_it_are_read() {
    let mut connection = Connection::new(echo(), Limits::default());
    let (last, head) = REQUEST.split_last().unwrap();
    for byte in head {
        connection.receive(&[*byte]);
    }
    assert!(connection.take().is_empty());
    let mut packet = vec![*last];
    packet.extend(frame(0x81, b"early"));
    connection.receive(&packet);
    let answer = connection.take();
    assert!(answer.starts_with(b"HTTP/1.1 101"));
    assert!(answer.ends_with(b"\r\n\r\n\x81\x05early"));
}

#[test]
fn only_the_latest_ping_is_answered_when_many_wait() {
    let mut connection = Connection::open(hooks(), Limits::default());
    connection.set_room(0);
    connection.hub.in_namespace("/room").broadcast("x").unwrap();
    connection.settle();
    for ping in [b"one", b"two", b"six"] {
        connection.receive(&frame(0x89, ping));
    }
    connection.set_room(usize::MAX);
    assert_eq!(connection.take(), b"\x81\x01x\x8a\x03six");
}

#[test]
fn the_pings_of_a_burst_are_all_answered_within_reason() {
    let mut connection = Connection::open(hooks(), Limits::default().max_inbound(64));
    let burst: Vec<u8> = (0..10).flat_map(|n| frame(0x89, &[n])).collect();
    connection.receive(&burst);
    let answers: Vec<u8> = (0..10).flat_map(|n| [0x8a, 1, n]).collect();
    assert_eq!(connection.take(), answers);

    let burst: Vec<u8> = (0..20).flat_map(|n| frame(0x89, &[n])).collect();
    connection.receive(&burst);
    let answers: Vec<u8> = (4..20).flat_map(|n| [0x8a, 1, n]).collect();
    assert_eq!(connection.take(), answers, "the latest of too many");
}

#[test]
fn messages_before_a_close_frame_get_their_replies_first() {
    let mut connection = Connection::open(echo(), Limits::default());
    let mut packet = frame(0x81, b"one");
    packet.extend(frame(0x82, &[7; 125]));
    packet.extend(frame(0x88, b"\x03\xe8"));
    connection.receive(&packet);
    let mut answer = b"\x81\x03one\x82\x7d".to_vec();
    answer.extend([7; 125]);
    answer.extend(b"\x88\x02\x03\xe8");
    assert_eq!(connection.take(), answer);
    assert!(connection.wire().shut_down);
}

#[test]
fn a_burst_during_a_waiting_hook_is_kept_and_delivered_in_order() {
    let gate = Arc::new(AtomicBool::new(false));
    let opened = Arc::clone(&gate);
    let hooks = hooks().on_message(move |peer, message| {
        let gate = Arc::clone(&gate);
        async move {
            until(|| gate.load(Ordering::SeqCst)).await;
            peer.send(message)
        }
    });
    let mut connection = Connection::open(hooks, Limits::default());
    let mut packet = frame(0x81, b"wait");
    packet.extend(frame(0x81, b"behind").repeat(100));
    packet.extend(frame(0x81, b"last"));
    connection.receive(&packet);
    assert_eq!(connection.take(), b"");
    // Another connection of this thread reads meanwhile.
    let mut other = Connection::open(echo(), Limits::default());
    other.receive(&frame(0x81, b"other").repeat(200));
    assert_eq!(other.take(), b"\x81\x05other".repeat(200));
    opened.store(true, Ordering::SeqCst);
    let mut answer = b"\x81\x04wait".to_vec();
    answer.extend(b"\x81\x06behind".repeat(100));
    answer.extend(b"\x81\x04last");
    assert_eq!(connection.take(), answer);
}

#[test]
fn a_hook_may_run_another_connection_on_its_thread() {
    // Both are in the middle of the bytes of one read.
    let within = hooks().on_message(|peer, message: crossws_core::Message| {
        let mut other = Connection::open(echo(), Limits::default());
        other.receive(&frame(0x81, b"other").repeat(200));
        assert_eq!(other.take(), b"\x81\x05other".repeat(200));
        async move { peer.send(message) }
    });
    let mut connection = Connection::open(within, Limits::default());
    let mut packet = Vec::new();
    let mut answer = Vec::new();
    for n in 0..100 {
        packet.extend(frame(0x82, &[n; 9]));
        answer.extend([&[0x82, 9], &[n; 9][..]].concat());
    }
    // And the beginning of a message, whose rest comes later.
    packet.extend(&frame(0x81, b"later")[..8]);
    connection.receive(&packet);
    assert_eq!(connection.take(), answer);
    connection.receive(&frame(0x81, b"later")[8..]);
    assert_eq!(connection.take(), b"\x81\x05later");
}

#[test]
fn messages_before_a_violation_get_their_replies_first() {
    let mut connection = Connection::open(echo(), Limits::default());
    let mut packet = frame(0x81, b"one");
    packet.extend(frame(0x81, b"two"));
    packet.extend(frame(0x83, b"bad"));
    packet.extend(frame(0x81, b"not heard"));
    connection.receive(&packet);
    let answer = connection.take();
    assert!(
        answer.starts_with(b"\x81\x03one\x81\x03two\x88\x10\x03\xea"),
        "{answer:?}"
    );
    assert!(connection.wire().shut_down);
}

#[test]
fn a_violation_does_not_wait_for_a_hook_that_never_ends() {
    let (hooks, _) = recording();
    let hooks = hooks.on_message(|_, _| std::future::pending::<()>());
    let mut connection = Connection::open(hooks, Limits::default());
    let mut packet = frame(0x81, b"stuck");
    packet.extend(frame(0x83, b"bad"));
    connection.receive(&packet);
    assert!(connection.take().is_empty());
    connection.pass(secs(4));
    assert!(connection.take().is_empty());
    connection.pass(secs(1));
    assert!(connection.take().starts_with(b"\x88\x10\x03\xea"));
}

#[test]
fn after_a_violation_and_a_close_of_the_server_nothing_is_decoded() {
    let stuck = hooks().on_message(|_, _| std::future::pending::<()>());
    let mut connection = Connection::open(stuck, Limits::default());
    let mut packet = frame(0x81, b"stuck");
    packet.extend(frame(0x83, b"bad"));
    connection.receive(&packet);
    let peer = connection.hub.peers().remove(0);
    peer.close(crossws_core::CloseCode::NORMAL, "");
    assert_eq!(connection.take(), b"\x88\x02\x03\xe8");
    assert!(connection.wire().shut_down, "no answer of it is awaited");
}

#[test]
fn a_flood_of_pings_is_a_policy_violation() {
    let (hooks, ends) = recording();
    let mut connection = Connection::open(hooks, Limits::default());
    connection.receive(&frame(0x89, b"").repeat(101));
    let answer = connection.take();
    assert!(
        answer.windows(4).any(|bytes| bytes == b"\x88\x19\x03\xf0"),
        "1008: {answer:?}"
    );
    assert!(connection.wire().shut_down);
    assert_eq!(ends.lock().unwrap()[0].code, 1008);
}

#[test]
fn limits_of_nothing_still_let_one_message_in() {
    let limits = Limits::default().max_inbound(0);
    let mut connection = Connection::open(echo(), limits);
    connection.receive(&frame(0x81, b"one").repeat(3));
    assert_eq!(connection.take(), b"\x81\x03one".repeat(3));
}

#[test]
fn a_frame_that_announces_everything_is_too_big_although_messages_have_no_bound() {
    let (hooks, ends) = recording();
    let limits = Limits::default().max_message_size(crossws_core::Limit::Unlimited);
    let mut connection = Connection::open(hooks, limits);
    let mut header = vec![0x82, 0xff];
    header.extend((u64::MAX >> 1).to_be_bytes());
    header.extend([0; 4]);
    connection.receive(&header);
    assert!(connection.take().starts_with(b"\x88\x11\x03\xf1"));
    assert_eq!(ends.lock().unwrap()[0].code, 1009);
}

#[test]
fn an_illegal_close_code_is_the_clients_error() {
    let (hooks, ends) = recording();
    let failed = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&failed);
    let hooks = hooks.on_error(move |_, _| {
        seen.fetch_add(1, Ordering::SeqCst);
        async { crossws_core::OnError::Keep }
    });
    let mut connection = Connection::open(hooks, Limits::default());
    connection.receive(&frame(0x88, &1005u16.to_be_bytes()));
    assert!(connection.take().starts_with(b"\x88\x10\x03\xea"));
    let closed = ends.lock().unwrap().pop().unwrap();
    assert_eq!(
        (closed.code, closed.by, closed.clean),
        (1002, ClosedBy::Server, false)
    );
    assert_eq!(failed.load(Ordering::SeqCst), 1);
}

#[test]
fn a_client_that_had_to_pause_is_read_again_when_this_side_closes() {
    let waits = hooks().on_message(|_, _| std::future::pending::<()>());
    let mut connection = Connection::open(waits, Limits::default().max_inbound(2));
    connection.receive(&frame(0x81, b"stuck").repeat(5));
    let namespace = connection.hub.in_namespace("/room");
    namespace.close_all(crossws_core::CloseCode::NORMAL);
    assert_eq!(connection.take(), b"\x88\x02\x03\xe8");
    let wakes = connection.wakes.count();
    connection.arrive(&frame(0x88, &CLOSE));
    assert!(connection.wakes.count() > wakes);
    connection.settle();
    assert!(connection.wire().shut_down, "the close is complete");
}

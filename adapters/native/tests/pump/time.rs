//! Deadlines, in virtual time.

use std::time::Duration;

use crossws_core::{ClosedBy, Limits, Overflow, Upgrade, hooks};

use crate::connection::*;

#[test]
fn a_silent_client_is_pinged_then_dropped() {
    let (hooks, ends) = recording();
    let mut connection = Connection::open(hooks, Limits::default());
    connection.pass(secs(22));
    assert!(
        connection.take().is_empty(),
        "no ping before 25 s less 10 %"
    );
    assert_eq!(connection.until_written(), b"\x89\x00");
    connection.pass(secs(19));
    assert!(ends.lock().unwrap().is_empty());
    connection.pass(secs(2));
    let closed = ends.lock().unwrap().pop().unwrap();
    assert_eq!((closed.code, closed.by), (3008, ClosedBy::Timeout));
    assert!(connection.take().starts_with(b"\x88\x15\x0b\xc0silent"));
    connection.pass(secs(5));
    assert!(connection.over && connection.wire().aborted);
}

#[test]
fn any_bytes_after_a_ping_count() {
    let (hooks, ends) = recording();
    let mut connection = Connection::open(hooks, Limits::default());
    for _ in 0..10 {
        assert_eq!(connection.until_written(), b"\x89\x00");
        connection.pass(secs(19));
        connection.receive(&frame(0x81, b"not a pong"));
    }
    assert!(ends.lock().unwrap().is_empty());
}

#[test]
fn a_client_is_not_silent_while_the_server_does_not_read() {
    let (hooks, ends) = recording();
    let hooks = hooks.on_message(|_, _| std::future::pending::<()>());
    let limits = Limits::default().max_inbound(2);
    let mut connection = Connection::open(hooks, limits);
    connection.receive(&frame(0x81, b"stuck").repeat(5));
    for _ in 0..10 {
        connection.pass(secs(20));
    }
    assert!(ends.lock().unwrap().is_empty() && !connection.over);
    assert_eq!(connection.hub.peers().len(), 1);
}

#[test]
fn a_close_is_heard_however_many_pongs_a_hook_has_waited_through() {
    let hooks = hooks().on_message(|_, _| std::future::pending::<()>());
    let mut connection = Connection::open(hooks, Limits::default());
    connection.receive(&frame(0x81, b"stuck"));
    for _ in 0..120 {
        assert_eq!(connection.until_written(), b"\x89\x00");
        connection.receive(&frame(0x8a, b""));
    }
    connection.receive(&frame(0x88, &CLOSE));
    assert_eq!(connection.take(), b"\x88\x02\x03\xe8");
    assert!(connection.hub.peers().is_empty());
}

#[test]
fn a_life_that_is_too_long_ends_with_1012() {
    let (hooks, ends) = recording();
    let limits = Limits::default().ping_interval(None).max_lifetime(secs(60));
    let mut connection = Connection::open(hooks, limits);
    let close = connection.until_written();
    assert!(close.starts_with(b"\x88\x14\x03\xf4"));
    connection.receive(&frame(0x88, &[0x03, 0xf4]));
    let closed = ends.lock().unwrap().pop().unwrap();
    assert_eq!(
        (closed.code, closed.by, closed.clean),
        (1012, ClosedBy::Server, true)
    );
}

#[test]
fn credentials_end_with_4401_unless_they_are_renewed() {
    let (hooks, ends) = recording();
    let hooks = hooks
        .on_upgrade(|_| async { Ok(Upgrade::new().expires(secs(60))) })
        .on_message(|peer, _| async move { peer.set_expiry(secs(30)) });
    let limits = Limits::default().ping_interval(None).idle_timeout(None);
    let mut connection = Connection::open(hooks, limits);
    connection.pass(secs(59));
    assert_eq!(connection.take(), b"");
    connection.receive(&frame(0x81, b"renew"));
    connection.pass(secs(29));
    assert_eq!(connection.take(), b"");
    connection.pass(secs(2));
    assert!(
        connection
            .take()
            .starts_with(b"\x88\x15\x11\x31credentials expired")
    );
    connection.receive(&frame(0x81, b"too late"));
    connection.receive(&frame(0x88, &[0x11, 0x31]));
    let closed = ends.lock().unwrap().pop().unwrap();
    assert_eq!(
        (closed.code, closed.by, closed.clean),
        (4401, ClosedBy::Timeout, true)
    );
}

#[test]
fn a_client_that_only_pings_is_inactive() {
    let (hooks, ends) = recording();
    let limits = Limits::default().ping_interval(None).idle_timeout(None);
    let mut connection = Connection::open(hooks, limits.inactivity_timeout(secs(60)));
    connection.pass(secs(59));
    connection.receive(&frame(0x81, b"here"));
    connection.take();
    connection.pass(secs(59));
    connection.receive(&frame(0x89, b""));
    assert_eq!(connection.take(), b"\x8a\0");
    connection.pass(secs(2));
    assert!(connection.take().starts_with(b"\x88\x0a\x0b\xc0inactive"));
    connection.receive(&frame(0x88, &[0x0b, 0xc0]));
    let closed = ends.lock().unwrap().pop().unwrap();
    assert_eq!((closed.code, closed.by), (3008, ClosedBy::Timeout));
}

#[test]
fn a_renewal_from_elsewhere_to_a_sooner_end_is_kept() {
    let (hooks, ends) = recording();
    let limits = Limits::default().ping_interval(None).idle_timeout(None);
    let mut connection = Connection::open(hooks, limits);
    let peer = connection.hub.peers().remove(0);
    peer.set_expiry(secs(5)).unwrap();
    connection.pass(Duration::ZERO);
    assert_eq!(connection.take(), b"");
    connection.pass(secs(6));
    assert!(connection.take().starts_with(b"\x88\x15\x11\x31"));
    connection.pass(secs(6));
    assert_eq!(ends.lock().unwrap().pop().unwrap().by, ClosedBy::Timeout);
}

#[test]
fn a_dead_client_is_found_although_a_message_waits_for_its_hook() {
    let (hooks, ends) = recording();
    let hooks = hooks.on_message(|peer, _| async move { peer.closed().await });
    let mut connection = Connection::open(hooks, Limits::default());
    connection.receive(&frame(0x81, b"stuck").repeat(2));
    connection.pass(secs(28));
    connection.pass(secs(21));
    assert_eq!(ends.lock().unwrap()[0].by, ClosedBy::Timeout);
}

#[test]
fn an_age_of_nothing_is_not_endless() {
    for policy in [Overflow::Close, Overflow::DropNewest, Overflow::DropOldest] {
        let limits = Limits::default()
            .overflow(policy)
            .max_queue_age(Duration::ZERO);
        let mut connection = Connection::open(hooks(), limits);
        connection.set_room(1);
        connection.hub.in_namespace("/room").broadcast("x").unwrap();
        connection.settle();
        connection.pass(secs(1));
    }
}

#[test]
fn a_client_that_reads_slowly_but_steadily_is_not_silent() {
    let (hooks, ends) = recording();
    let mut connection = Connection::open(hooks, Limits::default());
    connection.set_room(0);
    connection
        .hub
        .in_namespace("/room")
        .broadcast(vec![7; 1_000_000])
        .unwrap();
    connection.settle();
    for _ in 0..49 {
        connection.set_room(20_000);
        connection.pass(secs(1));
    }
    assert!(ends.lock().unwrap().is_empty());
    connection.set_room(usize::MAX);
    assert!(
        connection.take().ends_with(b"\x89\x00"),
        "the ping came after it"
    );
    // The ping waited for a full socket.
    connection.pass(secs(49));
    assert!(ends.lock().unwrap().is_empty());
    connection.pass(secs(2));
    assert_eq!(ends.lock().unwrap()[0].by, ClosedBy::Timeout);
}

#[test]
fn durations_beyond_the_clock_are_as_good_as_none() {
    let limits = Limits::default()
        .ping_interval(Duration::MAX)
        .max_lifetime(Duration::MAX)
        .close_timeout(Duration::MAX)
        .max_queue_age(Duration::MAX)
        .upgrade_timeout(Duration::MAX);
    let mut connection = Connection::open(echo(), limits);
    connection.receive(&frame(0x81, b"fine"));
    assert_eq!(connection.take(), b"\x81\x04fine");
    connection.receive(&frame(0x88, b""));
    assert_eq!(connection.take(), b"\x88\x00");
    connection.end_input();
    assert!(connection.over);
}

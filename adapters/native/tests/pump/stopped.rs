//! A server that looks late: its process was stopped, or a hook kept it busy. What the client did counts
//! from when it did it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crossws_core::{CloseCode, ClosedBy, HooksBuilder, Limits, hooks};

use crate::connection::*;

/// Far longer than any default.
const LONG: Duration = secs(600);

impl Connection {
    /// Stops the process for this long, in which these bytes arrive.
    fn stop(&mut self, time: Duration, bytes: &[u8]) {
        self.clock.advance(time);
        self.receive(bytes);
    }
}

/// Returns hooks that count messages.
fn counting(hooks: HooksBuilder) -> (HooksBuilder, Arc<AtomicUsize>) {
    let heard = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&heard);
    let hooks = hooks.on_message(move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        async {}
    });
    (hooks, heard)
}

#[test]
fn a_pong_that_lay_unread_is_in_time() {
    let (hooks, ends) = recording();
    let mut connection = Connection::open(hooks, Limits::default());
    connection.pass(secs(28));
    assert_eq!(connection.take(), b"\x89\x00");
    connection.stop(LONG, &frame(0x8a, b""));
    assert!(ends.lock().unwrap().is_empty());
    // And the next silence is one.
    connection.take();
    connection.pass(secs(28));
    connection.pass(secs(21));
    assert_eq!(ends.lock().unwrap()[0].by, ClosedBy::Timeout);
}

#[test]
fn a_pong_that_the_runtime_has_not_seen_yet_is_in_time() {
    let (hooks, ends) = recording();
    let mut connection = Connection::open(hooks, Limits::default());
    connection.pass(secs(28));
    assert_eq!(connection.take(), b"\x89\x00");
    // Its timers fire before it looks at its sockets.
    connection.clock.advance(LONG);
    connection.settle();
    connection.receive(&frame(0x8a, b""));
    connection.pass(secs(2));
    assert!(ends.lock().unwrap().is_empty());
    // One that is not there then is none.
    connection.take();
    assert_eq!(connection.until_written(), b"\x89\x00");
    connection.clock.advance(LONG);
    connection.settle();
    assert!(ends.lock().unwrap().is_empty());
    connection.pass(secs(2));
    assert_eq!(ends.lock().unwrap()[0].by, ClosedBy::Timeout);
}

#[test]
fn a_message_that_lay_unread_was_active_and_not_slow() {
    for limits in [
        Limits::default().inactivity_timeout(secs(60)),
        Limits::default().ping_interval(None),
        Limits::default().message_timeout(secs(5)),
    ] {
        let (hooks, ends) = recording();
        let (hooks, heard) = counting(hooks);
        let mut connection = Connection::open(hooks, limits);
        let message = frame(0x81, b"in two parts");
        connection.receive(&message[..9]);
        connection.stop(LONG, &message[9..]);
        assert!(ends.lock().unwrap().is_empty());
        assert_eq!(heard.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn an_answer_to_a_close_that_lay_unread_is_in_time() {
    let (hooks, ends) = recording();
    let mut connection = Connection::open(hooks, Limits::default());
    let namespace = connection.hub.in_namespace("/room");
    namespace.close_all(CloseCode::NORMAL);
    assert_eq!(connection.take(), b"\x88\x02\x03\xe8");
    connection.stop(LONG, &frame(0x88, &CLOSE));
    let closed = ends.lock().unwrap().remove(0);
    assert_eq!((closed.by, closed.clean), (ClosedBy::Server, true));
}

#[test]
fn a_client_that_read_everything_meanwhile_is_not_slow() {
    let (hooks, ends) = recording();
    let mut connection = Connection::open(hooks, Limits::default());
    connection.set_room(0);
    let namespace = connection.hub.in_namespace("/room");
    namespace.broadcast(vec![7; 500_000]).unwrap();
    connection.settle();
    connection.clock.advance(LONG);
    connection.set_room(usize::MAX);
    assert!(ends.lock().unwrap().is_empty());
    assert!(connection.take().len() > 500_000);
}

#[test]
fn a_head_that_lay_unread_is_in_time() {
    let mut connection = Connection::new(echo(), Limits::default());
    connection.receive(&REQUEST[..40]);
    connection.stop(LONG, &REQUEST[40..]);
    assert!(connection.take().starts_with(b"HTTP/1.1 101"));
}

#[test]
fn a_head_that_the_runtime_has_not_seen_yet_is_in_time() {
    for is_there in [true, false] {
        let mut connection = Connection::new(echo(), Limits::default());
        connection.receive(&REQUEST[..40]);
        connection.clock.advance(LONG);
        connection.settle();
        assert!(connection.take().is_empty());
        if is_there {
            connection.receive(&REQUEST[40..]);
        }
        let said = connection.until_written();
        let status: &[u8] = if is_there { b"101" } else { b"408" };
        assert!(said[9..].starts_with(status));
    }
}

#[test]
fn the_apps_own_times_are_not_excused() {
    let hooks = hooks().on_message(|peer, _| async move {
        peer.sleep(secs(5)).await;
        peer.send("slept").map(drop)
    });
    let mut connection = Connection::open(hooks, Limits::default());
    connection.receive(&frame(0x81, b"sleep"));
    connection.clock.advance(secs(8));
    connection.settle();
    assert_eq!(connection.take(), b"\x81\x05slept");
    // While a time of the client's is excused, too.
    assert_eq!(connection.until_written(), b"\x89\x00");
    connection.receive(&frame(0x81, b"sleep")[..3]);
    connection.clock.advance(LONG);
    connection.settle();
    connection.receive(&frame(0x81, b"sleep")[3..]);
    connection.take();
    connection.clock.advance(secs(5));
    connection.settle();
    assert_eq!(connection.take(), b"\x81\x05slept");
}

#[test]
fn pings_that_waited_are_judged_by_when_they_can_have_been_sent() {
    // Forty a second, while a hook is busy for ten seconds, and while the process is stopped for twenty.
    let pings = |seconds: usize| frame(0x89, b"").repeat(40 * seconds);
    let (hooks, ends) = recording();
    let busy = AtomicBool::new(false);
    let hooks = hooks.on_message(move |peer, _| {
        let is_first = !busy.swap(true, Ordering::SeqCst);
        async move {
            if is_first {
                peer.sleep(secs(10)).await;
            }
        }
    });
    let mut connection = Connection::open(hooks, Limits::default());
    // As many as may wait for their hooks, so that what follows is not read.
    connection.receive(&frame(0x81, b"busy").repeat(17));
    for _ in 0..10 {
        connection.arrive(&pings(1));
        connection.pass(secs(1));
    }
    connection.pass(secs(1));
    assert!(ends.lock().unwrap().is_empty());
    connection.stop(secs(20), &pings(20));
    assert!(ends.lock().unwrap().is_empty());
    assert_eq!(connection.hub.peers().len(), 1);
    // Twice as many as are allowed in the time.
    connection.take();
    connection.stop(secs(10), &pings(50));
    assert_eq!(ends.lock().unwrap()[0].code, 1008);
}

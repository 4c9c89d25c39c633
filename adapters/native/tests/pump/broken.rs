//! A stream on which every write fails.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossws_core::{Closed, ClosedBy, Limits, Peer};

use crate::connection::*;

/// Returns how a connection ended and how many of its messages reached a hook, if every write fails
/// while a burst of 200 and `last` has been read.
fn broken_with(last: &[u8], limits: Limits) -> (Closed, usize) {
    let (hooks, ends) = recording();
    let heard = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&heard);
    let hooks = hooks.on_message(move |peer, message| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move { peer.send(message) }
    });
    let mut connection = Connection::open(hooks, limits);
    connection.wire().passes = 0;
    let burst = frame(0x81, b"hello").repeat(200);
    connection.receive(&[&burst, last].concat());
    assert!(connection.over);
    let end = ends.lock().unwrap().remove(0);
    (end, heard.load(Ordering::SeqCst))
}

#[test]
fn messages_that_were_read_reach_hooks_although_writes_fail() {
    // With an incomplete message after it.
    let (closed, heard) = broken_with(&frame(0x81, b"lost")[..7], Limits::default());
    assert_eq!((closed.by, closed.code), (ClosedBy::Network, 1006));
    assert_eq!(heard, 200);
    // A full queue does not hold it back either.
    let (closed, heard) = broken_with(&[], Limits::default().max_queued(1));
    assert_eq!(closed.by, ClosedBy::Network);
    assert_eq!(heard, 200);
}

#[test]
fn a_close_frame_that_was_read_counts_although_nothing_can_be_written() {
    let (closed, heard) = broken_with(&frame(0x88, &CLOSE), Limits::default());
    assert_eq!((closed.by, closed.code), (ClosedBy::Client, 1000));
    assert!(!closed.clean, "it has no answer");
    assert_eq!(heard, 200);
}

#[test]
fn a_violation_on_a_broken_stream_ends_it() {
    let (closed, heard) = broken_with(&frame(0x83, b"reserved"), Limits::default());
    assert_eq!((closed.by, closed.code), (ClosedBy::Network, 1006));
    assert_eq!(heard, 200);
}

#[test]
fn too_many_control_frames_on_a_broken_stream_end_it() {
    let pings = frame(0x89, b"").repeat(200);
    let (closed, heard) = broken_with(&pings, Limits::default());
    assert_eq!((closed.by, closed.code), (ClosedBy::Network, 1006));
    assert_eq!(heard, 200);
}

/// Returns how a connection ended and how many of its messages reached a hook, if a write fails while
/// the first hook waits and `rest` has arrived, but was not read. Nothing tells that it can be read.
fn broken_before(rest: &[Vec<u8>]) -> (Closed, usize) {
    let (hooks, ends) = recording();
    let (heard, gate) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let (counted, opened) = (Arc::clone(&heard), Arc::clone(&gate));
    let hooks = hooks.on_message(move |peer, message| {
        counted.fetch_add(1, Ordering::SeqCst);
        let gate = Arc::clone(&gate);
        async move {
            until(|| gate.load(Ordering::SeqCst)).await;
            peer.send(message)
        }
    });
    let mut connection = Connection::open(hooks, Limits::default());
    connection.receive(&frame(0x81, b"hello"));
    connection.wire().passes = 0;
    let rest = rest.iter().cloned().map(Into::into);
    connection.wire().input.extend(rest);
    connection.hub.in_namespace("/room").broadcast("x").unwrap();
    connection.settle();
    opened.store(true, Ordering::SeqCst);
    connection.settle();
    assert!(connection.over);
    let end = ends.lock().unwrap().remove(0);
    (end, heard.load(Ordering::SeqCst))
}

#[test]
fn messages_that_were_not_read_yet_reach_hooks_although_writes_fail() {
    let chunk = frame(0x81, b"hello").repeat(30);
    let (closed, heard) = broken_before(&vec![chunk.clone(); 100]);
    assert_eq!((closed.by, closed.code), (ClosedBy::Network, 1006));
    assert_eq!(heard, 1 + 3_000);
    let rest = [chunk.clone(), chunk, frame(0x88, &CLOSE)];
    let (closed, heard) = broken_before(&rest);
    assert_eq!((closed.by, closed.code), (ClosedBy::Client, 1000));
    assert!(!closed.clean, "it has no answer");
    assert_eq!(heard, 1 + 60);
    let (closed, heard) = broken_before(&[]);
    assert_eq!((closed.by, heard), (ClosedBy::Network, 1));
}

/// A connection whose writes fail, whose client sends without pause, and of whose messages each thirtieth
/// has a slow hook.
struct Flooded {
    connection: Connection,
    ends: Arc<Mutex<Vec<Closed>>>,
    peer: Peer,
    heard: Arc<AtomicUsize>,
    /// How many slow hooks may have ended.
    may_end: Arc<AtomicUsize>,
}

impl Flooded {
    fn new(limits: Limits, expiry: Option<Duration>) -> Self {
        let (hooks, ends) = recording();
        let (heard, may_end) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (counted, opened) = (Arc::clone(&heard), Arc::clone(&may_end));
        let hooks = hooks.on_message(move |_, _| {
            let number = counted.fetch_add(1, Ordering::SeqCst);
            let opened = Arc::clone(&opened);
            until(move || opened.load(Ordering::SeqCst) > number / 30 || number % 30 > 0)
        });
        let mut connection = Connection::open(hooks, limits);
        let peer = connection.hub.peers()[0].clone();
        if let Some(expiry) = expiry {
            peer.set_expiry(expiry).unwrap();
            connection.settle();
        }
        connection.wire().passes = 0;
        let chunk = frame(0x81, b"hello").repeat(30).into();
        connection.wire().input.extend(vec![chunk; 5_000]);
        peer.send("x").unwrap();
        connection.settle();
        assert!(!connection.over);
        Self {
            connection,
            ends,
            peer,
            heard,
            may_end,
        }
    }

    /// Lets the running hook end after this time.
    fn pass(&mut self, time: Duration) {
        self.may_end.fetch_add(1, Ordering::SeqCst);
        self.connection.pass(time);
    }

    fn heard(&self) -> usize {
        self.heard.load(Ordering::SeqCst)
    }
}

#[test]
fn a_client_that_sends_on_is_heard_for_a_bounded_number_of_reads() {
    let mut flooded = Flooded::new(Limits::default(), None);
    for _ in 0..1_100 {
        flooded.pass(Duration::from_millis(1));
    }
    assert!(flooded.connection.over);
    assert_eq!(flooded.ends.lock().unwrap()[0].by, ClosedBy::Network);
    assert_eq!(flooded.heard(), 30 * 1_024);
}

#[test]
fn a_client_that_sends_on_is_heard_no_longer_than_its_credentials_or_its_lifetime() {
    for (limits, expiry) in [
        (Limits::default(), Some(secs(30))),
        (Limits::default().max_lifetime(secs(30)), None),
    ] {
        let mut flooded = Flooded::new(limits, expiry);
        let mut passed = 0;
        while flooded.ends.lock().unwrap().is_empty() {
            passed += 1;
            assert!(passed < 100, "it is still heard");
            flooded.pass(secs(1));
        }
        // Lifetimes are spread by a tenth, and the running hook ends first.
        assert!((27..=35).contains(&passed), "{passed}");
        assert!(flooded.connection.over);
    }
}

#[test]
fn a_client_that_sends_on_is_heard_no_more_after_a_termination() {
    let mut flooded = Flooded::new(Limits::default(), None);
    flooded.pass(secs(1));
    let before = flooded.heard();
    flooded.peer.terminate();
    flooded.connection.settle();
    flooded.pass(secs(1));
    assert!(flooded.connection.over);
    assert_eq!(flooded.heard(), before);
    assert_eq!(flooded.ends.lock().unwrap().len(), 1);
}

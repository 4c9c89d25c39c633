//! A stream on which every write fails.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;

use crossws_core::{Closed, ClosedBy, Limits};

use crate::world::*;

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
    connection.world().broken = true;
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
            // Polled by hand, so no task is woken.
            poll_fn(|_| match gate.load(Ordering::SeqCst) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            })
            .await;
            peer.send(message)
        }
    });
    let mut connection = Connection::open(hooks, Limits::default());
    connection.receive(&frame(0x81, b"hello"));
    connection.world().broken = true;
    connection.world().input.extend(rest.iter().cloned());
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

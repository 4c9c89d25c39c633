//! A stream on which every write fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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

//! Writing: in which calls, and the cost of a client that reads little.

use crossws_core::{Deflate, Limits, Overflow, hooks};

use crate::connection::*;

#[test]
fn a_burst_of_answers_leaves_in_one_write() {
    let mut connection = Connection::open(echo(), Limits::default());
    let before = connection.wire().writes;
    connection.receive(&frame(0x81, b"hello").repeat(50));
    assert_eq!(connection.take(), b"\x81\x05hello".repeat(50));
    assert_eq!(connection.wire().writes, before + 1);
}

#[test]
fn a_task_woken_to_write_does_not_read() {
    let mut connection = Connection::open(hooks(), Limits::default());
    connection.settle();
    let reads = connection.wire().reads;
    for _ in 0..100 {
        connection
            .hub
            .in_namespace("/room")
            .broadcast("news")
            .unwrap();
        assert_eq!(connection.take(), b"\x81\x04news");
    }
    assert_eq!(connection.wire().reads, reads);
}

#[test]
fn a_publication_waits_for_other_ready_tasks() {
    let mut connection = Connection::open(hooks(), Limits::default());
    let hub = connection.hub.clone();
    let room = hub.in_namespace("/room");
    for first in ["news", "another turn's"] {
        let writes = connection.wire().writes;
        room.broadcast(first).unwrap();
        connection.arrive(&frame(0x81, b"mine"));
        assert!(connection.poll(), "it comes back");
        assert_eq!(connection.wire().writes, writes);
        // Another task that was ready.
        room.broadcast("more").unwrap();
        connection.settle();
        assert_eq!(connection.wire().writes, writes + 1);
        let mut output = vec![0x81, first.len() as u8];
        output.extend(first.as_bytes());
        output.extend(b"\x81\x04more");
        assert_eq!(connection.take(), output);
    }
}

#[test]
fn a_publication_is_written_with_a_reply_at_once() {
    let mut connection = Connection::open(echo(), Limits::default());
    connection.settle();
    let hub = connection.hub.clone();
    let room = hub.in_namespace("/room");
    room.broadcast("news").unwrap();
    connection.arrive(&frame(0x81, b"mine"));
    connection.poll();
    let output = connection.stream.take();
    assert_eq!(output, b"\x81\x04news\x81\x04mine");
}

#[test]
fn many_publications_wake_a_sleeping_writer_once() {
    let mut connection = Connection::open(hooks(), Limits::default());
    connection.settle();
    let wakes = connection.wakes.count();
    for _ in 0..100 {
        connection
            .hub
            .in_namespace("/room")
            .broadcast("news")
            .unwrap();
    }
    assert_eq!(connection.wakes.count(), wakes + 1);
    let writes = connection.wire().writes;
    assert_eq!(connection.take().len(), 600);
    assert_eq!(connection.wire().writes, writes + 1);
}

#[test]
fn a_compressor_that_was_not_used_between_two_heartbeats_is_released() {
    let config = Deflate::default()
        .server_no_context_takeover(false)
        .threshold(1_usize)
        .max_context_memory(usize::MAX >> 1);
    let mut connection = Connection::compressed(echo(), config);
    let text = b"{\"type\":\"presence\",\"user\":\"someone\",\"state\":\"away\",\"since\":170000}";
    let echoed = |connection: &mut Connection| {
        connection.receive(&frame(0x81, text));
        let echo = connection.take();
        assert_eq!(echo[0], 0xc1);
        echo.len()
    };
    let heartbeat = |connection: &mut Connection| {
        assert_eq!(connection.until_written()[0], 0x89);
        connection.receive(&frame(0x8a, b""));
    };
    let first = echoed(&mut connection);
    assert!(echoed(&mut connection) * 2 < first);
    for _ in 0..3 {
        heartbeat(&mut connection);
        assert!(echoed(&mut connection) * 2 < first, "it was in use");
    }
    heartbeat(&mut connection);
    heartbeat(&mut connection);
    assert_eq!(echoed(&mut connection), first, "it begins anew");
}

#[test]
fn a_slow_consumer_gets_the_rest_of_its_frame_then_1013() {
    let (hooks, ends) = recording();
    let limits = Limits::default().max_buffered(1000);
    let mut connection = Connection::open(hooks, limits);
    connection.set_room(7);
    let news = |connection: &mut Connection| {
        let scope = connection.hub.in_namespace("/room");
        let told = scope.broadcast("0123456789".repeat(10)).unwrap();
        connection.settle();
        told
    };
    let mut lost = 0;
    while ends.lock().unwrap().is_empty() {
        lost += news(&mut connection).dropped;
    }
    assert!(lost >= 1);
    connection.set_room(usize::MAX);
    let output = connection.take();
    assert_eq!(
        &output[..102],
        [b"\x81\x64", "0123456789".repeat(10).as_bytes()].concat()
    );
    assert_eq!(&output[102..], b"\x88\x0f\x03\xf5slow consumer");
    assert!(connection.wire().shut_down);
    assert_eq!(ends.lock().unwrap()[0].code, 1013);
}

#[test]
fn answers_that_are_not_read_hold_the_next_messages_back() {
    let limits = Limits::default().max_buffered(1000);
    let (hooks, ends) = recording();
    let hooks = hooks.on_message(|peer, message| async move { peer.send(message) });
    let mut connection = Connection::open(hooks, limits);
    connection.set_room(0);
    // Ten times what the queue holds, from a client that reads late: the server slows it down and does
    // not cut it off.
    for _ in 0..100 {
        connection.receive(&frame(0x82, &[7; 100]));
    }
    assert!(ends.lock().unwrap().is_empty());
    let left = connection.wire().input.len();
    assert!(left > 0, "the socket is not read any further");
    connection.set_room(usize::MAX);
    assert_eq!(connection.take().len(), 100 * 102);
}

#[test]
fn answers_as_large_as_the_queue_follow_one_another() {
    let limits = Limits::default().max_buffered(1000).max_message_size(1000);
    let mut connection = Connection::open(echo(), limits);
    connection.set_room(1);
    for _ in 0..9 {
        connection.receive(&frame(0x82, &[7; 120]));
        connection.receive(&large_frame(1000));
    }
    connection.set_room(usize::MAX);
    assert_eq!(connection.take().len(), 9 * (122 + 1004));
}

/// Encodes a masked binary frame with a two-byte length and a key of zeros.
fn large_frame(len: u16) -> Vec<u8> {
    let mut bytes = vec![0x82, 0xfe];
    bytes.extend(len.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.resize(bytes.len() + usize::from(len), 7);
    bytes
}

#[test]
fn losses_under_a_policy_do_not_break_a_frame() {
    for policy in [Overflow::DropNewest, Overflow::DropOldest] {
        let limits = Limits::default().max_queued(3).overflow(policy);
        let mut connection = Connection::open(hooks(), limits);
        connection.set_room(1);
        for n in 0..9u8 {
            let scope = connection.hub.in_namespace("/room");
            scope.broadcast(vec![n]).unwrap();
            connection.settle();
        }
        connection.set_room(usize::MAX);
        let output = connection.take();
        let frames: Vec<_> = output
            .chunks(3)
            .map(|frame| (frame[0], frame[1], frame[2]))
            .collect();
        assert!(
            frames
                .iter()
                .all(|(first, len, _)| (*first, *len) == (0x82, 1))
        );
        let seen: Vec<_> = frames.iter().map(|(_, _, n)| *n).collect();
        match policy {
            Overflow::DropNewest => assert_eq!(seen, [0, 1, 2]),
            _ => assert_eq!(seen, [0, 6, 7, 8]),
        }
    }
}

#[test]
fn a_queue_that_is_too_old_counts_as_full() {
    for (policy, expected) in [
        (Overflow::DropNewest, vec![0, 1, 2]),
        (Overflow::DropOldest, vec![0, 4]),
    ] {
        let limits = Limits::default().overflow(policy).ping_interval(None);
        let mut connection = Connection::open(hooks(), limits);
        let publish = |connection: &mut Connection, n: u8| {
            let scope = connection.hub.in_namespace("/room");
            scope.broadcast(vec![n]).unwrap();
            connection.settle();
        };
        connection.set_room(1);
        for n in 0..3 {
            publish(&mut connection, n);
        }
        connection.pass(secs(31));
        for n in 3..5 {
            publish(&mut connection, n);
        }
        connection.set_room(usize::MAX);
        let seen: Vec<_> = connection.take().chunks(3).map(|frame| frame[2]).collect();
        assert_eq!(seen, expected, "{policy:?}");
        publish(&mut connection, 9);
        assert_eq!(connection.take(), [0x82, 1, 9], "it moves again");
    }
    let (hooks, ends) = recording();
    let mut connection = Connection::open(hooks, Limits::default().ping_interval(None));
    connection.set_room(1);
    connection.hub.in_namespace("/room").broadcast("x").unwrap();
    connection.settle();
    connection.pass(secs(31));
    assert_eq!(ends.lock().unwrap()[0].code, 1013);
}

#[test]
fn one_message_of_any_size_fits_into_an_empty_queue() {
    let (hooks, ends) = recording();
    let mut connection = Connection::open(hooks, Limits::default());
    for size in [1 << 20, (1 << 20) + 1, 3 << 20] {
        let told = connection
            .hub
            .in_namespace("/room")
            .broadcast(vec![7; size])
            .unwrap();
        assert_eq!((told.queued, told.dropped), (1, 0));
        assert_eq!(connection.take().len(), size + 10);
    }
    assert!(ends.lock().unwrap().is_empty());
}

//! Tests against rustls's own client, over a pipe in memory.

mod pair;

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use crossws_core::Limits;
use rustls::ProtocolVersion;
use rustls::version::{TLS12, TLS13};

use self::pair::Pair;
use crate::driver::outlet::{Flush, Outlet};
use crate::driver::task_handle::{Batch, TaskHandle};
use crate::runtime::io::Io;
use crate::testing::Wakes;
use crossws_proto::frame::Opcode;
use crossws_proto::sync;

fn noise(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 % 251) as u8).collect()
}

#[test]
fn an_unfinished_handshake_counts_what_it_holds() {
    let mut pair = Pair::new(&TLS13);
    let silent = pair.server.buffered();
    assert!(silent > 0, "rustls takes memory before anything arrives");
    pair.carry_to_server();
    let mut first = pair.wire().input.pop_back().unwrap();
    let hello = first.len();
    let last = first.split_off(hello - 1);
    pair.wire.arrive(first);
    assert!(pair.read().is_pending());
    let held = pair.server.buffered() - silent;
    assert!((hello - 1..4 * hello).contains(&held), "{held} of {hello}");
    pair.wire.arrive(last);
    // The bytes of a reply that its client does not read count too.
    pair.wire().room = 0;
    assert!(pair.read().is_pending());
    assert!(pair.server.buffered() > silent);
    pair.wire().room = usize::MAX;
    assert!(pair.read().is_pending());
    assert_eq!(pair.server.buffered(), silent);
}

#[test]
fn bytes_cross_in_both_versions_whatever_the_steps() {
    for version in [&TLS12, &TLS13] {
        let mut pair = Pair::established(version);
        let sent = noise(100_000);
        for step in [1, 7, 1000, usize::MAX] {
            pair.wire().piece = step;
            pair.client.writer().write_all(&sent).unwrap();
            pair.carry_to_server();
            assert_eq!(pair.read_all(), sent, "in steps of {step}");
            pair.assert_owns_no_buffer();
        }
        assert_eq!(
            pair.client.protocol_version() == Some(ProtocolVersion::TLSv1_3),
            version.version == ProtocolVersion::TLSv1_3,
        );
    }
}

#[test]
fn a_small_reader_gets_everything() {
    let mut pair = Pair::established(&TLS13);
    pair.client.writer().write_all(b"hello world").unwrap();
    pair.carry_to_server();
    let mut all: Vec<u8> = Vec::new();
    let mut buf = [0; 3];
    while let Poll::Ready(count) = pair.read_into(&mut buf) {
        all.extend(&buf[..count.unwrap()]);
    }
    assert_eq!(all, b"hello world");
    pair.assert_owns_no_buffer();
}

#[test]
fn slices_are_joined_into_records() {
    let mut pair = Pair::established(&TLS13);
    let large = noise(40_000);
    let slices: &[&[u8]] = &[b"he", b"", b"ader", &large, b"trailer"];
    let all = slices.concat();
    let mut taken = 0;
    while taken < all.len() {
        // Continues as a caller does after a short write.
        let mut skip = taken;
        let rest: Vec<&[u8]> = slices
            .iter()
            .map(|slice| {
                let skipped = skip.min(slice.len());
                skip -= skipped;
                &slice[skipped..]
            })
            .collect();
        let Poll::Ready(count) = pair.write(&rest) else {
            panic!("the wire has room");
        };
        taken += count.unwrap();
    }
    let records = {
        let wire = pair.wire();
        let mut rest = &wire.output[..];
        let mut records = 0;
        while let [_, _, _, high, low, ..] = rest {
            rest = &rest[5 + usize::from(u16::from_be_bytes([*high, *low]))..];
            records += 1;
        }
        records
    };
    // 40,013 bytes need three; a record for each slice would be six.
    assert_eq!(records, 3);
    assert_eq!(pair.received(), all);
    pair.assert_owns_no_buffer();
}

#[test]
fn a_client_that_takes_nothing_holds_one_write_of_memory() {
    let mut pair = Pair::established(&TLS13);
    pair.wire().room = 0;
    let large = noise(1 << 20);
    let Poll::Ready(Ok(first)) = pair.write(&[&large]) else {
        panic!("one write is always taken");
    };
    assert_eq!(first, 64 << 10);
    assert!(pair.write(&[&large[first..]]).is_pending());
    assert!(pair.flush().is_pending());
    let held = pair.server.session.outgoing.len();
    assert!((first..first + 2000).contains(&held), "{held}");

    pair.wire().room = usize::MAX;
    let mut taken = first;
    while taken < large.len() {
        let Poll::Ready(count) = pair.write(&[&large[taken..]]) else {
            panic!("the wire has room again");
        };
        taken += count.unwrap();
    }
    assert!(pair.flush().is_ready());
    assert_eq!(pair.received(), large);
    pair.assert_owns_no_buffer();
}

#[test]
fn a_writer_waits_for_the_handshake() {
    let mut pair = Pair::new(&TLS13);
    assert!(pair.write(&[b"early"]).is_pending());
    let mut written = false;
    for _ in 0..4 {
        pair.carry_to_server();
        written = written || pair.write(&[b"early"]).is_ready();
        pair.carry_to_client();
    }
    assert!(written);
    assert_eq!(pair.received(), b"early");
}

#[test]
fn keys_may_be_renewed() {
    let mut pair = Pair::established(&TLS13);
    for round in 0..3 {
        pair.client.refresh_traffic_keys().unwrap();
        pair.client.writer().write_all(b"ping").unwrap();
        pair.carry_to_server();
        assert_eq!(pair.read_all(), b"ping", "round {round}");
        assert!(pair.write(&[b"pong"]).is_ready());
        assert_eq!(pair.received(), b"pong", "round {round}");
    }
}

#[test]
fn close_notify_is_sent_and_received() {
    let mut pair = Pair::established(&TLS13);
    assert!(pair.write(&[b"last"]).is_ready());
    assert!(pair.shut_down().is_ready());
    assert!(pair.wire().shut_down);
    assert_eq!(pair.received(), b"last");
    // With `close_notify` it is an end and not an error.
    assert_eq!(pair.client.reader().read(&mut [0; 8]).unwrap(), 0);
    let Poll::Ready(Err(error)) = pair.write(&[b"more"]) else {
        panic!("nothing can be written after the end");
    };
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);

    // The other side is still open.
    pair.client.writer().write_all(b"answer").unwrap();
    pair.client.send_close_notify();
    pair.carry_to_server();
    assert_eq!(pair.read_all_until_end(), (b"answer".to_vec(), Ok(())));
}

#[test]
fn a_client_that_has_ended_still_receives() {
    let mut pair = Pair::established(&TLS13);
    pair.client.writer().write_all(b"question").unwrap();
    pair.client.send_close_notify();
    pair.carry_to_server();
    assert_eq!(pair.read_all_until_end(), (b"question".to_vec(), Ok(())));
    assert!(pair.write(&[b"answer"]).is_ready());
    assert!(pair.shut_down().is_ready());
    assert_eq!(pair.received(), b"answer");
}

#[test]
fn a_stream_that_is_cut_is_an_error() {
    let mut pair = Pair::established(&TLS13);
    pair.client.writer().write_all(b"half").unwrap();
    pair.carry_to_server();
    pair.wire.end_input();
    let end = (b"half".to_vec(), Err(ErrorKind::UnexpectedEof));
    assert_eq!(pair.read_all_until_end(), end);
    let mut pair = Pair::new(&TLS13);
    pair.carry_to_server();
    pair.wire().input[0].truncate(50);
    pair.wire.end_input();
    let end = (Vec::new(), Err(ErrorKind::UnexpectedEof));
    assert_eq!(pair.read_all_until_end(), end);
}

#[test]
fn a_client_without_tls_gets_an_alert() {
    let mut pair = Pair::new(&TLS13);
    pair.wire.arrive("GET / HTTP/1.1\r\n\r\n");
    let end = (Vec::new(), Err(ErrorKind::InvalidData));
    assert_eq!(pair.read_all_until_end(), end);
    // A record of the type alert (RFC 8446 section 5.1).
    assert_eq!(pair.wire().output.first(), Some(&0x15));
    let Poll::Ready(Err(_)) = pair.write(&[b"more"]) else {
        panic!("a broken connection takes nothing");
    };
}

#[test]
fn bytes_that_were_changed_on_the_way_end_the_connection() {
    let mut pair = Pair::established(&TLS13);
    pair.client.writer().write_all(b"good").unwrap();
    pair.carry_to_server();
    pair.client.writer().write_all(b"evil").unwrap();
    pair.carry_to_server();
    let mut changed = pair.wire().input.pop_back().unwrap().to_vec();
    *changed.last_mut().unwrap() ^= 1;
    pair.wire.arrive(changed);
    // The data before the changed bytes is delivered.
    let end = (b"good".to_vec(), Err(ErrorKind::InvalidData));
    assert_eq!(pair.read_all_until_end(), end);
    assert_eq!(pair.wire().output.first(), Some(&0x17), "encrypted alert");
}

#[test]
fn memory_grows_with_what_arrives_and_has_a_bound() {
    let mut pair = Pair::new(&TLS13);
    // Records of a handshake message that announces 16 MiB. Only its first bytes arrive.
    let record = |payload: &[u8]| {
        let len = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [&[0x16, 3, 1, len[0], len[1]], payload].concat()
    };
    pair.wire.arrive(record(&[1, 0xff, 0xff, 0xff, 3, 3]));
    let (_, end) = pair.read_all_until_end();
    assert_eq!(
        end,
        Err(ErrorKind::InvalidData),
        "too long, and refused at once"
    );

    // The longest allowed message, which stays incomplete.
    let mut pair = Pair::new(&TLS13);
    let mut sent = 0;
    pair.wire.arrive(record(&[1, 0, 0xff, 0xff, 3, 3]));
    while pair.read().is_pending() {
        assert!(sent < 200_000, "it takes {sent} bytes of one message");
        assert!(pair.server.session.partial.len() <= 80 << 10);
        pair.wire.arrive(record(&[0; 100]));
        sent += 100;
    }
}

#[test]
fn a_task_is_woken_for_bytes_that_another_task_wrote_and_the_stream_holds() {
    let Pair {
        server,
        mut client,
        wire,
    } = Pair::established(&TLS13);
    let outbox = TaskHandle::new(&Limits::default());
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    outbox.attend(&waker);
    outbox.take(&mut Batch::default());
    assert!(outbox.is_asleep());

    // Room for the record's beginning, although the stream has taken all of it.
    wire.set_room(3);
    outbox.enqueue(5, |batch| {
        batch.push(Opcode::Text, &Bytes::from_static(b"hello"))
    });
    let outlet = sync::Mutex::new(Outlet::new(server));
    assert_eq!(outlet.flush(&outbox, false), Some(true));
    assert!(outlet.lock().writing.is_empty());
    assert_eq!(wakes.count(), 1);

    wire.set_room(usize::MAX);
    let mut cx = Context::from_waker(&waker);
    assert!(outlet.lock().poll_flush(&mut cx).is_ready());
    client.read_tls(&mut &wire.take()[..]).unwrap();
    client.process_new_packets().unwrap();
    let mut received = [0; 7];
    client.reader().read_exact(&mut received).unwrap();
    assert_eq!(&received, b"\x81\x05hello");
}

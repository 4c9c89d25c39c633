//! permessage-deflate (RFC 7692), in both directions.

use bytes::BytesMut;
use crossws_core::Deflate;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

use super::stream::{Random, pieces};
use super::*;
use crate::deflate::{Deflater, Inflater, Negotiated, deflate_frame};
use crate::frame::Opcode;
use crate::handshake::extensions::offer::negotiate;

/// More than all contexts of the tests use.
const ENOUGH: usize = 1 << 30;

fn client(inflater: Inflater) -> Decoder {
    Decoder::new(Role::Client, &Limits::default()).with_inflater(inflater)
}

/// Decodes bytes as a client does. A violation is represented by its code.
fn read(decoder: &mut Decoder, bytes: &[u8]) -> Vec<Result<Event, u16>> {
    let mut bytes = bytes.to_vec();
    let mut input = &mut bytes[..];
    let mut events = Vec::new();
    loop {
        match decoder.decode(&mut input) {
            Ok(Some(event)) => events.push(Ok(event)),
            Ok(None) => return events,
            Err(violation) => {
                events.push(Err(violation.code().get()));
                return events;
            }
        }
    }
}

fn text(text: &str) -> Result<Event, u16> {
    Ok(Event::Message(text.into()))
}

fn negotiated(config: &Deflate, offer: &str) -> Negotiated {
    let agreed = negotiate(config, [offer.as_bytes()].into_iter());
    agreed.unwrap().unwrap().negotiated
}

fn takeover() -> Deflate {
    Deflate::default()
        .server_no_context_takeover(false)
        .threshold(1_usize)
        .max_context_memory(ENOUGH)
}

/// Compresses a payload with deflate, without the tail.
fn deflate(payload: &[u8], level: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() * 2 + 100);
    let mut state = Compress::new(Compression::new(level), false);
    state
        .compress_vec(payload, &mut bytes, FlushCompress::Sync)
        .unwrap();
    assert_eq!(state.total_in(), payload.len() as u64);
    bytes.truncate(bytes.len() - 4);
    bytes
}

#[test]
fn the_rfcs_examples_are_understood() {
    // Section 7.2.3.
    let cases: &[&[u8]] = &[
        b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00",
        b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00",
        b"\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
        b"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
        b"\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
        b"\x81\x05Hello",
    ];
    for bytes in cases {
        assert_eq!(
            read(&mut client(Inflater::per_message()), bytes),
            [text("Hello")],
            "{bytes:x?}"
        );
        let both = [*bytes, *bytes].concat();
        let mut context = client(Inflater::with_context(15, ENOUGH).unwrap());
        assert_eq!(
            read(&mut context, &both),
            [text("Hello"), text("Hello")],
            "{bytes:x?}"
        );
    }
    let shared = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00";
    let mut context = client(Inflater::with_context(15, ENOUGH).unwrap());
    assert_eq!(read(&mut context, shared), [text("Hello"), text("Hello")]);
    let refers_to_nothing = read(&mut client(Inflater::per_message()), shared);
    assert_eq!(refers_to_nothing, [text("Hello"), Err(1007)]);
    for empty in [&b"\xc1\x01\x00"[..], b"\xc1\x00", b"\x41\x00\x80\x01\x00"] {
        assert_eq!(
            read(&mut client(Inflater::per_message()), empty),
            [text("")]
        );
    }
}

#[test]
fn rsv1_belongs_to_the_first_frame_of_a_message() {
    let cases: &[&[u8]] = &[
        b"\xc9\x00",
        b"\xca\x00",
        b"\xc8\x00",
        b"\xc0\x00",
        b"\x01\x00\xc0\x00",
        b"\x41\x00\xc0\x00",
    ];
    for bytes in cases {
        assert_eq!(
            read(&mut client(Inflater::per_message()), bytes),
            [Err(1002)],
            "{bytes:x?}"
        );
    }
    let between = b"\x41\x03\xf2\x48\xcd\x89\x01?\x80\x04\xc9\xc9\x07\x00";
    let events = read(&mut client(Inflater::per_message()), between);
    assert_eq!(events, [Ok(Event::Ping("?".into())), text("Hello")]);
}

#[test]
fn invalid_deflate_and_invalid_text_close_with_1007() {
    let read = |payload: &[u8]| {
        let bytes = frame(Role::Client, 0xc1, payload);
        read(&mut client(Inflater::per_message()), &bytes)
    };
    assert_eq!(read(b"\xff\xff\xff"), [Err(1007)]);
    assert_eq!(read(b"\x06"), [Err(1007)], "a reserved kind of block");
    assert_eq!(read(&deflate(b"caf\xe9", 6)), [Err(1007)]);
    assert_eq!(read(&deflate(&[0xff; 100_000], 6)), [Err(1007)]);
    let long = "zażółć ".repeat(10_000);
    assert_eq!(read(&deflate(long.as_bytes(), 6)), [text(&long)]);
    assert_eq!(
        read(&deflate(&long.as_bytes()[..long.len() - 2], 6)),
        [Err(1007)]
    );
}

#[test]
fn a_bomb_is_stopped_at_the_limit() {
    let limits = Limits::default().max_message_size(1 << 20);
    for (len, fine) in [(1 << 20, true), ((1 << 20) + 1, false), (100 << 20, false)] {
        let bomb = deflate(&vec![0; len], 9);
        let bytes = frame(Role::Client, 0xc2, &bomb);
        let mut decoder =
            Decoder::new(Role::Client, &limits).with_inflater(Inflater::per_message());
        match &read(&mut decoder, &bytes)[..] {
            [Ok(Event::Message(message))] if fine => {
                assert_eq!(message.len(), len);
                let vec = Vec::from(message.bytes());
                assert!(vec.capacity() <= 2 << 20);
            }
            [Err(1009)] if !fine => {}
            other => panic!("{len}: {other:?}"),
        }
    }
}

#[test]
fn empty_blocks_are_refused_above_the_bound() {
    let limits = Limits::default().max_message_size(1000);
    let mut decoder = Decoder::new(Role::Client, &limits).with_inflater(Inflater::per_message());
    let empty = b"\x00\x00\x00\xff\xff".repeat(20);
    let mut bytes = frame(Role::Client, 0x42, b"");
    bytes.extend(frame(Role::Client, 0x00, &empty).repeat(20));
    assert_eq!(read(&mut decoder, &bytes), [Err(1009)]);
    assert!(decoder.unfinished() <= 2500);
    // Within the bound, compressed input of every length passes, and incompressible input is no
    // longer than the bound.
    let mut random = Random(7);
    for len in [999, 1000] {
        let noise: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
        let bytes = frame(Role::Client, 0xc2, &deflate(&noise, 9));
        let mut decoder =
            Decoder::new(Role::Client, &limits).with_inflater(Inflater::per_message());
        assert_eq!(
            read(&mut decoder, &bytes),
            [Ok(Event::Message(noise.into()))]
        );
    }
}

/// Returns messages of all kinds: like one another, long, short, and incompressible.
pub(super) fn messages(random: &mut Random) -> Vec<Message> {
    (0..8)
        .map(|at| match random.below(6) {
            0 => Message::from(format!("{{\"type\":\"move\",\"x\":{at},\"y\":7}}").repeat(20)),
            1 => Message::from("zażółć gęślą jaźń ".repeat(random.below(100))),
            2 => Message::from(
                (0..random.below(3000))
                    .map(|_| random.next() as u8)
                    .collect::<Vec<_>>(),
            ),
            3 => Message::from(vec![7; 70_000]),
            4 => Message::from(""),
            _ => Message::from("short, but not unlike the others"),
        })
        .collect()
}

#[test]
fn compressed_messages_are_read_back_under_all_parameters() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let bits = 9 + random.below(7);
        let config = match random.below(2) {
            0 => takeover(),
            _ => Deflate::default().threshold(random.below(300)),
        }
        .level(1 + random.below(9) as u8)
        .server_max_window_bits(bits as u8);
        let negotiated = negotiated(&config, "permessage-deflate");
        let mut deflater = Deflater::new(&negotiated);
        let inflater = match negotiated.outgoing.takes_context_over() {
            true => Inflater::with_context(15, ENOUGH).unwrap(),
            false => Inflater::per_message(),
        };
        let mut decoder = client(inflater);
        let mut compressed = 0;
        for message in messages(&mut random) {
            let mut bytes = BytesMut::new();
            let opcode = Opcode::from(&message);
            match random.below(8) {
                0 => {
                    deflater.interrupt();
                    if deflate_frame(&negotiated.outgoing, opcode, message.as_bytes(), &mut bytes) {
                        compressed += 1;
                    }
                }
                1 => deflater.release(),
                _ => {
                    if deflater.put_frame(opcode, message.as_bytes(), &mut bytes) {
                        compressed += 1;
                    }
                }
            }
            if bytes.is_empty() {
                crate::frame::put_frame(&mut bytes, opcode, message.as_bytes());
            } else {
                assert!(bytes.len() < message.len() + 10 && bytes[0] & 0x40 != 0);
            }
            let events: Vec<_> = pieces(&mut random, &bytes)
                .into_iter()
                .flat_map(|piece| read(&mut decoder, piece))
                .collect();
            assert_eq!(events, [Ok(Event::Message(message))], "seed {seed}");
        }
        assert!(compressed > 0 || seed > 0);
    }
}

#[test]
fn a_message_compressed_for_a_smaller_window_needs_no_larger_one() {
    let mut random = Random(1);
    // Repeats at every distance up to 64 KiB.
    let block: Vec<u8> = (0..2000).map(|_| random.next() as u8 % 16).collect();
    let payload: Vec<u8> = (0..40).flat_map(|at| block[at * 7..].to_vec()).collect();
    for bits in 9..=15 {
        for level in 1..=9 {
            let config = takeover().server_max_window_bits(bits).level(level);
            let negotiated = negotiated(&config, "permessage-deflate");
            let mut frame = Vec::new();
            assert!(deflate_frame(
                &negotiated.outgoing,
                Opcode::Binary,
                &payload,
                &mut frame
            ));
            let header = match frame[1] {
                126 => 4,
                127 => 10,
                _ => 2,
            };
            let mut input = frame[header..].to_vec();
            input.extend(b"\0\0\xff\xff");
            let mut state = Decompress::new_with_window_bits(false, bits);
            // In small steps, so that the inflater looks back at its window and not at the whole
            // output.
            let (mut output, mut at) = (Vec::<u8>::new(), 0);
            while output.len() < payload.len() {
                let mut step = [0; 64];
                let (read, written) = (state.total_in(), state.total_out());
                state
                    .decompress(&input[at..], &mut step, FlushDecompress::None)
                    .unwrap();
                at += (state.total_in() - read) as usize;
                output.extend(&step[..(state.total_out() - written) as usize]);
            }
            assert_eq!(output, payload, "{bits} bits, level {level}");
        }
    }
}

#[test]
fn context_makes_like_messages_smaller_and_is_released() {
    let negotiated = negotiated(&takeover(), "permessage-deflate");
    let message =
        "{\"type\":\"presence\",\"user\":\"someone\",\"state\":\"away\",\"since\":170000}";
    let mut deflater = Deflater::new(&negotiated);
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let mut frame = Vec::new();
        assert!(deflater.put_frame(Opcode::Text, message.as_bytes(), &mut frame));
        sizes.push(frame.len());
    }
    assert!(sizes[1] * 3 < sizes[0], "{sizes:?}");
    assert!(deflater.has_context());
    deflater.release();
    assert!(!deflater.has_context());
    let mut frame = Vec::new();
    assert!(deflater.put_frame(Opcode::Text, message.as_bytes(), &mut frame));
    assert_eq!(frame.len(), sizes[0], "the context starts again");
    deflater.rest();
    assert!(deflater.has_context(), "it was in use");
    deflater.rest();
    assert!(!deflater.has_context());
}

#[test]
fn without_budget_each_message_is_compressed_by_itself() {
    let config = takeover().max_context_memory(0_usize);
    let negotiated = negotiated(&config, "permessage-deflate");
    let mut deflater = Deflater::new(&negotiated);
    let message = "like this one ".repeat(10);
    let mut both = Vec::new();
    for _ in 0..2 {
        assert!(deflater.put_frame(Opcode::Text, message.as_bytes(), &mut both));
    }
    assert!(!deflater.has_context());
    let (one, two) = both.split_at(both.len() / 2);
    assert_eq!(one, two);
    assert!(Inflater::with_context(15, 0).is_none());
}

#[test]
fn short_and_incompressible_messages_stay_uncompressed() {
    let negotiated = negotiated(&Deflate::default(), "permessage-deflate");
    let mut random = Random(3);
    let noise: Vec<u8> = (0..5000).map(|_| random.next() as u8).collect();
    for payload in [&[][..], &[0; 1023], &noise] {
        let mut out = Vec::new();
        assert!(!deflate_frame(
            &negotiated.outgoing,
            Opcode::Binary,
            payload,
            &mut out
        ));
        assert!(out.is_empty());
    }
    let mut out = Vec::new();
    assert!(deflate_frame(
        &negotiated.outgoing,
        Opcode::Binary,
        &[0; 1024],
        &mut out
    ));
    let mut again = Vec::new();
    assert!(deflate_frame(
        &negotiated.outgoing,
        Opcode::Binary,
        &[0; 1024],
        &mut again
    ));
    assert_eq!(out, again, "the same bytes for every connection");
}

#[test]
fn a_message_that_hardly_shrinks_ends_no_connection() {
    let mut random = Random(3);
    for level in 1..=9 {
        let config = takeover().level(level);
        let negotiated = negotiated(&config, "permessage-deflate");
        let mut deflater = Deflater::new(&negotiated);
        let mut decoder = client(Inflater::with_context(15, ENOUGH).unwrap());
        // From noise to what shrinks a little. The output must fit, even if it is not used.
        for noise in [255, 200, 128, 96, 64] {
            let payload: Vec<u8> = (0..300_000)
                .map(|_| random.below(noise + 1) as u8)
                .collect();
            let mut bytes = BytesMut::new();
            if !deflater.put_frame(Opcode::Binary, &payload, &mut bytes) {
                crate::frame::put_frame(&mut bytes, Opcode::Binary, &payload);
            }
            let events = read(&mut decoder, &bytes);
            assert!(
                events == [Ok(Event::Message(payload.into()))],
                "{level} {noise}"
            );
        }
    }
}

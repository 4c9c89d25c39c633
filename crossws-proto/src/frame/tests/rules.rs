//! RFC 6455 rule by rule.

use crossws_core::{CloseFrame, Limit};

use super::*;

fn server(bytes: &[u8]) -> Outcome {
    decode::<Decoder>(Role::Server, &Limits::default(), &[bytes])
}

fn text(text: &str) -> Event {
    Event::Message(text.into())
}

#[test]
fn the_rfcs_examples_are_understood() {
    // Section 5.7.
    let cases: &[(Role, &[u8], &[Event])] = &[
        (Role::Client, b"\x81\x05Hello", &[text("Hello")]),
        (
            Role::Server,
            b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
            &[text("Hello")],
        ),
        (Role::Client, b"\x01\x03Hel\x80\x02lo", &[text("Hello")]),
        (
            Role::Client,
            b"\x89\x05Hello",
            &[Event::Ping("Hello".into())],
        ),
        (
            Role::Server,
            b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
            &[Event::Pong("Hello".into())],
        ),
    ];
    for (role, bytes, events) in cases {
        let outcome = decode::<Decoder>(*role, &Limits::default(), &[bytes]);
        assert_eq!((outcome.violation, &outcome.events[..]), (None, *events));
    }
    for len in [256, 65_536] {
        let bytes = frame(Role::Client, 0x82, &vec![7; len]);
        let outcome = decode::<Decoder>(Role::Client, &Limits::default(), &[&bytes]);
        assert_eq!(outcome.events, [Event::Message(vec![7; len].into())]);
    }
}

#[test]
fn every_broken_rule_has_its_close_code() {
    let long = [b'x'; 126];
    let cases: &[(&str, &[&[u8]], u16)] = &[
        ("unmasked", &[b"\x81\x05hello"], 1002),
        ("RSV1", &[&masked(0xc1, b"")], 1002),
        ("RSV2", &[&masked(0xa1, b"")], 1002),
        ("RSV3", &[&masked(0x91, b"")], 1002),
        ("RSV1 on a ping", &[&masked(0xc9, b"")], 1002),
        ("opcode 3", &[&masked(0x83, b"")], 1002),
        ("opcode 15", &[&masked(0x8f, b"")], 1002),
        ("a fragmented ping", &[&masked(0x09, b"")], 1002),
        ("a long ping", &[&masked(0x89, &long)], 1002),
        ("a long close", &[&masked(0x88, &long)], 1002),
        ("a continuation of nothing", &[&masked(0x80, b"")], 1002),
        (
            "text in text",
            &[&masked(0x01, b"a"), &masked(0x81, b"b")],
            1002,
        ),
        (
            "binary in empty text",
            &[&masked(0x01, b""), &masked(0x82, b"")],
            1002,
        ),
        ("a longer form", &[b"\x81\xfe\0\x05kkkkhello"], 1002),
        ("a huge length", &[b"\x82\xff\x80\0\0\0\0\0\0\0kkkk"], 1002),
        ("half a code", &[&masked(0x88, b"\x03")], 1002),
        ("code 1005", &[&masked(0x88, b"\x03\xed")], 1002),
        ("a reason", &[&masked(0x88, b"\x03\xe8\xff")], 1007),
        ("not UTF-8", &[&masked(0x81, b"\xff")], 1007),
        ("half a character", &[&masked(0x81, b"\xe2\x82")], 1007),
        (
            "half a character at the end of fragments",
            &[&masked(0x01, b"\xe2\x82"), &masked(0x80, b"")],
            1007,
        ),
        ("over the limit", &[b"\x82\xff\0\0\0\0\0\x10\0\x01"], 0),
        (
            "over the limit",
            &[b"\x82\xff\0\0\0\0\0\x10\0\x01kkkk"],
            1009,
        ),
    ];
    for (name, frames, code) in cases {
        let outcome = server(&frames.concat());
        assert_eq!(outcome.code().unwrap_or_default(), *code, "{name}");
        assert_eq!(outcome.events, [], "{name}");
    }
    let masked = masked(0x81, b"hello");
    let outcome = decode::<Decoder>(Role::Client, &Limits::default(), &[&masked]);
    assert_eq!(outcome.code(), Some(1002), "a server's frame is not masked");
}

#[test]
fn a_message_that_has_ended_is_not_continued() {
    let bytes = [masked(0x01, b""), masked(0x80, b""), masked(0x80, b"")].concat();
    let outcome = server(&bytes);
    assert_eq!(
        (&outcome.events[..], outcome.code()),
        (&[text("")][..], Some(1002))
    );
}

#[test]
fn control_frames_come_between_fragments() {
    let bytes = [
        masked(0x01, "zażó".as_bytes()),
        masked(0x89, b"?"),
        masked(0x00, b""),
        masked(0x8a, b""),
        masked(0x80, "łć".as_bytes()),
        masked(0x88, b"\x03\xe8bye"),
        masked(0x81, b"unseen"),
    ]
    .concat();
    let bye = CloseFrame::new(CloseCode::NORMAL, "bye");
    let expected = [
        Event::Ping("?".into()),
        Event::Pong("".into()),
        text("zażółć"),
        Event::Close(Some(bye)),
    ];
    assert_eq!(server(&bytes).events, expected);
}

#[test]
fn bad_utf_8_fails_as_soon_as_it_arrives() {
    // The end of the message is far away, and that of the frame too.
    let bytes = masked(0x01, b"good \xf4\x90 and a lot that need not be waited for");
    let enough = 6 + "good ".len() + 2;
    let limits = Limits::default();
    let sooner = decode::<Decoder>(Role::Server, &limits, &[&bytes[..enough - 1]]);
    assert_eq!(sooner.violation, None);
    let outcome = decode::<Decoder>(Role::Server, &limits, &[&bytes[..enough]]);
    assert_eq!(outcome.code(), Some(1007));
}

#[test]
fn empty_fragments_count_towards_the_bounds() {
    let limits = Limits::default().max_message_size(10).max_fragments(3);
    let run = |frames: &[Vec<u8>]| {
        let outcome = decode::<Decoder>(Role::Server, &limits, &[&frames.concat()]);
        (outcome.events.len(), outcome.code())
    };
    let (first, more, last) = (masked(1, b"12345"), masked(0, b""), masked(0x80, b"67890"));
    assert_eq!(run(&[masked(0x81, b"1234567890")]), (1, None));
    assert_eq!(run(&[masked(0x81, b"12345678901")]), (0, Some(1009)));
    assert_eq!(run(&[first.clone(), more.clone(), last.clone()]), (1, None));
    assert_eq!(
        run(&[first.clone(), masked(0x80, b"678901")]),
        (0, Some(1009))
    );
    let four = [first.clone(), more.clone(), more.clone(), last.clone()];
    assert_eq!(run(&four), (0, Some(1008)));
    // Each message starts a new count, and control frames do not count.
    let twice = [first, masked(0x89, b""), masked(0x89, b""), more, last];
    assert_eq!(run(&[twice.concat(), twice.concat()]), (6, None));

    let frames = Limits::default().max_frame_size(5);
    let run = |frames_of: &[Vec<u8>]| {
        let outcome = decode::<Decoder>(Role::Server, &frames, &[&frames_of.concat()]);
        (outcome.events.len(), outcome.code())
    };
    assert_eq!(run(&[masked(0x81, b"12345")]), (1, None));
    assert_eq!(run(&[masked(0x81, b"123456")]), (0, Some(1009)));
    assert_eq!(
        run(&[masked(1, b"12345"), masked(0x80, b"67890")]),
        (1, None)
    );
    assert_eq!(
        run(&[masked(1, b"12345"), masked(0x80, b"678901")]),
        (0, Some(1009))
    );
    assert_eq!(
        run(&[masked(0x89, b"1234567")]),
        (1, None),
        "a ping is none of them"
    );

    let none = Limits::default().max_message_size(0).max_fragments(0);
    let outcome = decode::<Decoder>(Role::Server, &none, &[&masked(0x81, b"")]);
    assert_eq!(outcome.code(), Some(1008));
    let unlimited = Limits::default().max_fragments(Limit::Unlimited);
    let count = if cfg!(miri) { 100 } else { 20_000 };
    let many = [
        masked(1, b""),
        masked(0, b"").repeat(count),
        masked(0x80, b""),
    ]
    .concat();
    let outcome = decode::<Decoder>(Role::Server, &unlimited, &[&many]);
    assert_eq!(outcome.events, [text("")]);
}

#[test]
fn a_limit_is_checked_before_anything_is_stored() {
    let limits = Limits::default().max_message_size(1000);
    let outcome = decode::<Decoder>(Role::Server, &limits, &[b"\x82\xfe\x03\xe9kkkk"]);
    assert_eq!(outcome.code(), Some(1009));
}

use bytes::BytesMut;
use crossws_core::{CloseCode, Deflate, Limits, Message};
use crossws_proto::handshake::Handshake;
use crossws_proto::deflate::{Deflater, Inflater, Negotiated};
use crossws_proto::frame::{
    Decoder, Event, Opcode, Role, Violation, put_masked_frame,
};
use http::Request;

/// Returns everything that a decoder reads from the pieces, up to a close frame or a violation,
/// with or without `decode_short`.
fn decode<'a>(
    mut decoder: Decoder,
    pieces: impl Iterator<Item = &'a [u8]>,
    shorter: bool,
) -> (Vec<Event>, Option<Violation>) {
    let mut events = Vec::new();
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        loop {
            if shorter && let Some(message) = decoder.decode_short(&mut input) {
                events.push(Event::Message(message));
                continue;
            }
            match decoder.decode(&mut input) {
                Ok(None) => break,
                Ok(Some(event)) => {
                    let over = matches!(event, Event::Close(_));
                    events.push(event);
                    if over {
                        return (events, None);
                    }
                }
                Err(violation) => return (events, Some(violation)),
            }
        }
        assert!(input.is_empty());
    }
    (events, None)
}

/// Decodes a frame stream in either role: no panic, no message over the limit, and the same events
/// however the stream is cut.
pub fn frames(data: &[u8]) {
    let [how, size, stream @ ..] = data else {
        return;
    };
    let role = match how & 1 {
        0 => Role::Server,
        _ => Role::Client,
    };
    let limits = Limits::default().max_message_size(2000).max_fragments(20);
    let decoder = || {
        let inflater = match how >> 1 & 3 {
            0 => None,
            1 => Inflater::with_context(15, usize::MAX >> 1),
            _ => Some(Inflater::per_message()),
        };
        Decoder::new(role, &limits).with_inflater(inflater)
    };
    let together = decode(decoder(), [stream].into_iter(), false);
    let apart = decode(decoder(), stream.chunks(usize::from(*size).max(1)), true);
    assert_eq!(together, apart);
    for event in together.0 {
        match event {
            Event::Message(message) => assert!(message.len() <= 2000),
            Event::Ping(data) | Event::Pong(data) => assert!(data.len() <= 125),
            _ => {}
        }
    }
}

/// Encodes a whole frame of a client.
fn masked(first: u8, payload: &[u8]) -> BytesMut {
    let mut frame = BytesMut::new();
    put_masked_frame(&mut frame, Opcode::Binary, payload).expect("randomness");
    frame[0] = first;
    frame
}

/// Inflates the bytes as a deflate stream, which must stay within the limit. Compresses them as a
/// message, which must come back unchanged.
pub fn deflate(data: &[u8]) {
    let limits = Limits::default().max_message_size(50_000);
    let decoder = |inflater: Inflater| Decoder::new(Role::Server, &limits).with_inflater(inflater);
    let frame = masked(0xc2, data);
    let (events, violation) = decode(
        decoder(Inflater::per_message()),
        [&frame[..]].into_iter(),
        false,
    );
    match (&events[..], violation) {
        ([Event::Message(message)], None) => assert!(message.len() <= 50_000),
        ([], Some(violation)) => {
            let code = violation.code();
            assert!(code == CloseCode::INVALID || code == CloseCode::TOO_BIG);
        }
        other => panic!("{other:?}"),
    }

    let [how, payload @ ..] = data else {
        return;
    };
    let negotiated = negotiated(*how);
    let mut deflater = Deflater::new(&negotiated);
    let inflater = match negotiated.outgoing.takes_context_over() {
        true => Inflater::with_context(15, usize::MAX >> 1).expect("room"),
        false => Inflater::per_message(),
    };
    let mut decoder = Decoder::new(Role::Client, &limits).with_inflater(inflater);
    let half = payload.len() / 2;
    for message in [payload, &payload[..half], &payload[half..], payload] {
        let mut frame = BytesMut::new();
        if deflater.put_frame(Opcode::Binary, message, &mut frame) {
            let event = decoder.decode(&mut &mut frame[..]);
            let expected = Event::Message(Message::from(message));
            assert_eq!(event, Ok(Some(expected)));
        }
    }
}

fn negotiated(how: u8) -> Negotiated {
    let config = Deflate::default()
        .threshold(1_usize)
        .server_max_window_bits(9 + how % 7)
        .level(1 + how / 7 % 9)
        .server_no_context_takeover(how & 1 == 0)
        .max_context_memory(usize::MAX >> 1);
    let parts = Request::get("/")
        .header("host", "a")
        .header("upgrade", "websocket")
        .header("connection", "upgrade")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-extensions", "permessage-deflate")
        .body(())
        .expect("a request")
        .into_parts()
        .0;
    let handshake = Handshake::check(&parts).expect("a handshake");
    let agreed = handshake.agree(Some(&config));
    *agreed
        .expect("an agreement")
        .deflate()
        .expect("compression")
}

/// Compares the verdict on a close frame's payload with the rules written out once more.
pub fn close(data: &[u8]) {
    let payload = &data[..data.len().min(125)];
    let frame = masked(0x88, payload);
    let decoder = Decoder::new(Role::Server, &Limits::default());
    let outcome = decode(decoder, [&frame[..]].into_iter(), true);
    let expected = match payload {
        [] => Ok(None),
        [_] => Err(1002),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            match (code, std::str::from_utf8(reason)) {
                (1000..=1003 | 1007..=1014 | 3000..=4999, Ok(reason)) => Ok(Some((code, reason))),
                (1000..=1003 | 1007..=1014 | 3000..=4999, Err(_)) => Err(1007),
                _ => Err(1002),
            }
        }
    };
    match (&outcome.0[..], outcome.1, expected) {
        ([Event::Close(None)], None, Ok(None)) => {}
        ([Event::Close(Some(frame))], None, Ok(Some((code, reason)))) => {
            assert_eq!((frame.code().get(), &**frame.reason()), (code, reason));
        }
        ([], Some(violation), Err(code)) => assert_eq!(violation.code().get(), code),
        other => panic!("{other:?}"),
    }
}

/// Compares text in pieces with std's verdict on the whole. It must fail as soon as no further byte
/// can complete it.
pub fn utf8(data: &[u8]) {
    let [size, text @ ..] = data else {
        return;
    };
    let size = usize::from(*size).max(1);
    let mut decoder = Decoder::new(Role::Server, &Limits::default());
    let mut seen = 0;
    let mut pieces = text.chunks(size).peekable();
    let mut first = 0x01;
    while let Some(piece) = pieces.next() {
        let fin = if pieces.peek().is_none() { 0x80 } else { 0 };
        seen += piece.len();
        let mut frame = masked(first | fin, piece);
        first = 0;
        let so_far = std::str::from_utf8(&text[..seen]);
        let event = decoder.decode(&mut &mut frame[..]);
        match (event, so_far) {
            (Ok(Some(Event::Message(message))), Ok(text)) if fin != 0 => {
                assert_eq!(message, Message::from(text));
                return;
            }
            (Ok(None), Ok(_)) if fin == 0 => {}
            (Ok(None), Err(error)) if fin == 0 && error.error_len().is_none() => {}
            (Err(violation), Err(error)) if fin != 0 || error.error_len().is_some() => {
                assert_eq!(violation.code(), CloseCode::INVALID);
                return;
            }
            other => panic!("{other:?}"),
        }
    }
}

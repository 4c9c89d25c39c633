//! Frames as bytes, for tests that a correct engine does not permit.

use crate::Event;

/// Encodes a close frame's payload.
pub(super) fn close_payload(closed: Option<(u16, String)>) -> Vec<u8> {
    let Some((code, reason)) = closed else {
        return Vec::new();
    };
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// Decodes a close frame's payload. A server must not send an invalid one.
pub(super) fn closed(payload: &[u8]) -> Option<(u16, String)> {
    if payload.is_empty() {
        return None;
    }
    let (code, reason) = payload.split_at_checked(2).expect("a whole code");
    let code = u16::from_be_bytes(code.try_into().unwrap());
    assert!(
        crossws_core::CloseCode::new(code).is_some(),
        "{code} on the wire"
    );
    Some((code, String::from_utf8(reason.to_vec()).unwrap()))
}

/// Takes a frame that a server may send from the front of `bytes`.
pub fn take(bytes: &mut Vec<u8>) -> Option<Event> {
    let [first, second, ..] = bytes[..] else {
        return None;
    };
    let compressed = first & 0x40 != 0;
    assert_eq!(first & 0x30, 0, "reserved bits");
    assert_eq!(first & 0x80, 0x80, "a fragment");
    assert_eq!(second & 0x80, 0, "a server's frame is not masked");
    let (size, start) = match second {
        126 => (
            usize::from(u16::from_be_bytes(*bytes[2..].first_chunk()?)),
            4,
        ),
        127 => (u64::from_be_bytes(*bytes[2..].first_chunk()?) as usize, 10),
        size => (usize::from(size), 2),
    };
    let payload = bytes.get(start..start + size)?.to_vec();
    bytes.drain(..start + size);
    Some(match first & 0x0f {
        1 | 2 if compressed => Event::Compressed(payload),
        _ if compressed => panic!("a control frame is not compressed"),
        1 => Event::Text(String::from_utf8(payload).unwrap()),
        2 => Event::Binary(payload),
        8 => Event::Close(closed(&payload)),
        9 => Event::Ping(payload),
        10 => Event::Pong(payload),
        other => panic!("opcode {other} from a server"),
    })
}

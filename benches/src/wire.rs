//! The part of RFC 6455 that the load generator and the floor need. It trusts the other end to use
//! the same part; it is not an engine.

use std::io::{self, ErrorKind};
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// Opcode of a text message.
pub const TEXT: u8 = 1;
/// Opcode of a binary message.
pub const BINARY: u8 = 2;
/// Opcode of a close frame.
pub const CLOSE: u8 = 8;
/// Opcode of a ping.
pub const PING: u8 = 9;
/// Opcode of a pong.
pub const PONG: u8 = 10;

/// The key that every client here sends; [`ACCEPT`] is its response (RFC 6455, section 1.3).
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The accept value for [`KEY`].
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A whole frame at the front of a buffer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Frame {
    /// The opcode. FIN is set and no extension bit is, or [`frame`] would have failed.
    pub opcode: u8,
    /// The range of the payload.
    pub payload: Range<usize>,
    /// The masking key of a client's frame.
    pub mask: Option<[u8; 4]>,
}

/// Returns the frame at the start of `bytes`, or `None` if it is incomplete.
///
/// # Errors
/// For frames that no peer here sends: fragments, extension bits, and lengths above 4 GiB.
pub fn frame(bytes: &[u8]) -> io::Result<Option<Frame>> {
    let [first, second, ..] = *bytes else {
        return Ok(None);
    };
    if first & 0xf0 != 0x80 {
        return Err(invalid("a fragment, or an extension bit"));
    }
    let (length, mut at) = match second & 0x7f {
        126 => match bytes.get(2..4) {
            Some(&[a, b]) => (usize::from(u16::from_be_bytes([a, b])), 4),
            _ => return Ok(None),
        },
        127 => match bytes.get(2..10) {
            Some(&[0, 0, 0, 0, a, b, c, d]) => (u32::from_be_bytes([a, b, c, d]) as usize, 10),
            Some(_) => return Err(invalid("a frame of more than 4 GiB")),
            None => return Ok(None),
        },
        short => (usize::from(short), 2),
    };
    let mut mask = None;
    if second & 0x80 != 0 {
        let Some(&[a, b, c, d]) = bytes.get(at..at + 4) else {
            return Ok(None);
        };
        mask = Some([a, b, c, d]);
        at += 4;
    }
    let payload = at..at + length;
    Ok((payload.end <= bytes.len()).then_some(Frame {
        opcode: first & 0x0f,
        payload,
        mask,
    }))
}

/// Appends a frame's header. With a mask, it is a client's, and the caller must mask the payload.
pub fn put_header(out: &mut Vec<u8>, opcode: u8, length: usize, mask: Option<[u8; 4]>) {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    out.push(0x80 | opcode);
    if length < 126 {
        out.push(masked | length as u8);
    } else if let Ok(length) = u16::try_from(length) {
        out.push(masked | 126);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(masked | 127);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
    if let Some(mask) = mask {
        out.extend_from_slice(&mask);
    }
}

/// Appends a frame. With a mask, it is a client's.
pub fn put_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8], mask: Option<[u8; 4]>) {
    put_header(out, opcode, payload.len(), mask);
    let from = out.len();
    out.extend_from_slice(payload);
    if let Some(mask) = mask {
        apply_mask(&mut out[from..], mask);
    }
}

/// Masks or unmasks: both are the same operation (RFC 6455, section 5.3).
pub fn apply_mask(bytes: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

/// Returns a client's upgrade request.
pub fn request(path: &str, host: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// Returns the end of the head at the start of `bytes`.
pub fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .map(|at| at + 4)
}

/// Returns the value of a header, matching its name case-insensitively.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// Returns whether a head is the 101 that accepts [`request`].
pub fn is_accepted(head: &[u8]) -> bool {
    std::str::from_utf8(head).is_ok_and(|head| {
        head.starts_with("HTTP/1.1 101") && header(head, "sec-websocket-accept") == Some(ACCEPT)
    })
}

/// Returns a server's 101 to a request's head, and the requested path.
///
/// # Errors
/// When the head is not UTF-8 or is not an upgrade.
pub fn accept(head: &[u8]) -> io::Result<(String, String)> {
    let head = std::str::from_utf8(head).map_err(io::Error::other)?;
    let path = head
        .split(' ')
        .nth(1)
        .ok_or_else(|| invalid("no request"))?;
    let key = header(head, "sec-websocket-key").ok_or_else(|| invalid("no upgrade"))?;
    let hash = Sha1::new()
        .chain_update(key)
        .chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        STANDARD.encode(hash)
    );
    Ok((path.to_owned(), answer))
}

/// Creates an error about received bytes.
pub fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 7, 8, 125, 126, 65_535, 65_536] {
            for mask in [None, Some([1, 2, 3, 4])] {
                let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
                let mut bytes = Vec::new();
                put_frame(&mut bytes, BINARY, &payload, mask);
                assert!(frame(&bytes[..bytes.len() - 1]).unwrap().is_none());
                let frame = frame(&bytes).unwrap().unwrap();
                let read = &mut bytes[frame.payload];
                if let Some(mask) = frame.mask {
                    apply_mask(read, mask);
                }
                assert_eq!(
                    (frame.opcode, frame.mask, &*read),
                    (BINARY, mask, &*payload)
                );
            }
        }
    }

    #[test]
    fn the_handshake_is_that_of_the_rfc() {
        let (path, answer) = accept(request("/chat", "host").as_bytes()).unwrap();
        assert_eq!(path, "/chat");
        assert!(is_accepted(answer.as_bytes()));
    }
}

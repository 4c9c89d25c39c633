//! A frame's header, read and written (RFC 6455 section 5.2).

use bytes::BufMut;

use super::{Opcode, Role, Violation};

/// The longest header of an unmasked frame: two bytes, and eight of length.
pub const MAX_HEADER: usize = 10;

/// The longest header of a masked frame: four bytes of masking key follow the length.
pub const MAX_MASKED_HEADER: usize = MAX_HEADER + 4;

// Bits of the first byte.
pub(super) const FIN: u8 = 0x80;
pub(super) const RSV1: u8 = 0x40;

/// A bit of the second byte.
pub(super) const MASKED: u8 = 0x80;

/// The longest payload of a control frame (RFC 6455 section 5.5).
const MAX_CONTROL: u8 = 125;

/// A frame's header, after every check that needs no other state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) fin: bool,
    /// RSV1: the message is compressed (RFC 7692 section 6).
    pub(super) rsv1: bool,
    pub(super) opcode: Opcode,
    pub(super) len: u64,
    /// Zeros, which change nothing, if the frame is unmasked.
    pub(super) key: [u8; 4],
}

impl Header {
    /// Parses the header at the front of `bytes`. Returns it with its length, or `None` if it is
    /// incomplete and no rule is broken so far.
    #[inline]
    pub(super) fn parse(bytes: &[u8], role: Role) -> Result<Option<(Self, usize)>, Violation> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        if first & 0x30 != 0 {
            return Err(Violation::protocol("a reserved bit is set"));
        }
        let fin = first & FIN != 0;
        let opcode = match first & 0x0f {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xa => Opcode::Pong,
            _ => return Err(Violation::protocol("a reserved opcode")),
        };
        let masked = second & MASKED != 0;
        match (role, masked) {
            (Role::Server, false) => {
                return Err(Violation::protocol("a client's frame is unmasked"));
            }
            (Role::Client, true) => return Err(Violation::protocol("a server's frame is masked")),
            _ => {}
        }
        let short = second & 0x7f;
        if opcode.is_control() && (!fin || short > MAX_CONTROL) {
            return Err(Violation::protocol(
                "a control frame is fragmented or too long",
            ));
        }
        let (len, rest, form) = match short {
            126 => {
                let Some((len, rest)) = rest.split_first_chunk() else {
                    return Ok(None);
                };
                (u16::from_be_bytes(*len).into(), rest, 2)
            }
            127 => {
                let Some((len, rest)) = rest.split_first_chunk() else {
                    return Ok(None);
                };
                (u64::from_be_bytes(*len), rest, 8)
            }
            short => (short.into(), rest, 0),
        };
        if (form == 2 && len <= MAX_CONTROL.into()) || (form == 8 && len <= u16::MAX.into()) {
            return Err(Violation::protocol(
                "a length in a longer form than it needs",
            ));
        }
        if len >> 63 != 0 {
            return Err(Violation::protocol(
                "the length's most significant bit is set",
            ));
        }
        let mut header = Self {
            fin,
            rsv1: first & 0x40 != 0,
            opcode,
            len,
            key: [0; 4],
        };
        if !masked {
            return Ok(Some((header, 2 + form)));
        }
        let Some(key) = rest.first_chunk() else {
            return Ok(None);
        };
        header.key = *key;
        Ok(Some((header, 6 + form)))
    }
}

/// Returns the length of a whole unmasked frame whose payload has `len` bytes.
#[inline]
pub(crate) fn unmasked_len(len: usize) -> usize {
    let header = match len {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => MAX_HEADER,
    };
    len.saturating_add(header)
}

/// Appends the header of a frame whose payload has `len` bytes.
#[inline]
pub fn put_header(buf: &mut impl BufMut, opcode: Opcode, len: usize) {
    put_first_and_len(buf, FIN | opcode as u8, 0, len);
}

/// Appends the header of a frame whose payload is masked with this key.
pub(super) fn put_masked_header(buf: &mut impl BufMut, first: u8, len: usize, key: [u8; 4]) {
    if let len @ 0..=125 = len {
        // In one step, because most are short.
        let [a, b, c, d] = key;
        return buf.put_slice(&[first, MASKED | len as u8, a, b, c, d]);
    }
    put_first_and_len(buf, first, MASKED, len);
    buf.put_slice(&key);
}

/// Appends a header up to its length, which follows the first byte.
#[inline]
pub(super) fn put_first_and_len(buf: &mut impl BufMut, first: u8, masked: u8, len: usize) {
    // The shortest of the three length forms, as section 5.2 demands.
    match len {
        0..=125 => buf.put_slice(&[first, masked | len as u8]),
        126..=0xffff => {
            let [a, b] = (len as u16).to_be_bytes();
            buf.put_slice(&[first, masked | 126, a, b]);
        }
        _ => {
            buf.put_slice(&[first, masked | 127]);
            buf.put_u64(len as u64);
        }
    }
}

/// Returns the length, header included, of the frame at the start of `head`. Returns `None` if
/// `head` does not hold the whole header.
pub fn frame_len(head: &[u8]) -> Option<usize> {
    let (header, payload): (usize, u64) = match head.get(1)? & 0x7f {
        126 => (
            4,
            u16::from_be_bytes(head.get(2..4)?.try_into().ok()?).into(),
        ),
        127 => (10, u64::from_be_bytes(head.get(2..10)?.try_into().ok()?)),
        len => (2, len.into()),
    };
    let key = if head.get(1)? & MASKED == 0 { 0 } else { 4 };
    let header: usize = header + key;
    header.checked_add(usize::try_from(payload).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a server's verdict on the front of its input: complete, incomplete, or the broken
    /// rule.
    fn server(bytes: &[u8]) -> Result<Option<(u64, usize)>, String> {
        match Header::parse(bytes, Role::Server) {
            Ok(header) => Ok(header.map(|(header, len)| (header.len, len))),
            Err(violation) => {
                assert_eq!(violation.code().get(), 1002);
                Err(violation.to_string())
            }
        }
    }

    #[test]
    fn every_form_of_length_is_read_and_only_the_shortest_allowed() {
        type Read = Option<(u64, usize)>;
        let cases: &[(&[u8], Read)] = &[
            (b"\x82\x80kkkk", Some((0, 6))),
            (b"\x82\xfdkkkk", Some((125, 6))),
            (b"\x82\xfe\x00\x7ekkkk", Some((126, 8))),
            (b"\x82\xfe\xff\xffkkkk", Some((65_535, 8))),
            (b"\x82\xff\0\0\0\0\0\x01\0\0kkkk", Some((65_536, 14))),
            (
                b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xffkkkk",
                Some((u64::MAX >> 1, 14)),
            ),
            (b"\x82\xfe\x00\x7dkkkk", None),
            (b"\x82\xfe\x00\x00kkkk", None),
            (b"\x82\xff\0\0\0\0\0\0\xff\xffkkkk", None),
            (b"\x82\xff\0\0\0\0\0\0\0\x01kkkk", None),
            (b"\x82\xff\x80\0\0\0\0\0\0\0kkkk", None),
            (b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xffkkkk", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(server(bytes).ok().flatten(), *expected, "{bytes:x?}");
            assert_eq!(server(bytes).is_err(), expected.is_none(), "{bytes:x?}");
            if expected.is_some() {
                for len in 0..bytes.len() {
                    assert_eq!(server(&bytes[..len]), Ok(None), "{:x?}", &bytes[..len]);
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "too many headers for an interpreter")]
    fn two_bytes_of_a_header_suffice_for_most_verdicts() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let opcode = first & 0x0f;
                let control = opcode & 0x8 != 0;
                let fine = first & 0x30 == 0
                    && matches!(opcode, 0..=2 | 8..=10)
                    && (!control || (first & 0x80 != 0 && second & 0x7f <= 125));
                let masked = second & 0x80 != 0;
                let bytes = [first, second];
                let server = Header::parse(&bytes, Role::Server);
                let client = Header::parse(&bytes, Role::Client);
                assert_eq!(server.is_ok(), fine && masked, "{bytes:x?}");
                assert_eq!(client.is_ok(), fine && !masked, "{bytes:x?}");
            }
        }
    }

    #[test]
    fn a_servers_header_ends_with_the_length() {
        let (header, len) = Header::parse(b"\x09\x00", Role::Client).err().map_or_else(
            || panic!("a fragmented ping"),
            |_| {
                Header::parse(b"\xc1\x05hello", Role::Client)
                    .unwrap()
                    .unwrap()
            },
        );
        assert_eq!(
            (header.len, len, header.rsv1, header.key),
            (5, 2, true, [0; 4])
        );
    }
}

//! Whole frames on their way out. A client's are masked.

use bytes::{BufMut, BytesMut};
use crossws_core::CloseFrame;
use crossws_core::adapter::{Encoding, Publication};
use smallvec::SmallVec;

use super::header::{FIN, MAX_MASKED_HEADER, RSV1, put_first_and_len, put_masked_header};
use super::{Opcode, mask, put_header};

/// Appends a frame with a compressed message (RFC 7692 section 6.1). With a key, the payload is
/// masked in place.
pub fn put_compressed_frame(
    buf: &mut impl BufMut,
    opcode: Opcode,
    payload: &mut [u8],
    key: Option<[u8; 4]>,
) {
    let first = FIN | RSV1 | opcode as u8;
    match key {
        None => put_first_and_len(buf, first, 0, payload.len()),
        Some(key) => {
            put_masked_header(buf, first, payload.len(), key);
            mask::apply(payload, key);
        }
    }
    buf.put_slice(payload);
}

/// Appends an unmasked frame.
pub fn put_frame(buf: &mut impl BufMut, opcode: Opcode, payload: &[u8]) {
    put_header(buf, opcode, payload.len());
    buf.put_slice(payload);
}

/// Appends a frame as a client sends it: masked with a fresh key from the system's random source
/// (RFC 6455 section 5.3).
///
/// # Errors
/// When the system's random source fails. Then nothing is appended.
pub fn put_masked_frame(
    buf: &mut BytesMut,
    opcode: Opcode,
    payload: &[u8],
) -> Result<(), getrandom::Error> {
    let key = mask::fresh_key()?;
    buf.reserve(MAX_MASKED_HEADER + payload.len());
    put_masked_header(buf, FIN | opcode as u8, payload.len(), key);
    mask::put(buf, payload, key);
    Ok(())
}

/// Appends a close frame. Its payload is empty for `None` and for a frame without a code.
pub fn put_close(buf: &mut impl BufMut, frame: Option<&CloseFrame>) {
    put_frame(buf, Opcode::Close, &close_payload(frame));
}

/// Appends a close frame as a client sends it: masked. `None` means an empty payload.
///
/// # Errors
/// When the system's random source fails. Then nothing is appended.
pub fn put_masked_close(
    buf: &mut BytesMut,
    frame: Option<&CloseFrame>,
) -> Result<(), getrandom::Error> {
    put_masked_frame(buf, Opcode::Close, &close_payload(frame))
}

/// Encodes the payload on the stack: a control frame has at most 125 bytes (RFC 6455 section 5.5).
fn close_payload(frame: Option<&CloseFrame>) -> SmallVec<[u8; 128]> {
    let mut payload = SmallVec::new();
    if let Some(frame) = frame.filter(|frame| frame.has_code()) {
        payload.extend_from_slice(&frame.code().get().to_be_bytes());
        payload.extend_from_slice(frame.reason().as_bytes());
    }
    payload
}

/// The wire format of what a server publishes: whole frames. Only its name is used, as a type.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ServerFrame;

/// What a client sends: whole frames, masked. Only its name is used, as a type.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ClientFrame;

impl Encoding for ServerFrame {
    fn append(_: u64, publication: &Publication, to: &mut Vec<u8>) {
        let message = publication.message();
        put_frame(to, message.into(), message.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{frame_len, unmasked_len};

    #[test]
    fn the_shortest_length_form_is_used_and_read_back() {
        for (len, header) in [
            (0, 2),
            (125, 2),
            (126, 4),
            (0xffff, 4),
            (0x1_0000, 10),
            (1 << 20, 10),
        ] {
            let mut frame = Vec::new();
            let publication = Publication::new(vec![7; len].into());
            ServerFrame::append(0, &publication, &mut frame);
            assert_eq!(frame.len(), header + len);
            assert_eq!(frame.len(), unmasked_len(len));
            assert_eq!(frame[0], 0x82);
            assert_eq!(frame_len(&frame[..header]), Some(header + len));
        }
    }

    #[test]
    fn a_close_frame_carries_code_and_reason_or_nothing() {
        let mut buf = Vec::new();
        put_close(&mut buf, None);
        put_close(
            &mut buf,
            Some(&CloseFrame::new(crossws_core::CloseCode::NORMAL, "ok")),
        );
        assert_eq!(&buf[..], b"\x88\x00\x88\x04\x03\xe8ok");
    }
}

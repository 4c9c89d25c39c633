use std::io::BufRead;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use crossws_core::adapter::{Encoding, Publication};
use crossws_core::{CloseFrame, Message};
use crossws_proto::frame::Opcode;
use crossws_proto::outbox::Framing;
use serde_json::json;

use crate::format::lines::{put_field, put_lines};

/// A message as an event: a text without a name, bytes as `binary` in base64, a close frame as
/// `close`. Each ends with an empty line, and contains none.
#[derive(Debug, Default)]
pub(crate) struct EventFrame;

impl EventFrame {
    pub(crate) fn encode(message: &Message) -> Bytes {
        let mut event = BytesMut::with_capacity(message.len() + 16);
        put_message(&mut event, message);
        event.freeze()
    }
}

fn put_message(to: &mut BytesMut, message: &Message) {
    match message.text() {
        Ok(text) if message.is_text() => put_lines(to, "data", text),
        _ => {
            put_field(to, "event", "binary");
            put_field(to, "data", &BASE64_STANDARD.encode(message.as_bytes()));
        }
    }
    to.extend_from_slice(b"\n");
}

impl Framing for EventFrame {
    fn len_of_first(bytes: &[u8]) -> Option<usize> {
        let mut rest = bytes;
        // Line by line, which is faster than byte by byte.
        while let Ok(1..) = rest.skip_until(b'\n') {
            if let [b'\n', after @ ..] = rest {
                return Some(bytes.len() - after.len());
            }
        }
        None
    }

    /// There are no pings: the stream's comments are not answered.
    fn put_control(_: &mut BytesMut, _: Opcode, _: &[u8]) -> bool {
        false
    }

    fn put_close(to: &mut BytesMut, frame: Option<&CloseFrame>) -> bool {
        put_field(to, "event", "close");
        let close = frame.filter(|frame| frame.has_code());
        let close = close.map(|frame| {
            let code = frame.code().get();
            json!({ "code": code, "reason": &**frame.reason() })
        });
        let close = close.unwrap_or_else(|| json!({}));
        put_field(to, "data", &close.to_string());
        to.extend_from_slice(b"\n");
        true
    }
}

/// All event streams share the encoding of a publication. The ids, which differ, are added when it
/// is written.
impl Encoding for EventFrame {
    fn append(_: u64, publication: &Publication, to: &mut Vec<u8>) {
        to.extend_from_slice(&Self::encode(publication.message()));
    }
}

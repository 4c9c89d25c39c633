use bytes::BytesMut;
use crossws_core::CloseFrame;

use crate::frame::{self, ClientFrame, Opcode, ServerFrame, put_close, put_frame};

/// How messages become bytes, and where one ends.
///
/// Messages are queued encoded. Control frames are encoded when they are taken. An implementation is
/// a name, of which no value is used; it has a default so that what is generic over it can derive one.
pub trait Framing: Default + 'static {
    /// Returns the length of the message or control frame at the start of `bytes`. `None` if `bytes`
    /// are too few to tell. By default, of a WebSocket's frame.
    #[inline]
    fn len_of_first(bytes: &[u8]) -> Option<usize> {
        frame::frame_len(bytes)
    }

    /// Appends a ping or a pong, if the framing has such. Returns whether it could be encoded.
    fn put_control(to: &mut BytesMut, opcode: Opcode, data: &[u8]) -> bool;

    /// Appends the last thing of the connection. Returns `false` if it cannot be encoded: then the
    /// connection is dropped.
    fn put_close(to: &mut BytesMut, frame: Option<&CloseFrame>) -> bool;
}

impl Framing for ServerFrame {
    fn put_control(to: &mut BytesMut, opcode: Opcode, data: &[u8]) -> bool {
        put_frame(to, opcode, data);
        true
    }

    fn put_close(to: &mut BytesMut, frame: Option<&CloseFrame>) -> bool {
        put_close(to, frame);
        true
    }
}

/// It cannot encode while the system's random source fails.
impl Framing for ClientFrame {
    fn put_control(to: &mut BytesMut, opcode: Opcode, data: &[u8]) -> bool {
        frame::put_masked_frame(to, opcode, data).is_ok()
    }

    fn put_close(to: &mut BytesMut, frame: Option<&CloseFrame>) -> bool {
        frame::put_masked_close(to, frame).is_ok()
    }
}

use super::header::MAX_MASKED_HEADER;
use super::{Opcode, Partial};

/// The unfinished frame and message.
#[derive(Debug, Default)]
pub(super) struct Begun {
    /// The beginning of a header.
    pub(super) head: [u8; MAX_MASKED_HEADER],
    pub(super) head_len: u8,
    /// The frame whose payload is arriving.
    pub(super) frame: Option<Arriving>,
    /// The arrived part of a control frame's payload.
    pub(super) control: Vec<u8>,
    /// The message whose frames, or pieces of a frame, are arriving.
    pub(super) message: Option<Partial>,
    /// The number of its frames so far.
    pub(super) fragments: u32,
}

/// A frame whose payload is arriving.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arriving {
    pub(super) opcode: Opcode,
    pub(super) fin: bool,
    pub(super) compressed: bool,
    /// Bytes of the payload that have not arrived.
    pub(super) left: usize,
    /// The masking key, rotated to the next byte of the payload.
    pub(super) key: [u8; 4],
}

impl Arriving {
    /// Returns how many bytes the message is known to need. After a frame that is not the last,
    /// more frames may follow, and reserving for each alone would copy the message each time.
    pub(super) fn coming(&self) -> usize {
        match self.fin {
            true => self.left,
            false => usize::MAX,
        }
    }
}

impl Begun {
    /// Returns how many bytes of memory it owns, itself included.
    pub(super) fn owned(&self) -> usize {
        let message = self.message.as_ref().map_or(0, Partial::capacity);
        size_of::<Self>() + self.control.capacity() + message
    }
}

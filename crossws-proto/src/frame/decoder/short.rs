//! Short messages, decoded in a few steps.

use crossws_core::{Limits, Message};

use super::{Decoder, take};
use crate::frame::header::{FIN, MASKED};
use crate::frame::{Kind, Opcode, Role, mask};

/// The first byte of a final frame without extensions.
const FIN_TEXT: u8 = FIN | Opcode::Text as u8;
const FIN_BINARY: u8 = FIN | Opcode::Binary as u8;

/// The length of a short frame's header, to which a client adds a masking key.
const SHORT_HEADER: usize = 2;
const MASKED_SHORT_HEADER: usize = SHORT_HEADER + 4;

impl Decoder {
    /// The longest payload whose length fits into a header's second byte.
    pub const MAX_SHORT: usize = 125;

    /// Decodes a message in one short frame without extensions, as most are. Returns `None`
    /// if something else comes next; then nothing is consumed, and [`decode`](Self::decode) returns it.
    ///
    /// The few steps build the message in place: moving a message a few times costs as much as decoding
    /// it.
    #[inline(always)]
    pub fn decode_short(&mut self, input: &mut &mut [u8]) -> Option<Message> {
        match self.role {
            Role::Server => {
                let &[first, second, ref key @ ..] = input.first_chunk::<MASKED_SHORT_HEADER>()?;
                let key = *key;
                // Clears the mask bit. If it was not set, this sets it, and the length is too large for
                // a short frame.
                self.take_short(input, first, second ^ MASKED, Some(key))
            }
            Role::Client => {
                let &[first, len] = input.first_chunk()?;
                self.take_short(input, first, len, None)
            }
        }
    }

    #[inline(always)]
    fn take_short(
        &mut self,
        input: &mut &mut [u8],
        first: u8,
        len: u8,
        key: Option<[u8; 4]>,
    ) -> Option<Message> {
        let kind = match first {
            FIN_TEXT => Kind::Text,
            FIN_BINARY => Kind::Binary,
            _ => return None,
        };
        if len >= self.short_below || self.begun.is_some() {
            return None;
        }
        let header = SHORT_HEADER + key.map_or(0, |key| key.len());
        let end = header + usize::from(len);
        let payload = input.get_mut(header..end)?;
        if let Some(key) = key {
            mask::apply(payload, key);
        }
        let Ok(message) = kind.whole(payload) else {
            if let Some(key) = key {
                mask::apply(payload, key);
            }
            return None;
        };
        take(input, end);
        Some(message)
    }
}

/// Returns the length below which a message may be a short one: 0 if none may.
pub(super) fn below(limits: &Limits) -> u8 {
    if limits.max_fragments.get() == 0 {
        return 0;
    }
    let message = limits.max_message_size.get();
    let most = message
        .min(limits.max_frame_size.get())
        .min(Decoder::MAX_SHORT);
    most as u8 + 1
}

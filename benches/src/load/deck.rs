use std::io;

use crossws_bench::wire;

/// Bytes of a payload that encode its sender and its number.
const HEADER: usize = 8;
/// The first of the characters that encode them, six bits each.
const FIRST: u8 = b'0';
/// The rest of a payload is a piece of a text of this length; the message's number selects the
/// piece.
const LARGEST: usize = 16 << 10;

/// Messages that can be told apart and checked to the last byte.
pub(crate) struct Deck {
    filler: Vec<u8>,
    size: usize,
    opcode: u8,
}

impl Deck {
    /// Creates messages of this size in bytes, header included.
    pub(crate) fn new(size: usize, binary: bool) -> Self {
        assert!(
            (HEADER..=LARGEST).contains(&size),
            "a size that messages can have"
        );
        // ASCII without repetition within 64 bytes, so that the check detects a shifted or torn
        // payload.
        let filler = (0..LARGEST + 64).map(|i| b'!' + ((i * 7 + i / 64) % 90) as u8);
        Self {
            filler: filler.collect(),
            size,
            opcode: if binary { wire::BINARY } else { wire::TEXT },
        }
    }

    fn filler(&self, number: u32) -> &[u8] {
        let from = (number % 64) as usize;
        &self.filler[from..from + self.size - HEADER]
    }

    /// Appends a message as a frame. With a mask, it is a client's.
    pub(crate) fn put(&self, out: &mut Vec<u8>, sender: u32, number: u32, mask: Option<[u8; 4]>) {
        wire::put_header(out, self.opcode, self.size, mask);
        let from = out.len();
        out.extend_from_slice(&header(sender, number));
        out.extend_from_slice(self.filler(number));
        if let Some(mask) = mask {
            wire::apply_mask(&mut out[from..], mask);
        }
    }

    /// Returns the sender of this payload. [`Deck::check`] verifies that it is the right one.
    pub(crate) fn sender(payload: &[u8]) -> io::Result<u32> {
        let Some([a, b, c]) = payload.first_chunk() else {
            return Err(wire::invalid("a message too short to be ours"));
        };
        let digit = |byte: &u8| u32::from(byte.wrapping_sub(FIRST));
        Ok(digit(a) | digit(b) << 6 | digit(c) << 12)
    }

    /// Returns whether the payload is this message and no other.
    pub(crate) fn check(
        &self,
        opcode: u8,
        payload: &[u8],
        sender: u32,
        number: u32,
    ) -> io::Result<()> {
        let same = opcode == self.opcode
            && payload.split_first_chunk() == Some((&header(sender, number), self.filler(number)));
        if same {
            return Ok(());
        }
        Err(wire::invalid(format!(
            "not message {number} of client {sender}, in {} bytes, but opcode {opcode} and {} bytes: {}",
            self.size,
            payload.len(),
            payload[..payload.len().min(80)].escape_ascii()
        )))
    }
}

fn header(sender: u32, number: u32) -> [u8; HEADER] {
    let digit = |value: u32, at: u32| FIRST + (value >> (6 * at) & 63) as u8;
    [
        digit(sender, 0),
        digit(sender, 1),
        digit(sender, 2),
        digit(number, 0),
        digit(number, 1),
        digit(number, 2),
        digit(number, 3),
        digit(number, 4),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_message_is_noticed() {
        let deck = Deck::new(32, false);
        let mut frame = Vec::new();
        deck.put(&mut frame, 77, 1_000_000, None);
        let payload = &mut frame[2..];
        assert_eq!(Deck::sender(payload).unwrap(), 77);
        deck.check(wire::TEXT, payload, 77, 1_000_000).unwrap();
        deck.check(wire::BINARY, payload, 77, 1_000_000)
            .unwrap_err();
        deck.check(wire::TEXT, payload, 77, 1_000_001).unwrap_err();
        deck.check(wire::TEXT, payload, 78, 1_000_000).unwrap_err();
        deck.check(wire::TEXT, &payload[..31], 77, 1_000_000)
            .unwrap_err();
        for at in 0..payload.len() {
            payload[at] ^= 1;
            deck.check(wire::TEXT, payload, 77, 1_000_000).unwrap_err();
            payload[at] ^= 1;
        }
    }
}

//! UTF-8 that arrives in pieces, with each byte checked once.

use std::str;

use crossws_core::CloseCode;

use super::Violation;
use super::buffer::growth;

/// Returns the bytes as text.
#[inline]
pub(super) fn check(bytes: &[u8]) -> Result<&str, Violation> {
    // simdutf8 itself uses std's check below 64 bytes.
    simdutf8::basic::from_utf8(bytes).map_err(|_| invalid())
}

#[cold]
fn invalid() -> Violation {
    Violation::new(CloseCode::INVALID, "invalid UTF-8")
}

/// An incomplete text message. A piece that cannot become UTF-8 fails at once, not at the end of
/// the message (RFC 6455 section 8.1).
#[derive(Debug, Default)]
pub(crate) struct Text {
    text: String,
    /// The beginning of an incomplete character.
    tail: [u8; 4],
    tail_len: usize,
}

impl Text {
    /// Appends a piece of a message that expects `coming` more bytes.
    pub(super) fn push(&mut self, mut bytes: &[u8], coming: usize) -> Result<(), Violation> {
        if self.tail_len > 0 {
            let count = (width(self.tail[0]) - self.tail_len).min(bytes.len());
            let (head, rest) = bytes.split_at(count);
            self.put_tail(head);
            match str::from_utf8(&self.tail[..self.tail_len]) {
                Ok(character) => {
                    self.text.push_str(character);
                    self.tail_len = 0;
                }
                Err(error) if error.error_len().is_none() => return Ok(()),
                Err(_) => return Err(invalid()),
            }
            bytes = rest;
        }
        let (whole, tail) = bytes.split_at(boundary(bytes));
        let text = check(whole)?;
        let (len, capacity) = (self.text.len(), self.text.capacity());
        let room = growth(len, capacity, text.len(), coming);
        self.text.reserve_exact(room);
        self.text.push_str(text);
        match str::from_utf8(tail) {
            Err(error) if error.error_len().is_some() => Err(invalid()),
            _ => {
                self.put_tail(tail);
                Ok(())
            }
        }
    }

    fn put_tail(&mut self, bytes: &[u8]) {
        let room = self.tail.iter_mut().skip(self.tail_len);
        for (to, from) in room.zip(bytes) {
            *to = *from;
        }
        self.tail_len += bytes.len();
    }

    pub(super) fn len(&self) -> usize {
        self.text.len() + self.tail_len
    }

    pub(super) fn capacity(&self) -> usize {
        self.text.capacity()
    }

    /// Returns the whole text.
    pub(super) fn finish(self) -> Result<String, Violation> {
        if self.tail_len == 0 {
            Ok(self.text)
        } else {
            Err(invalid())
        }
    }
}

/// Returns the number of bytes in a character with this first byte.
fn width(lead: u8) -> usize {
    match lead {
        0..0xc0 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
    }
}

/// Returns the start of an incomplete last character, or the end.
fn boundary(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(3);
    for (index, byte) in bytes.iter().enumerate().skip(from).rev() {
        match byte {
            0..0x80 => break,
            0x80..0xc0 => {}
            lead if index + width(*lead) > bytes.len() => return index,
            _ => break,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the text of the pieces, or the number of bytes after which they failed.
    fn pieces(pieces: &[&[u8]]) -> Result<String, usize> {
        let mut text = Text::default();
        let mut seen = 0;
        for piece in pieces {
            seen += piece.len();
            text.push(piece, piece.len()).map_err(|_| seen)?;
        }
        text.finish().map_err(|_| seen)
    }

    #[test]
    fn every_sequence_has_the_verdict_of_std_however_it_is_split() {
        // All sequences of the bytes at which the rules of UTF-8 change.
        let edges = [
            0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
            0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
        ];
        let one_in = if cfg!(miri) { 2003 } else { 1 };
        for number in (0..edges.len().pow(4)).step_by(one_in) {
            let mut number = number;
            let bytes: [u8; 4] = std::array::from_fn(|_| {
                let byte = edges[number % edges.len()];
                number /= edges.len();
                byte
            });
            let expected = str::from_utf8(&bytes).ok();
            for split in 0..=4 {
                let (head, tail) = bytes.split_at(split);
                assert_eq!(
                    pieces(&[head, tail]).ok().as_deref(),
                    expected,
                    "{bytes:x?}"
                );
            }
            let [a, b, c, d] = bytes;
            // Byte by byte it fails exactly where std says that no further byte can complete it.
            let failed = pieces(&[&[a], &[b], &[c], &[d]]);
            assert_eq!(failed.as_deref().ok(), expected, "{bytes:x?}");
            if let Err(seen) = failed {
                let sooner = str::from_utf8(&bytes[..seen - 1]);
                assert!(sooner.map_or_else(|error| error.error_len().is_none(), |_| true));
            }
        }
    }

    #[test]
    fn long_text_is_kept_as_it_is_in_pieces_of_any_size() {
        let text = "zażółć 🦀 — 测试 plain".repeat(50);
        let one_in = if cfg!(miri) { 40 } else { 1 };
        for size in (1..200).step_by(one_in) {
            let parts: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            assert_eq!(pieces(&parts).unwrap(), text);
        }
    }
}

//! permessage-deflate (RFC 7692): its negotiation, the way in and the way out.
//!
//! The library is `flate2` on `zlib-rs`: all Rust, permissive, kept by the Rust project and by
//! Trifecta Tech, and of its backends in Rust the only one that compresses within a smaller window.
//! One JSON message of 1,010 bytes, reset before each, on one core of the machine that this was
//! written on:
//!
//! | level | zlib-rs | miniz_oxide |
//! | --- | --- | --- |
//! | 1 | 338 bytes, 4.0 µs | 271 bytes, 18.1 µs |
//! | 3 | 265 bytes, 15.7 µs | 265 bytes, 18.8 µs |
//! | 6 | 257 bytes, 19.6 µs | 256 bytes, 21.5 µs |
//! | inflate, at 1 | 1.2 µs | 3.4 µs |

mod answer;
mod budget;
mod compress;
mod extensions;
mod inflate;
mod offer;
mod terms;

use crossws_core::Deflate;

pub(crate) use self::answer::Offer;
pub use self::compress::{Deflater, deflate_frame};
pub use self::extensions::Malformed;
pub use self::inflate::Inflater;
pub(crate) use self::offer::negotiate;

/// The extension's name.
const NAME: &str = "permessage-deflate";

/// What a compressed message ends with before it is sent, and again when it has arrived
/// (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// How what leaves is compressed. Connections with equal parameters and without context takeover
/// get the same bytes for the same message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Outgoing {
    window_bits: u8,
    level: u8,
    threshold: usize,
    takeover: bool,
}

impl Outgoing {
    /// Whether a message may refer to the ones before it on its connection, so that a compressor
    /// of the connection's own makes it smaller: see [`Deflater`].
    pub fn takes_context_over(&self) -> bool {
        self.takeover
    }
}

/// What the two sides have agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Negotiated {
    /// For what leaves.
    pub outgoing: Outgoing,
    /// Whether a message that arrives may refer to those before it.
    pub incoming_takeover: bool,
    max_context_memory: usize,
}

/// What the two sides have agreed on, and what one of them needs for it.
#[derive(Debug)]
pub(crate) struct Agreed {
    pub(crate) negotiated: Negotiated,
    /// As in the answer's header.
    pub(crate) answer: String,
    pub(crate) inflater: Inflater,
}

/// The window bits that zlib can have.
fn window_bits(said: u8) -> u8 {
    said.clamp(9, 15)
}

impl Outgoing {
    /// All of it but the takeover, as a number.
    pub fn to_bits(self) -> u64 {
        let threshold = (self.threshold as u64).min(u64::MAX >> 8);
        threshold << 8 | u64::from(self.level) << 4 | u64::from(self.window_bits)
    }

    /// What [`to_bits`](Self::to_bits) made a number of.
    pub fn from_bits(bits: u64) -> Self {
        Self {
            window_bits: (bits & 15) as u8,
            level: (bits >> 4 & 15) as u8,
            threshold: usize::try_from(bits >> 8).unwrap_or(usize::MAX),
            takeover: false,
        }
    }

    /// For a window of `window_bits`. zlib has none of 256 bytes, 8 bits: then nothing is compressed,
    /// as either side may do with any message.
    fn new(config: &Deflate, window_bits: u8, takeover: bool) -> Self {
        Self {
            window_bits,
            level: config.level.clamp(1, 9),
            threshold: match window_bits {
                ..9 => usize::MAX,
                _ => config.threshold,
            },
            takeover,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_what_their_number_says() {
        for window_bits in 9..=15 {
            for level in [1, 5, 9] {
                for threshold in [0, 1, 1024, usize::MAX >> 8] {
                    let config = Deflate::default().level(level).threshold(threshold);
                    let outgoing = Outgoing::new(&config, window_bits, false);
                    assert_eq!(Outgoing::from_bits(outgoing.to_bits()), outgoing);
                }
            }
        }
    }
}

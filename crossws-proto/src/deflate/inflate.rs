use std::cell::RefCell;
use std::collections::VecDeque;

use crossws_core::{CloseCode, Message};
use flate2::{Decompress, FlushDecompress, Status};

use super::budget::Reservation;
use super::{TAIL, window_bits};
use crate::frame::{Kind, Partial, Violation};

#[cfg(test)]
mod tests;

/// The number of bytes that one step inflates, and the largest message that is copied once.
const STEP: usize = 16 << 10;

thread_local! {
    static SHARED: RefCell<Option<Decompress>> = const { RefCell::new(None) };
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Decompresses the messages of one connection.
///
/// All connections of a thread share one state. With context takeover, a connection owns only what
/// its next message may refer to: the end of its decompressed data. Loading 32 KiB of that into the
/// state takes less than a microsecond. A state per connection would take 44 KiB from its first
/// message on.
#[derive(Debug)]
pub struct Inflater(Option<Box<Window>>);

/// The last bytes of the decompressed data.
#[derive(Debug)]
struct Window {
    bytes: VecDeque<u8>,
    /// The most bytes that are kept.
    most: usize,
    #[expect(dead_code, reason = "returns its share of the budget on drop")]
    share: Reservation,
}

impl Inflater {
    /// Returns an inflater for messages that do not refer to one another.
    pub fn per_message() -> Self {
        Self(None)
    }

    /// Returns an inflater for messages that may refer 2 to the power of `bits` bytes back. `bits`
    /// is from 9 to 15; other values are brought into that range. Returns `None` if the contexts of
    /// this process could own more than `most` bytes.
    pub fn with_context(bits: u8, most: usize) -> Option<Self> {
        let window = 1 << window_bits(bits);
        let share = Reservation::take(window, most)?;
        let bytes = VecDeque::new();
        Some(Self(Some(Box::new(Window {
            bytes,
            most: window,
            share,
        }))))
    }

    /// Returns whether messages may refer to earlier ones.
    #[cfg(test)]
    pub fn takes_context_over(&self) -> bool {
        self.0.is_some()
    }

    /// Decompresses one message of at most `most` bytes.
    pub(crate) fn message(
        &mut self,
        kind: Kind,
        payload: &[u8],
        most: usize,
    ) -> Result<Message, Violation> {
        OUTPUT.with_borrow_mut(|output| {
            output.resize(STEP, 0);
            let message = SHARED.with_borrow_mut(|shared| {
                let state = shared.get_or_insert_with(|| Decompress::new(false));
                state.reset(false);
                if let Some(window) = &self.0 {
                    window.refer(state)?;
                }
                inflate(state, kind, payload, most, output)
            })?;
            if let Some(window) = &mut self.0 {
                window.push(message.as_bytes());
            }
            Ok(message)
        })
    }

    /// Returns how many bytes of earlier messages are kept.
    #[cfg(test)]
    pub fn owned(&self) -> usize {
        self.0.as_ref().map_or(0, |window| window.bytes.capacity())
    }
}

impl Window {
    /// Lets the next message refer to the kept bytes.
    fn refer(&self, state: &mut Decompress) -> Result<(), Violation> {
        let (older, newer) = self.bytes.as_slices();
        for bytes in [older, newer].into_iter().filter(|bytes| !bytes.is_empty()) {
            // zlib appends a second dictionary to the first.
            state.set_dictionary(bytes).map_err(|_| corrupt())?;
        }
        Ok(())
    }

    fn push(&mut self, message: &[u8]) {
        let from = message.len().saturating_sub(self.most);
        let fresh = message.get(from..).unwrap_or_default();
        let excess = (self.bytes.len() + fresh.len()).saturating_sub(self.most);
        self.bytes.drain(..excess);
        let len = self.bytes.len() + fresh.len();
        if self.bytes.capacity() < len {
            // Doubles, up to the size of the window.
            let room = len.max(self.bytes.capacity() * 2).min(self.most);
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        self.bytes.extend(fresh);
    }
}

/// Inflates in steps, so that a message that grows without end is stopped at the limit, and invalid
/// text at the step that decodes it.
fn inflate(
    state: &mut Decompress,
    kind: Kind,
    payload: &[u8],
    most: usize,
    output: &mut [u8],
) -> Result<Message, Violation> {
    let mut partial: Option<Partial> = None;
    let mut filled = 0;
    for mut input in [payload, &TAIL] {
        loop {
            let room = output.get_mut(filled..).unwrap_or_default();
            let free = room.len();
            let (read, written) = (state.total_in(), state.total_out());
            let status = state
                .decompress(input, room, FlushDecompress::Sync)
                .map_err(|_| corrupt())?;
            let read = (state.total_in() - read) as usize;
            let written = (state.total_out() - written) as usize;
            input = input.get(read..).unwrap_or_default();
            filled += written;
            let before = partial.as_ref().map_or(0, Partial::len);
            Violation::check_size((before + filled) as u64, most)?;
            if written == free {
                partial
                    .get_or_insert_with(|| Partial::new(kind, false))
                    .push(output, most - before)?;
                filled = 0;
            }
            match status {
                // RFC 7692 section 7.2.3.4 allows a last block; a new stream begins after it. zlib
                // cannot report what refers to data before that stream.
                Status::StreamEnd => state.reset(false),
                _ if written == free => continue,
                _ if read == 0 && !input.is_empty() => return Err(corrupt()),
                _ => {}
            }
            if input.is_empty() {
                break;
            }
        }
    }
    let rest = output.get(..filled).unwrap_or_default();
    match partial {
        None => kind.whole(rest),
        Some(mut partial) => {
            partial.push(rest, rest.len())?;
            // Inflated already.
            partial.finish(|_, _| Err(corrupt()))
        }
    }
}

/// Returns the violation for a corrupt payload, with the code (1007) that browsers and other
/// servers use too: RFC 7692 names none.
fn corrupt() -> Violation {
    Violation::new(CloseCode::INVALID, "invalid compression")
}

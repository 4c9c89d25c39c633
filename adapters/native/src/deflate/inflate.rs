use std::cell::RefCell;

use crossws_core::{CloseCode, Message};
use flate2::{Decompress, FlushDecompress, Status};

use super::TAIL;
use super::budget::{INFLATER, Reservation};
use crate::engine::{Kind, Partial, Violation};

/// What is inflated in one step; also the largest message that is copied once.
const STEP: usize = 16 << 10;

thread_local! {
    static SHARED: RefCell<Option<Decompress>> = const { RefCell::new(None) };
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Decompresses the messages of one connection.
///
/// Without context takeover it owns nothing: one state serves all connections of a thread.
#[derive(Debug)]
pub struct Inflater(Option<Box<Context>>);

#[derive(Debug)]
struct Context {
    state: Decompress,
    #[expect(dead_code, reason = "gives the memory's share back when it is dropped")]
    share: Reservation,
}

impl Inflater {
    /// For messages that do not refer to one another.
    pub fn per_message() -> Self {
        Self(None)
    }

    /// For messages that may refer to those before them; `None` if the contexts of this process
    /// would own more than `most` bytes.
    pub fn with_context(most: usize) -> Option<Self> {
        let share = Reservation::take(INFLATER, most)?;
        let state = Decompress::new(false);
        Some(Self(Some(Box::new(Context { state, share }))))
    }

    /// Whether messages may refer to those before them.
    #[cfg(test)]
    pub(crate) fn takes_context_over(&self) -> bool {
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
            match &mut self.0 {
                Some(context) => inflate(&mut context.state, kind, payload, most, output),
                None => SHARED.with_borrow_mut(|shared| {
                    let state = shared.get_or_insert_with(|| Decompress::new(false));
                    state.reset(false);
                    inflate(state, kind, payload, most, output)
                }),
            }
        })
    }
}

/// Step by step, so that a message that grows without end is stopped at the limit, and text that is
/// none where it is none.
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
            if before + filled > most {
                return Err(Violation::new(
                    CloseCode::TOO_BIG,
                    "decompressed, the message is over the limit",
                ));
            }
            if written == free {
                partial
                    .get_or_insert_with(|| Partial::new(kind, false))
                    .push(output, most - before)?;
                filled = 0;
            }
            match status {
                // A last block is allowed, and what follows it begins a new stream (RFC 7692
                // section 7.2.3.4). What it refers to behind its beginning, zlib cannot tell us.
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
            partial.finish(None, most)
        }
    }
}

/// A payload that does not fit its type, as browsers and other servers say too: RFC 7692 names no
/// code.
fn corrupt() -> Violation {
    Violation::new(CloseCode::INVALID, "invalid compression")
}

use std::cell::RefCell;

use bytes::BufMut;
use flate2::{Compress, Compression, FlushCompress};

use super::budget::{Reservation, compressor};
use super::{Negotiated, Outgoing, TAIL};
use crate::frame::mask;
use crate::frame::{Opcode, put_compressed_frame};

/// Most compressors that a thread keeps: clients choose among seven windows, 9 to 15 bits.
const KEPT: usize = 8;

/// A larger buffer is given back after use.
const KEPT_BUFFER: usize = 256 << 10;

thread_local! {
    /// By window and level.
    static SHARED: RefCell<Vec<((u8, u8), Compress)>> = const { RefCell::new(Vec::new()) };
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Appends a message as a frame that is compressed by itself, or nothing if that is not worth it:
/// answers which. A pure function of the parameters and the message, so that all connections with
/// these parameters can share the frame.
pub fn deflate_frame(
    outgoing: &Outgoing,
    opcode: Opcode,
    payload: &[u8],
    out: &mut impl BufMut,
) -> bool {
    outgoing.wants(payload) && put_by_itself(outgoing, opcode, payload, None, out)
}

/// Of a message that the parameters want compressed.
fn put_by_itself(
    outgoing: &Outgoing,
    opcode: Opcode,
    payload: &[u8],
    key: Option<[u8; 4]>,
    out: &mut impl BufMut,
) -> bool {
    SHARED.with_borrow_mut(|shared| {
        let parameters = (outgoing.window_bits, outgoing.level);
        let at = shared.iter().position(|(one, _)| *one == parameters);
        let at = at.unwrap_or_else(|| {
            if shared.len() >= KEPT {
                shared.remove(0);
            }
            shared.push((parameters, outgoing.compressor()));
            shared.len() - 1
        });
        shared.get_mut(at).is_some_and(|(_, state)| {
            state.reset();
            put_frame(state, opcode, payload, key, out)
        })
    })
}

/// Compresses what one connection sends. With context takeover a message may refer to those before
/// it, and a context is kept while the budget of the process allows it; else each message is
/// compressed by itself, which the other side need not know.
#[derive(Debug)]
pub struct Deflater {
    outgoing: Outgoing,
    max_context_memory: usize,
    context: Option<(Box<Compress>, Reservation)>,
    /// Used since it was last asked.
    used: bool,
}

impl Deflater {
    /// For a connection with these parameters. Owns no memory yet.
    pub fn new(negotiated: &Negotiated) -> Self {
        Self {
            outgoing: negotiated.outgoing,
            max_context_memory: negotiated.max_context_memory,
            context: None,
            used: false,
        }
    }

    /// Appends a message as a compressed frame, or nothing if that is not worth it: answers which.
    /// Frames must be sent in the order in which they were made.
    pub fn put_frame(&mut self, opcode: Opcode, payload: &[u8], out: &mut impl BufMut) -> bool {
        self.outgoing.wants(payload) && self.put(opcode, payload, None, out)
    }

    /// As [`put_frame`](Self::put_frame), as a client sends it: masked with a key of its own from
    /// the system's random source (RFC 6455 section 5.3).
    ///
    /// # Errors
    /// When the system has no randomness to give; then nothing is appended.
    pub fn put_masked_frame(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        out: &mut impl BufMut,
    ) -> Result<bool, getrandom::Error> {
        if !self.outgoing.wants(payload) {
            return Ok(false);
        }
        // Before the context has seen a message that could then not be sent.
        let key = mask::fresh_key()?;
        Ok(self.put(opcode, payload, Some(key), out))
    }

    fn put(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        key: Option<[u8; 4]>,
        out: &mut impl BufMut,
    ) -> bool {
        if self.outgoing.takeover && self.context.is_none() {
            let bytes = compressor(self.outgoing.window_bits);
            self.context = Reservation::take(bytes, self.max_context_memory)
                .map(|share| (Box::new(self.outgoing.compressor()), share));
        }
        let Some((state, _)) = &mut self.context else {
            return put_by_itself(&self.outgoing, opcode, payload, key, out);
        };
        self.used = true;
        let done = put_frame(state, opcode, payload, key, out);
        if !done {
            // It has seen what the other side will not: begin anew.
            state.reset();
        }
        done
    }

    /// A compressed frame of another making was sent on this connection, or one of this making was
    /// not: what follows refers to nothing before it.
    pub fn interrupt(&mut self) {
        if let Some((state, _)) = &mut self.context {
            state.reset();
        }
    }

    /// Gives the context's memory back, as an idle connection should. The next message begins a
    /// new one.
    pub fn release(&mut self) {
        self.context = None;
    }

    /// Called now and then: gives the context back if it was not used since the last time.
    pub fn rest(&mut self) {
        if !std::mem::take(&mut self.used) {
            self.release();
        }
    }

    /// Whether a context is owned.
    pub fn has_context(&self) -> bool {
        self.context.is_some()
    }
}

impl Outgoing {
    /// Whether a message is worth trying. An empty one has nothing to compress.
    pub fn wants(&self, payload: &[u8]) -> bool {
        payload.len() >= self.threshold.max(1)
    }

    fn compressor(&self) -> Compress {
        // Both were brought into their ranges, or this would panic.
        let level = Compression::new(self.level.clamp(1, 9).into());
        Compress::new_with_window_bits(level, false, super::window_bits(self.window_bits))
    }
}

/// Appends the frame if it is smaller than the message; then the state has moved on. If not, the
/// state is not to be used again before a reset.
fn put_frame(
    state: &mut Compress,
    opcode: Opcode,
    payload: &[u8],
    key: Option<[u8; 4]>,
    out: &mut impl BufMut,
) -> bool {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        let done = compress(state, payload, buffer);
        if done {
            put_compressed_frame(out, opcode, buffer, key);
        }
        if buffer.capacity() > KEPT_BUFFER {
            *buffer = Vec::new();
        }
        done
    })
}

/// Whether the payload became smaller.
fn compress(state: &mut Compress, payload: &[u8], buffer: &mut Vec<u8>) -> bool {
    // Room for what it becomes at worst, 9 bits a byte, though nothing larger than the message is of
    // use: zlib-rs panics at level 1 when what it has compressed finds no room.
    buffer.reserve(payload.len() + payload.len() / 8 + 64);
    let before = state.total_in();
    let result = state.compress_vec(payload, buffer, FlushCompress::Sync);
    let all = state.total_in() - before == payload.len() as u64;
    // A full buffer means that more is to come.
    let complete = result.is_ok() && all && buffer.len() < buffer.capacity();
    if !complete || !buffer.ends_with(&TAIL) {
        return false;
    }
    buffer.truncate(buffer.len() - TAIL.len());
    buffer.len() < payload.len()
}

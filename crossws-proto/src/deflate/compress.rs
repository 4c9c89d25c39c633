use std::cell::RefCell;

use bytes::BufMut;
use flate2::{Compress, Compression, FlushCompress};

use super::budget::{Reservation, compressor};
use super::{Negotiated, Outgoing, TAIL};
use crate::frame::{Opcode, mask, put_compressed_frame};

/// At most this many compressors are kept by a thread. Clients choose among seven windows, 9 to 15
/// bits.
const KEPT: usize = 8;

/// A larger buffer is released after use.
const KEPT_BUFFER: usize = 256 << 10;

thread_local! {
    /// Keyed by window and level.
    static SHARED: RefCell<Vec<((u8, u8), Compress)>> = const { RefCell::new(Vec::new()) };
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Appends a message as a frame that is compressed by itself. Returns `false`, and appends nothing,
/// if compression does not make it smaller. The result depends only on the parameters and the
/// message, so all connections with these parameters can share the frame.
pub fn deflate_frame(
    outgoing: &Outgoing,
    opcode: Opcode,
    payload: &[u8],
    out: &mut impl BufMut,
) -> bool {
    outgoing.wants(payload) && put_by_itself(outgoing, opcode, payload, None, out)
}

/// Compresses a message for which [`Outgoing::wants`] holds.
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

/// Compresses the messages of one connection.
///
/// With context takeover, a message may refer to earlier ones, and the connection keeps a context
/// while the process's budget allows it. Otherwise each message is compressed by itself, which the
/// other side need not know.
#[derive(Debug)]
pub struct Deflater {
    outgoing: Outgoing,
    max_context_memory: usize,
    context: Option<(Box<Compress>, Reservation)>,
    /// Whether the context was used since the last [`rest`](Self::rest).
    used: bool,
}

impl Deflater {
    /// Creates a compressor with these parameters. It owns no memory yet.
    pub fn new(negotiated: &Negotiated) -> Self {
        Self {
            outgoing: negotiated.outgoing,
            max_context_memory: negotiated.max_context_memory,
            context: None,
            used: false,
        }
    }

    /// Appends a message as a compressed frame. Returns `false`, and appends nothing, if
    /// compression does not make it smaller. The caller must send frames in the order in which it
    /// created them.
    pub fn put_frame(&mut self, opcode: Opcode, payload: &[u8], out: &mut impl BufMut) -> bool {
        self.outgoing.wants(payload) && self.put(opcode, payload, None, out)
    }

    /// Appends a compressed frame as a client sends it. As [`put_frame`](Self::put_frame), but
    /// masked with a fresh key from the system's random source (RFC 6455 section 5.3).
    ///
    /// # Errors
    /// When the system's random source fails. Then nothing is appended.
    pub fn put_masked_frame(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        out: &mut impl BufMut,
    ) -> Result<bool, getrandom::Error> {
        if !self.outgoing.wants(payload) {
            return Ok(false);
        }
        // Taken before the context sees the message: without a key the message could not be sent.
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
            // The context refers to data that the other side does not receive, so it starts again.
            state.reset();
        }
        done
    }

    /// Drops the context's references. Call it when this connection sends a compressed frame from
    /// elsewhere, or does not send a frame that this compressor created.
    pub fn interrupt(&mut self) {
        if let Some((state, _)) = &mut self.context {
            state.reset();
        }
    }

    /// Releases the context's memory, as an idle connection should. The next message starts a new
    /// context.
    pub fn release(&mut self) {
        self.context = None;
    }

    /// Releases the context if it was not used since the last call. Call it periodically.
    pub fn rest(&mut self) {
        if !std::mem::take(&mut self.used) {
            self.release();
        }
    }

    /// Returns whether a context is kept.
    pub fn has_context(&self) -> bool {
        self.context.is_some()
    }
}

impl Outgoing {
    /// Returns whether a message is worth compressing. An empty one has nothing to compress.
    pub fn wants(&self, payload: &[u8]) -> bool {
        payload.len() >= self.threshold.max(1)
    }

    fn compressor(&self) -> Compress {
        // Both must be in range, or `Compression` panics.
        let level = Compression::new(self.level.clamp(1, 9).into());
        Compress::new_with_window_bits(level, false, super::window_bits(self.window_bits))
    }
}

/// Appends the frame if it is smaller than the message; then the state has advanced. Otherwise the
/// caller must reset the state before it uses it again.
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

/// Compresses `payload` into `buffer`. Returns whether it became smaller.
fn compress(state: &mut Compress, payload: &[u8], buffer: &mut Vec<u8>) -> bool {
    // Room for the worst case, 9 bits per byte, although output larger than the message is useless:
    // zlib-rs panics at level 1 when its output does not fit.
    buffer.reserve(payload.len() + payload.len() / 8 + 64);
    let before = state.total_in();
    let result = state.compress_vec(payload, buffer, FlushCompress::Sync);
    let all = state.total_in() - before == payload.len() as u64;
    // A full buffer means that more output follows.
    let complete = result.is_ok() && all && buffer.len() < buffer.capacity();
    if !complete || !buffer.ends_with(&TAIL) {
        return false;
    }
    buffer.truncate(buffer.len() - TAIL.len());
    buffer.len() < payload.len()
}

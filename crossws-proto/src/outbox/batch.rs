mod chunks;
#[cfg(test)]
mod tests;

use std::io::IoSlice;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use crossws_core::adapter::QueueSize;

use self::chunks::{Chunk, Chunks, Keyed};
use super::Framing;
use crate::frame::{self, ClientFrame, MAX_HEADER, MAX_MASKED_HEADER, Opcode, ServerFrame};

/// Whole frames on their way out. Small frames are copied into one buffer, so that many leave in
/// one write. Large payloads are shared, so that many slow peers cost pointers.
#[derive(Default)]
pub struct Batch<F> {
    chunks: Chunks,
    bytes: usize,
    frames: u32,
    /// How many bytes of the first frame are left, if a part of it is written; else 0.
    first_left: usize,
    /// How large the first buffer should be.
    hint: u32,
    framing: PhantomData<fn() -> F>,
}

crossws_core::opaque_debug!([F] Batch<F>, self => bytes: self.bytes, frames: self.frames);

/// From this payload size on, sharing is cheaper than copying.
const SHARE_FROM: usize = 2048;

/// The smallest buffer: a few chat messages.
const MIN_BUFFER: usize = 256;

impl Batch<ServerFrame> {
    /// Appends one frame.
    pub fn push(&mut self, opcode: Opcode, payload: &Bytes) {
        let share = payload.len() >= SHARE_FROM;
        let copied = if share { 0 } else { payload.len() };
        self.bytes += self.append(MAX_HEADER + copied, |buf| {
            let before = buf.len();
            frame::put_header(buf, opcode, payload.len());
            if !share {
                buf.extend_from_slice(payload);
            }
            buf.len() - before
        });
        if share {
            self.bytes += payload.len();
            self.chunks.push_back(Chunk::Shared(payload.clone()));
        }
        self.count(1);
    }
}

impl Batch<ClientFrame> {
    /// Appends one frame, masked.
    ///
    /// # Errors
    /// When the system's random source fails. Then nothing is appended.
    pub fn push_masked(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), getrandom::Error> {
        let room = MAX_MASKED_HEADER + payload.len();
        self.bytes += self.append(room, |buf| {
            let before = buf.len();
            frame::put_masked_frame(buf, opcode, payload)?;
            Ok(buf.len() - before)
        })?;
        self.count(1);
        Ok(())
    }
}

impl<F: Framing> Batch<F> {
    /// Sizes the next buffer for this many bytes.
    pub fn expect(&mut self, bytes: usize) {
        self.hint = u32::try_from(bytes).unwrap_or(u32::MAX);
    }

    /// Appends frames that are encoded already, and that other connections send too.
    pub fn push_encoded(&mut self, frames: Bytes, count: usize) {
        let len = frames.len();
        self.bytes += len;
        self.count(count);
        if len >= SHARE_FROM {
            self.chunks.push_back(Chunk::Shared(frames));
        } else if len > 0 {
            self.append(len, |buf| buf.extend_from_slice(&frames));
        }
    }

    /// Appends a frame that is found by this key, until it moves on. Its time
    /// is 0.
    pub fn push_keyed(&mut self, key: Arc<str>, frame: Bytes) {
        self.bytes += frame.len();
        self.count(1);
        let time = 0;
        let keyed = Keyed { key, frame, time };
        self.chunks.push_back(Chunk::Keyed(Box::new(keyed)));
    }

    /// Sets the time of the last frame, if it has a key.
    pub(super) fn date(&mut self, time: u64) {
        if let Some(Chunk::Keyed(keyed)) = self.chunks.back_mut() {
            keyed.time = time;
        }
    }

    /// Removes the frame with this key, if no part of it is written. Returns its time and its length. It
    /// takes the same time however many keys wait.
    pub(super) fn take_out(&mut self, key: &str) -> Option<(u64, usize)> {
        if self.has_begun(key) {
            return None;
        }
        let keyed = self.chunks.take_out(key)?;
        self.bytes -= keyed.frame.len();
        self.uncount(1);
        Some((keyed.time, keyed.frame.len()))
    }

    /// Returns the length of the frame that [`take_out`](Self::take_out) would remove.
    pub(super) fn len_of(&self, key: &str) -> Option<usize> {
        let keyed = self.chunks.keyed(key).filter(|_| !self.has_begun(key));
        keyed.map(|keyed| keyed.frame.len())
    }

    /// Returns whether a part of the frame with this key is written.
    fn has_begun(&self, key: &str) -> bool {
        self.first_left != 0 && self.chunks.front().is_some_and(|first| first.has(key))
    }

    /// As [`push_encoded`](Self::push_encoded), of frames whose memory has another owner, too.
    pub fn push_shared(&mut self, frames: &Bytes, count: usize) {
        if frames.len() < SHARE_FROM {
            self.push_back(frames, count);
        } else {
            self.push_encoded(frames.clone(), count);
        }
    }

    /// Returns the size of the first whole frames that are at most this many bytes, or of the first
    /// one. Must be called only while no frame is partly written.
    pub(super) fn first_frames(&self, most: usize) -> QueueSize {
        let mut first = QueueSize::default();
        // How much of the last frame is in the chunks that follow.
        let mut beyond = 0;
        for chunk in self.chunks.iter() {
            let mut rest = chunk.as_slice();
            while let Some(after) = rest.get(beyond..).filter(|after| !after.is_empty()) {
                let len = F::len_of_first(after).unwrap_or(self.bytes - first.bytes);
                if first.messages > 0 && first.bytes + len > most {
                    return first;
                }
                first = first + QueueSize::new(len, 1);
                (rest, beyond) = (after, len);
            }
            beyond -= rest.len();
        }
        first
    }

    /// Moves this much of the front of the batch, in whole frames, to the end of another.
    pub fn move_front(&mut self, to: &mut Self, size: QueueSize) {
        let mut left = size.bytes;
        while left > 0
            && let Some(mut chunk) = self.chunks.pop_front()
        {
            if chunk.as_slice().len() > left {
                let piece = chunk.split_to(left);
                self.chunks.push_front(chunk);
                chunk = piece;
            }
            left -= chunk.as_slice().len();
            to.push_chunk(chunk);
        }
        self.bytes -= size.bytes;
        self.uncount(size.messages);
        to.bytes += size.bytes;
        to.count(size.messages);
    }

    /// Appends a chunk. A large one is shared or moved; a small one is copied, so that many are one
    /// slice.
    fn push_chunk(&mut self, chunk: Chunk) {
        let len = chunk.as_slice().len();
        if len >= SHARE_FROM {
            self.chunks.push_back(chunk.without_key());
        } else if len > 0 {
            self.append(len, |buf| buf.extend_from_slice(chunk.as_slice()));
        }
    }

    /// Puts frames before all others. Must be called only while no frame is partly written.
    pub fn push_front(&mut self, frames: BytesMut, count: usize) {
        if !frames.is_empty() {
            self.bytes += frames.len();
            self.count(count);
            self.chunks.push_front(Chunk::Own(frames));
        }
    }

    /// Appends frames that are encoded already.
    pub fn push_back(&mut self, frames: &[u8], count: usize) {
        self.append(frames.len(), |buf| buf.extend_from_slice(frames));
        self.bytes += frames.len();
        self.count(count);
    }

    /// Appends some bytes, for which a new buffer has room, to the buffer at the end.
    #[inline]
    fn append<T>(&mut self, room: usize, put: impl FnOnce(&mut BytesMut) -> T) -> T {
        let buf = match self.chunks.back_mut() {
            Some(Chunk::Own(buf)) => buf,
            _ => self.begin_buffer(room),
        };
        put(buf)
    }

    fn begin_buffer(&mut self, room: usize) -> &mut BytesMut {
        let hint = std::mem::take(&mut self.hint) as usize;
        let buf = BytesMut::with_capacity(room.max(hint).max(MIN_BUFFER));
        self.chunks.push_back(Chunk::Own(buf));
        match self.chunks.back_mut() {
            Some(Chunk::Own(buf)) => buf,
            _ => unreachable!("a buffer was just put there"),
        }
    }

    /// Returns how much there is.
    #[inline]
    pub fn size(&self) -> QueueSize {
        QueueSize::new(self.bytes, self.frames())
    }

    /// Returns how many bytes there are.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns how many frames there are, the partly written one included.
    pub fn frames(&self) -> usize {
        self.frames as usize
    }

    /// Adds to the count of frames. No machine has room for more frames than the count can
    /// represent. Only an unlimited queue could hold more, and its count wraps.
    #[inline]
    fn count(&mut self, frames: usize) {
        self.frames = self.frames.wrapping_add(frames as u32);
    }

    #[inline]
    fn uncount(&mut self, frames: usize) {
        self.frames = self.frames.wrapping_sub(frames as u32);
    }

    /// Returns whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Returns the bytes if they are one slice, which they nearly always are.
    #[inline]
    pub fn only_slice(&self) -> Option<&[u8]> {
        self.chunks.only().map(Chunk::as_slice)
    }

    /// Fills in the first bytes, as many slices as fit. Returns the number of slices.
    #[inline]
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut count = 0;
        for (slot, chunk) in slices.iter_mut().zip(self.chunks.iter()) {
            *slot = IoSlice::new(chunk.as_slice());
            count += 1;
        }
        count
    }

    /// Returns the bytes in their pieces. If no frame was pushed in parts, each piece has whole frames.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.chunks.iter().map(Chunk::as_slice)
    }

    /// Removes `count` bytes from the front, which are written.
    pub fn advance(&mut self, count: usize) {
        if count >= self.bytes {
            // The common case: everything left at once, and the memory is freed.
            *self = Self::default();
            return;
        }
        // Partly written: frames are counted off as they end.
        let mut left = count;
        while left > 0 {
            let step = self.first_left().min(left);
            self.skip(step);
            left -= step;
        }
    }

    /// Discards the first frame. Returns whether there was a whole one.
    pub fn drop_first(&mut self) -> bool {
        if self.is_empty() || self.first_left != 0 {
            return false;
        }
        let len = self.first_left();
        self.skip(len);
        true
    }

    /// Discards everything but the rest of a partly written frame: a close frame may be sent only
    /// between frames. Returns how many frames were discarded.
    pub fn keep_begun(&mut self) -> usize {
        let begun = self.first_left;
        let mut kept = Chunks::default();
        let mut left = begun;
        while left > 0
            && let Some(mut chunk) = self.chunks.pop_front()
        {
            let len = chunk.as_slice().len();
            chunk.truncate(left);
            left = left.saturating_sub(len);
            kept.push_back(chunk);
        }
        let frames = u32::from(begun > 0);
        let dropped = (self.frames - frames) as usize;
        *self = Self {
            chunks: kept,
            bytes: begun,
            frames,
            first_left: begun,
            ..Self::default()
        };
        dropped
    }

    /// Returns what is left of the first frame.
    fn first_left(&self) -> usize {
        if self.first_left != 0 {
            return self.first_left;
        }
        // A header is never split between chunks; if it were, the rest would count as one frame.
        let head = self.chunks.front().map(Chunk::as_slice);
        head.and_then(F::len_of_first)
            .unwrap_or(self.bytes)
            .min(self.bytes)
    }

    /// Removes bytes of the first frame, at most its rest.
    fn skip(&mut self, count: usize) {
        let rest = self.first_left() - count;
        self.first_left = rest;
        self.bytes -= count;
        if rest == 0 {
            self.uncount(1);
        }
        let mut left = count;
        while left > 0
            && let Some(chunk) = self.chunks.front_mut()
        {
            let step = chunk.as_slice().len().min(left);
            chunk.advance(step);
            left -= step;
            if chunk.as_slice().is_empty() {
                self.chunks.pop_front();
            }
        }
    }
}

mod chunks;

use std::io::IoSlice;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use self::chunks::{Chunk, Chunks, Keyed};
use crossws_proto::frame::{self, MAX_HEADER, Opcode, frame_len};

/// Whole frames on their way out. Small frames are copied into one buffer, so that many leave in
/// one write. Large payloads are shared, so that many slow peers cost pointers.
#[derive(Default)]
pub(crate) struct Batch {
    chunks: Chunks,
    bytes: usize,
    frames: u32,
    /// How many bytes of the first frame are left, if a part of it is written; else 0.
    first_left: usize,
    /// How large the first buffer should be.
    hint: u32,
}

/// From this payload size on, sharing is cheaper than copying.
const SHARE_FROM: usize = 2048;

/// The smallest buffer: a few chat messages.
const MIN_BUFFER: usize = 256;

impl Batch {
    /// Sizes the next buffer for this many bytes.
    pub(crate) fn expect(&mut self, bytes: usize) {
        self.hint = u32::try_from(bytes).unwrap_or(u32::MAX);
    }

    /// Appends one frame.
    pub(crate) fn push(&mut self, opcode: Opcode, payload: &Bytes) {
        let share = payload.len() >= SHARE_FROM;
        let copied = if share { 0 } else { payload.len() };
        let buf = self.tail(MAX_HEADER + copied);
        let before = buf.len();
        frame::put_header(buf, opcode, payload.len());
        if !share {
            buf.extend_from_slice(payload);
        }
        self.bytes += buf.len() - before;
        if share {
            self.bytes += payload.len();
            self.chunks.push_back(Chunk::Shared(payload.clone()));
        }
        self.count(1);
    }

    /// Appends frames that are encoded already, and that other connections send too.
    pub(crate) fn push_encoded(&mut self, frames: Bytes, count: usize) {
        let len = frames.len();
        self.bytes += len;
        self.count(count);
        if len >= SHARE_FROM {
            self.chunks.push_back(Chunk::Shared(frames));
        } else if len > 0 {
            self.tail(len).extend_from_slice(&frames);
        }
    }

    /// Appends a frame that [`take_out`](Self::take_out) finds by this key, until it moves on.
    pub(crate) fn push_keyed(&mut self, key: Arc<str>, frame: Bytes) {
        self.bytes += frame.len();
        self.count(1);
        let keyed = Keyed { key, frame };
        self.chunks.push_back(Chunk::Keyed(Box::new(keyed)));
    }

    /// Removes the frame with this key, if no part of it is written. Returns how many bytes are
    /// before it, and its length.
    pub(crate) fn take_out(&mut self, key: &str) -> Option<(usize, usize)> {
        let (at, before, len) = self.find(key)?;
        self.chunks.remove(at)?;
        self.bytes -= len;
        self.uncount(1);
        Some((before, len))
    }

    /// Returns the length of the frame that [`take_out`](Self::take_out) would remove.
    pub(crate) fn len_of(&self, key: &str) -> Option<usize> {
        self.find(key).map(|(_, _, len)| len)
    }

    /// Returns the frame's chunk, how many bytes are before it, and its length.
    fn find(&self, key: &str) -> Option<(usize, usize, usize)> {
        let mut before = 0;
        for (at, chunk) in self.chunks.iter().enumerate() {
            let len = chunk.as_slice().len();
            if matches!(chunk, Chunk::Keyed(keyed) if *keyed.key == *key)
                && (at > 0 || self.first_left == 0)
            {
                return Some((at, before, len));
            }
            before += len;
        }
        None
    }

    /// As [`push_encoded`](Self::push_encoded), of frames whose memory has another owner, too.
    pub(crate) fn push_shared(&mut self, frames: &Bytes, count: usize) {
        if frames.len() < SHARE_FROM {
            self.push_back(frames, count);
        } else {
            self.push_encoded(frames.clone(), count);
        }
    }

    /// Moves this much of the front of the batch, in whole frames, to the end of another.
    pub(crate) fn move_front(&mut self, to: &mut Self, bytes: usize, frames: usize) {
        let mut left = bytes;
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
        self.bytes -= bytes;
        self.uncount(frames);
        to.bytes += bytes;
        to.count(frames);
    }

    /// Appends a chunk. A large one is shared or moved; a small one is copied, so that many are one
    /// slice.
    fn push_chunk(&mut self, chunk: Chunk) {
        let len = chunk.as_slice().len();
        if len >= SHARE_FROM {
            self.chunks.push_back(chunk);
        } else if len > 0 {
            self.tail(len).extend_from_slice(chunk.as_slice());
        }
    }

    /// Puts frames before all others. Must be called only while no frame is partly written.
    pub(crate) fn push_front(&mut self, frames: BytesMut, count: usize) {
        if !frames.is_empty() {
            self.bytes += frames.len();
            self.count(count);
            self.chunks.push_front(Chunk::Own(frames));
        }
    }

    /// Appends frames that are encoded already.
    pub(crate) fn push_back(&mut self, frames: &[u8], count: usize) {
        self.tail(frames.len()).extend_from_slice(frames);
        self.bytes += frames.len();
        self.count(count);
    }

    /// Returns the buffer at the end, with room for this many more bytes.
    #[inline]
    fn tail(&mut self, room: usize) -> &mut BytesMut {
        if !matches!(self.chunks.back_mut(), Some(Chunk::Own(_))) {
            let hint = std::mem::take(&mut self.hint);
            let buf = BytesMut::with_capacity(room.max(hint as usize).max(MIN_BUFFER));
            self.chunks.push_back(Chunk::Own(buf));
        }
        match self.chunks.back_mut() {
            Some(Chunk::Own(buf)) => {
                buf.reserve(room);
                buf
            }
            _ => unreachable!("a buffer was just put there"),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn frames(&self) -> usize {
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

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Fills in the first bytes, as many slices as fit. Returns the number of slices.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut count = 0;
        for (slot, chunk) in slices.iter_mut().zip(self.chunks.iter()) {
            *slot = IoSlice::new(chunk.as_slice());
            count += 1;
        }
        count
    }

    /// Removes `count` bytes from the front, which are written.
    pub(crate) fn advance(&mut self, count: usize) {
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
    pub(crate) fn drop_first(&mut self) -> bool {
        if self.is_empty() || self.first_left != 0 {
            return false;
        }
        let len = self.first_left();
        self.skip(len);
        true
    }

    /// Discards everything but the rest of a partly written frame: a close frame may be sent only
    /// between frames. Returns how many frames were discarded.
    pub(crate) fn keep_begun(&mut self) -> usize {
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
            hint: 0,
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
        head.and_then(frame_len)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(batch: &Batch) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 16];
        let count = batch.slices(&mut slices);
        let slices: Vec<&[u8]> = slices[..count].iter().map(|slice| &**slice).collect();
        slices.concat()
    }

    /// Returns a batch with every kind of chunk: small, large, small, published.
    fn batch() -> (Batch, Vec<usize>) {
        let mut batch = Batch::default();
        batch.push(Opcode::Text, &Bytes::from_static(b"one"));
        batch.push(Opcode::Binary, &vec![2; 5000].into());
        batch.push(Opcode::Text, &Bytes::from_static(b"three"));
        let mut encoded = BytesMut::new();
        frame::put_frame(&mut encoded, Opcode::Text, &[b'4'; 3000]);
        batch.push_encoded(encoded.freeze(), 1);
        (batch, vec![5, 5004, 7, 3004])
    }

    #[test]
    fn advancing_by_any_steps_gives_the_same_bytes_and_counts_frames() {
        let (whole, lens) = batch();
        let all = contents(&whole);
        assert_eq!(all.len(), lens.iter().sum::<usize>());
        let steps = [1, 2, 3, 7, 100, 4096, 5009];
        // Byte by byte takes Miri minutes.
        for step in steps.into_iter().skip(if cfg!(miri) { 4 } else { 0 }) {
            let (mut batch, _) = batch();
            let mut seen = Vec::new();
            while !batch.is_empty() {
                let step = step.min(batch.bytes());
                seen.extend_from_slice(&contents(&batch)[..step]);
                batch.advance(step);
                let mut ends = 0;
                let gone = lens.iter().filter(|len| {
                    ends += **len;
                    ends <= seen.len()
                });
                assert_eq!(batch.frames(), lens.len() - gone.count());
            }
            assert!(seen == all, "step {step}");
        }
    }

    #[test]
    fn only_a_begun_frame_is_kept() {
        let (mut batch, _) = batch();
        let all = contents(&batch);
        batch.advance(5 + 10);
        assert_eq!(batch.keep_begun(), 2);
        assert_eq!(contents(&batch), all[15..5009]);
        assert_eq!((batch.bytes(), batch.frames()), (4994, 1));
        batch.advance(4994);
        assert!(batch.is_empty());
    }

    #[test]
    fn between_frames_nothing_is_kept() {
        let (mut batch, _) = batch();
        batch.advance(5);
        assert_eq!(batch.keep_begun(), 3);
        assert!(batch.is_empty());
        assert_eq!(batch.frames(), 0);
    }

    #[test]
    fn a_frame_is_taken_out_by_its_key() {
        let (mut batch, lens) = batch();
        let all = contents(&batch);
        let frame = |text: &'static [u8]| {
            let mut frame = BytesMut::new();
            frame::put_frame(&mut frame, Opcode::Text, text);
            frame.freeze()
        };
        batch.push_keyed("a".into(), frame(b"first"));
        batch.push(Opcode::Text, &Bytes::from_static(b"between"));
        batch.push_keyed("b".into(), frame(b"other"));
        assert_eq!(batch.take_out("c"), None);
        assert_eq!(batch.take_out("a"), Some((lens.iter().sum(), 7)));
        assert_eq!(batch.take_out("a"), None);
        let rest = [&all[..], b"\x81\x07between\x81\x05other"].concat();
        assert!(contents(&batch) == rest);
        assert_eq!((batch.bytes(), batch.frames()), (rest.len(), 6));
        // A partly written frame stays.
        batch.advance(rest.len() - 3);
        assert_eq!(batch.take_out("b"), None);
        assert_eq!(contents(&batch), b"her");
    }

    #[test]
    fn the_oldest_frames_go_first() {
        let (mut batch, lens) = batch();
        for (gone, len) in lens.iter().enumerate() {
            let before = batch.bytes();
            assert!(batch.drop_first());
            assert_eq!(batch.bytes(), before - len);
            assert_eq!(batch.frames(), lens.len() - gone - 1);
        }
        assert!(!batch.drop_first());
    }
}

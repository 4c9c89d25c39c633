//! The publications of one topic in one wire format, until the last reader has taken them.
//!
//! A publication is encoded once, at the end. A reader is a cursor: it takes everything from its
//! position to the end at once, as slices that all readers share, however many messages that is.
//! Memory before the last cursor is freed.

mod chunk;
mod rest;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use self::chunk::{Chunk, ChunkIndex, Extent, Written};
pub(crate) use self::rest::Rest;
use crate::peer::members::Key;
use crate::pubsub::queue_size::QueueSize;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Below this size, a reader's part of the chunk that is being written is copied. Sharing so little
/// would close the chunk, and a busy room's log would consist of small chunks.
const SHARE_FROM: usize = 2048;

/// A chunk is closed from this size on, so that a slow reader's memory is freed in steps.
const CHUNK: usize = 64 << 10;

/// As [`CHUNK`], in messages: the index entry of a message takes more memory than a short message.
const CHUNK_MESSAGES: usize = 1024;

/// The order of a namespace: every publication in it gets the next number, in any topic.
///
/// A transport reads it to place its own sent messages among the publications: an earlier
/// publication has a smaller number than the time, a later one does not.
#[derive(Debug, Clone, Default)]
pub struct Sequence(Arc<AtomicU64>);

impl Sequence {
    /// Returns the number of the next publication.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Takes the next number. Called under the topic's lock, so that a topic's numbers increase.
    pub(crate) fn tick(&self) -> u64 {
        self.0.fetch_add(1, Ordering::AcqRel)
    }
}

/// Consecutive publications of a topic's log, encoded and shared by all of its readers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LogSlice {
    /// The first publication's number on the namespace's [`Sequence`].
    pub seq: u64,
    /// The messages, one after the other.
    pub bytes: Bytes,
    /// How many messages there are.
    pub messages: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Closed chunks, the oldest with the slowest reader first.
    chunks: VecDeque<KeptChunk>,
    /// The number of the first closed chunk; numbers increase.
    first: u64,
    /// The chunk that is being written: the last one.
    tail: Tail,
    /// The size of the last chunk: a hint for the next.
    hint: Size,
    /// The size of everything that was ever appended, which wraps around.
    end: QueueSize,
}

#[derive(Debug, Default)]
struct Tail {
    bytes: Vec<u8>,
    index: ChunkIndex,
    /// How many cursors are in this chunk.
    readers: usize,
}

/// A closed chunk. Members that left before they had read it share it.
#[derive(Debug)]
struct KeptChunk {
    chunk: Arc<Chunk>,
    /// How many cursors are in this chunk.
    readers: usize,
}

#[derive(Debug, Default)]
struct Size {
    bytes: usize,
    messages: usize,
    runs: usize,
}

/// A place between two messages.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    chunk: u64,
    message: usize,
    at: QueueSize,
}

/// A reader's position: everything before it is taken.
#[derive(Debug)]
pub(crate) struct Position {
    mark: Mark,
    /// The size of the reader's own publications since: they are in the log, and not for it.
    own: QueueSize,
}

/// Which messages a slice may combine: all adjacent ones, or, for sorting among other messages,
/// those of consecutive numbers that lie between two of these numbers, which increase.
pub(crate) type Cuts<'a> = Option<&'a [u64]>;

impl Position {
    /// Skips a publication of the reader itself.
    pub(crate) fn skip_own(&mut self, len: usize) {
        self.own = self.own.plus(len);
    }
}

impl Log {
    /// Appends a message, which `encode` writes, after a [`mark`](Self::mark) that was just made.
    /// Returns its length.
    #[inline(always)] // each publication appends once
    pub(crate) fn append(
        &mut self,
        seq: u64,
        author: Option<Key>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let Tail { bytes, index, .. } = &mut self.tail;
        if bytes.capacity() == 0 {
            bytes.reserve(self.hint.bytes);
            index.reserve(self.hint.messages, self.hint.runs);
        }
        let before = bytes.len();
        encode(bytes);
        index.add(seq, author, bytes.len());
        let len = bytes.len() - before;
        self.end = self.end.plus(len);
        len
    }

    /// Returns the end: later messages are appended after it. A reader at the end keeps no full
    /// chunk.
    pub(crate) fn mark(&mut self) -> Mark {
        if self.tail.bytes.len() >= CHUNK || self.tail.index.messages() >= CHUNK_MESSAGES {
            self.close_tail();
        }
        Mark {
            chunk: self.first + self.chunks.len() as u64,
            message: self.tail.index.messages(),
            at: self.end,
        }
    }

    /// Returns a cursor at a mark. No reader may have read or been released since the mark was
    /// made. The cursor must be returned, with [`read`](Self::read) or [`release`](Self::release).
    pub(crate) fn cursor(&mut self, mark: &Mark) -> Position {
        if let Some(readers) = self.readers_mut(mark.chunk) {
            *readers += 1;
        }
        Position {
            mark: mark.clone(),
            own: QueueSize::default(),
        }
    }

    /// Returns the size of everything that was ever appended.
    pub(crate) fn end(&self) -> QueueSize {
        self.end
    }

    /// Returns how much waits for a reader.
    pub(crate) fn lag(&self, cursor: &Position) -> QueueSize {
        self.span(cursor).since(cursor.own)
    }

    /// Returns how much a reader keeps in memory: its own publications included.
    pub(crate) fn span(&self, cursor: &Position) -> QueueSize {
        self.end.past(cursor.mark.at)
    }

    /// Takes the messages before the number `before` that `reader` has not published itself, in
    /// such slices. Returns a cursor if something is left.
    pub(crate) fn read(
        &mut self,
        cursor: Position,
        reader: Key,
        before: u64,
        cuts: Cuts<'_>,
        into: &mut Vec<LogSlice>,
    ) -> Option<Position> {
        if self.left_of_tail(&cursor.mark) >= SHARE_FROM {
            self.close_tail();
        }
        let mut own = cursor.own;
        let mut mark = cursor.mark.clone();
        let mut more = false;
        while !more && let Some((index, bytes)) = self.piece(mark.chunk) {
            let start = index.start_of(mark.message);
            let take = Extent {
                bytes,
                reader,
                before,
                cuts,
            };
            let stop = index.take(mark.message, &take, into, &mut own);
            let taken = QueueSize::new(index.start_of(stop) - start, stop - mark.message);
            mark.at = mark.at.advanced(taken);
            mark.message = stop;
            more = stop < index.messages();
            if !more {
                mark.chunk += 1;
                mark.message = 0;
            }
        }
        let left = more.then(|| Position {
            own,
            ..self.cursor(&mark)
        });
        self.release(&cursor);
        left
    }

    /// Removes a reader that leaves, with the messages that still wait for it: the log keeps
    /// nothing for it, and nothing is copied. Returns `None` if nothing waits.
    pub(crate) fn detach(&mut self, cursor: &Position, reader: Key) -> Option<Rest> {
        let waits = self.lag(cursor);
        let rest = (waits.messages > 0).then(|| {
            self.close_tail();
            let from = self.place(cursor.mark.chunk).unwrap_or_default();
            let chunks = self.chunks.iter().skip(from);
            Rest {
                chunks: chunks.map(|kept| Arc::clone(&kept.chunk)).collect(),
                message: cursor.mark.message,
                own: cursor.own,
                reader,
                waits,
            }
        });
        self.release(cursor);
        rest
    }

    /// Removes a reader that is gone, or has read to the end.
    pub(crate) fn release(&mut self, cursor: &Position) {
        if let Some(readers) = self.readers_mut(cursor.mark.chunk) {
            *readers -= 1;
        }
        while let Some(chunk) = self.chunks.front()
            && chunk.readers == 0
        {
            self.chunks.pop_front();
            self.first += 1;
        }
        if self.chunks.is_empty() {
            if self.tail.readers == 0 {
                // No reader is left.
                self.take_tail();
                self.first += 1;
            }
            if self.chunks.capacity() > 8 {
                self.chunks = VecDeque::new();
            }
        }
    }

    fn place(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }

    /// Returns a chunk, including the one that is being written.
    fn piece(&self, number: u64) -> Option<(&ChunkIndex, Written<'_>)> {
        let place = self.place(number)?;
        if place == self.chunks.len() {
            return Some((&self.tail.index, Written::Open(&self.tail.bytes)));
        }
        let chunk = &self.chunks.get(place)?.chunk;
        Some((&chunk.index, Written::Closed(&chunk.bytes)))
    }

    /// Returns how much of the chunk that is being written is after a mark.
    fn left_of_tail(&self, mark: &Mark) -> usize {
        let before = match self.place(mark.chunk) {
            Some(place) if place == self.chunks.len() => self.tail.index.start_of(mark.message),
            _ => 0,
        };
        self.tail.bytes.len() - before
    }

    fn readers_mut(&mut self, number: u64) -> Option<&mut usize> {
        let place = self.place(number)?;
        if place == self.chunks.len() {
            return Some(&mut self.tail.readers);
        }
        self.chunks.get_mut(place).map(|chunk| &mut chunk.readers)
    }

    fn take_tail(&mut self) -> Tail {
        let tail = std::mem::take(&mut self.tail);
        if tail.index.messages() > 0 {
            self.hint = Size {
                bytes: tail.bytes.len().min(CHUNK),
                messages: tail.index.messages(),
                runs: tail.index.runs(),
            };
        }
        tail
    }

    /// Makes the written part shareable.
    fn close_tail(&mut self) {
        if self.tail.index.messages() == 0 {
            return;
        }
        let Tail {
            mut bytes,
            mut index,
            readers,
        } = self.take_tail();
        // There was room for as much as the previous chunk held, and this one may be kept for long.
        if bytes.capacity() > 2 * bytes.len() {
            bytes.shrink_to_fit();
        }
        index.shrink();
        let bytes = Bytes::from(bytes);
        self.chunks.push_back(KeptChunk {
            chunk: Arc::new(Chunk { bytes, index }),
            readers,
        });
    }
}

//! What was published to one topic in one wire format, until its last reader has taken it.
//!
//! A publication is encoded once, at the end. A reader is a cursor: it takes everything from there
//! to the end at once, as slices that all readers share, however many messages that is. What is
//! behind the last cursor is freed.

mod chunk;
mod rest;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use self::chunk::{Chunk, Index, Take, Written};
pub(crate) use self::rest::Rest;
use crate::pubsub::cursor::{LogSlice, QueueSize};
use crate::pubsub::members::Key;

/// What a reader takes of the chunk that is written to is copied below this size: to share so little
/// would close the chunk, and a busy room's log would be nothing but chunks.
const SHARE_FROM: usize = 2048;

/// From this size on a chunk is closed, so that a slow reader's memory is given back in steps.
const CHUNK: usize = 64 << 10;

/// As [`CHUNK`], in messages: what is known of each takes more memory than a short message.
const CHUNK_MESSAGES: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Closed chunks, the oldest with the slowest reader first.
    chunks: VecDeque<Kept>,
    /// The number of the first of them; numbers go up.
    first: u64,
    /// The chunk that is written to: the last one.
    tail: Tail,
    /// How large the last chunk was: a hint for the next.
    hint: Size,
    /// All that was ever appended.
    end: Total,
}

#[derive(Debug, Default)]
struct Tail {
    bytes: Vec<u8>,
    index: Index,
    /// How many cursors stand in this chunk.
    readers: usize,
}

/// A closed chunk. Members that left before they had read it share it.
#[derive(Debug)]
struct Kept {
    chunk: Arc<Chunk>,
    /// How many cursors stand in this chunk.
    readers: usize,
}

#[derive(Debug, Default)]
struct Size {
    bytes: usize,
    messages: usize,
    runs: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Total {
    bytes: u64,
    messages: u64,
}

/// A place between two messages.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    chunk: u64,
    message: usize,
    at: Total,
}

/// Where a reader stands: what is before it is taken.
#[derive(Debug)]
pub(crate) struct Position {
    mark: Mark,
    /// What the reader itself published since: it is in the log, and not for it.
    own: Total,
}

/// What a slice may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slices {
    /// All that is adjacent.
    Adjacent,
    /// Messages of consecutive numbers, to be sorted among those of other logs.
    Consecutive,
}

impl Position {
    /// A reader has published this itself.
    pub(crate) fn skip_own(&mut self, len: usize) {
        self.own.bytes += len as u64;
        self.own.messages += 1;
    }
}

impl Total {
    fn lag(self) -> QueueSize {
        QueueSize {
            bytes: self.bytes as usize,
            messages: self.messages as usize,
        }
    }
}

impl Log {
    /// Appends a message, which `encode` writes, behind a [`mark`](Self::mark) that was just made.
    /// Answers its length.
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
        self.end.bytes += len as u64;
        self.end.messages += 1;
        len
    }

    /// The end: what is appended from here on is behind it. A reader there keeps no full chunk.
    pub(crate) fn mark(&mut self) -> Mark {
        self.close_full();
        Mark {
            chunk: self.first + self.chunks.len() as u64,
            message: self.tail.index.messages(),
            at: self.end,
        }
    }

    /// A cursor at a mark, while nobody has read or been released since. It must be given back,
    /// with [`read`](Self::read) or [`release`](Self::release).
    pub(crate) fn cursor(&mut self, mark: &Mark) -> Position {
        if let Some(readers) = self.readers_mut(mark.chunk) {
            *readers += 1;
        }
        Position {
            mark: mark.clone(),
            own: Total::default(),
        }
    }

    /// Everything that was ever appended.
    pub(crate) fn end(&self) -> QueueSize {
        self.end.lag()
    }

    /// Returns what waits for a reader.
    pub(crate) fn lag(&self, cursor: &Position) -> QueueSize {
        self.span(cursor).since(cursor.own.lag())
    }

    /// What a reader keeps in memory: its own publications too.
    pub(crate) fn span(&self, cursor: &Position) -> QueueSize {
        self.end().since(cursor.mark.at.lag())
    }

    /// Takes what is before the number `before`, and not by `reader` itself, in such slices. Gives a
    /// cursor back if something is left.
    pub(crate) fn read(
        &mut self,
        cursor: Position,
        reader: Key,
        before: u64,
        slices: Slices,
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
            let take = Take {
                bytes,
                reader,
                before,
                slices,
            };
            let stop = index.take(mark.message, &take, into, &mut own);
            mark.at.bytes += (index.start_of(stop) - start) as u64;
            mark.at.messages += (stop - mark.message) as u64;
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

    /// Takes out a reader that leaves, with what still waits for it: the log keeps nothing for it,
    /// and nothing is copied. Returns `None` if nothing waits.
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

    /// A reader is gone, or has taken what there was.
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
                // Nobody is left to read it.
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

    /// A chunk, the one that is written to included.
    fn piece(&self, number: u64) -> Option<(&Index, Written<'_>)> {
        let place = self.place(number)?;
        if place == self.chunks.len() {
            return Some((&self.tail.index, Written::Open(&self.tail.bytes)));
        }
        let chunk = &self.chunks.get(place)?.chunk;
        Some((&chunk.index, Written::Closed(&chunk.bytes)))
    }

    /// How much of the chunk that is written to is behind a mark.
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

    fn close_full(&mut self) {
        if self.tail.bytes.len() >= CHUNK || self.tail.index.messages() >= CHUNK_MESSAGES {
            self.close_tail();
        }
    }

    /// Makes what was written shareable.
    fn close_tail(&mut self) {
        if self.tail.index.messages() == 0 {
            return;
        }
        let Tail {
            mut bytes,
            mut index,
            readers,
        } = self.take_tail();
        // There was room for as much as the chunk before held, and this one may be kept for long.
        if bytes.capacity() > 2 * bytes.len() {
            bytes.shrink_to_fit();
        }
        index.shrink();
        let bytes = Bytes::from(bytes);
        self.chunks.push_back(Kept {
            chunk: Arc::new(Chunk { bytes, index }),
            readers,
        });
    }
}

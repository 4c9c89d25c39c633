//! What was published to one topic in one wire format, until its last reader has taken it.
//!
//! A publication is encoded once, at the end. A reader is a cursor: it takes everything from there
//! to the end at once, as slices that all readers share, however many messages that is. What is
//! behind the last cursor is freed.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use bytes::Bytes;

use crate::feed::{Lag, Range, Room};
use crate::members::Key;

/// What a reader takes of the chunk that is written to is copied below this size: to share so little
/// would close the chunk, and a busy room's log would be nothing but chunks.
const SHARE_FROM: usize = 2048;

/// From this size on a chunk is closed, so that a slow reader's memory is given back in steps.
const CHUNK: usize = 64 << 10;

#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Closed chunks, the oldest with the slowest reader first.
    chunks: VecDeque<Chunk>,
    /// The number of the first of them; numbers go up.
    first: u64,
    /// The chunk that is written to: the last one.
    tail: Tail,
    /// How large the last chunk was: a hint for the next.
    hint: Size,
    /// All that was ever appended.
    end: Total,
}

#[derive(Debug)]
struct Chunk {
    bytes: Bytes,
    index: Index,
}

#[derive(Debug, Default)]
struct Tail {
    bytes: Vec<u8>,
    index: Index,
}

#[derive(Debug, Default)]
struct Size {
    bytes: usize,
    messages: usize,
    runs: usize,
}

/// What is where in a chunk.
#[derive(Debug, Default)]
struct Index {
    /// Where each message ends.
    ends: Vec<usize>,
    runs: Vec<Run>,
    /// How many cursors stand in this chunk.
    readers: usize,
}

/// Consecutive messages of one author, whose numbers are consecutive too.
#[derive(Debug)]
struct Run {
    author: Option<Key>,
    /// The number of its first message.
    seq: u64,
    /// Its messages' places in `ends`.
    from: usize,
    to: usize,
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
pub(crate) struct Cursor {
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
    /// One message.
    Single,
}

impl Cursor {
    /// A reader has published this itself.
    pub(crate) fn skip_own(&mut self, len: usize) {
        self.own.bytes += len as u64;
        self.own.messages += 1;
    }

    /// At which end of the log this room is used up.
    pub(crate) fn until(&self, room: Room) -> Lag {
        let start = self.mark.at.lag();
        let own = self.own.lag();
        Lag {
            bytes: start
                .bytes
                .saturating_add(own.bytes)
                .saturating_add(room.bytes),
            messages: start
                .messages
                .saturating_add(own.messages)
                .saturating_add(room.messages),
        }
    }
}

impl Total {
    fn lag(self) -> Lag {
        Lag {
            bytes: self.bytes as usize,
            messages: self.messages as usize,
        }
    }
}

impl Log {
    /// Appends a message, which `encode` writes. Answers its length.
    pub(crate) fn append(
        &mut self,
        seq: u64,
        author: Option<Key>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        if self.tail.bytes.len() >= CHUNK {
            self.close_tail();
        }
        let Tail { bytes, index } = &mut self.tail;
        if bytes.capacity() == 0 {
            bytes.reserve(self.hint.bytes);
            index.ends.reserve(self.hint.messages);
            index.runs.reserve(self.hint.runs);
        }
        let before = bytes.len();
        encode(bytes);
        let place = index.ends.len();
        index.ends.push(bytes.len());
        match index.runs.last_mut() {
            Some(run) if run.author == author && run.seq + (place - run.from) as u64 == seq => {
                run.to = place + 1;
            }
            _ => index.runs.push(Run {
                author,
                seq,
                from: place,
                to: place + 1,
            }),
        }
        let len = bytes.len() - before;
        self.end.bytes += len as u64;
        self.end.messages += 1;
        len
    }

    /// The end: what is appended from here on is behind it.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            chunk: self.first + self.chunks.len() as u64,
            message: self.tail.index.ends.len(),
            at: self.end,
        }
    }

    /// A cursor at a mark, while nobody has read or been released since. It must be given back,
    /// with [`read`](Self::read) or [`release`](Self::release).
    pub(crate) fn cursor(&mut self, mark: &Mark) -> Cursor {
        if let Some(index) = self.index_mut(mark.chunk) {
            index.readers += 1;
        }
        Cursor {
            mark: mark.clone(),
            own: Total::default(),
        }
    }

    /// Everything that was ever appended.
    pub(crate) fn end(&self) -> Lag {
        self.end.lag()
    }

    /// What waits for a reader.
    pub(crate) fn lag(&self, cursor: &Cursor) -> Lag {
        self.end().since(cursor.until(Room::new(0, 0, false)))
    }

    /// What a reader keeps in memory: its own publications too.
    pub(crate) fn span(&self, cursor: &Cursor) -> Lag {
        self.end().since(cursor.mark.at.lag())
    }

    /// Takes what is before the number `before`, and not by `reader` itself, in such slices. Gives a
    /// cursor back if something is left.
    pub(crate) fn read(
        &mut self,
        cursor: Cursor,
        reader: Key,
        before: u64,
        slices: Slices,
        into: &mut Vec<Range>,
    ) -> Option<Cursor> {
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
            more = stop < index.ends.len();
            if !more {
                mark.chunk += 1;
                mark.message = 0;
            }
        }
        let left = more.then(|| Cursor {
            own,
            ..self.cursor(&mark)
        });
        self.release(&cursor);
        left
    }

    /// A reader is gone, or has taken what there was.
    pub(crate) fn release(&mut self, cursor: &Cursor) {
        if let Some(index) = self.index_mut(cursor.mark.chunk) {
            index.readers -= 1;
        }
        while let Some(chunk) = self.chunks.front()
            && chunk.index.readers == 0
        {
            self.chunks.pop_front();
            self.first += 1;
        }
        if self.chunks.is_empty() {
            if self.tail.index.readers == 0 {
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
        let chunk = self.chunks.get(place)?;
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

    fn index_mut(&mut self, number: u64) -> Option<&mut Index> {
        let place = self.place(number)?;
        if place == self.chunks.len() {
            return Some(&mut self.tail.index);
        }
        self.chunks.get_mut(place).map(|chunk| &mut chunk.index)
    }

    fn take_tail(&mut self) -> Tail {
        let tail = std::mem::take(&mut self.tail);
        if !tail.index.ends.is_empty() {
            self.hint = Size {
                bytes: tail.bytes.len().min(CHUNK),
                messages: tail.index.ends.len(),
                runs: tail.index.runs.len(),
            };
        }
        tail
    }

    /// Makes what was written shareable.
    fn close_tail(&mut self) {
        if self.tail.index.ends.is_empty() {
            return;
        }
        let Tail { bytes, index } = self.take_tail();
        self.chunks.push_back(Chunk {
            bytes: Bytes::from(bytes),
            index,
        });
    }
}

/// The bytes of a chunk.
#[derive(Clone, Copy)]
enum Written<'a> {
    Closed(&'a Bytes),
    Open(&'a [u8]),
}

impl Written<'_> {
    fn slice(self, range: std::ops::Range<usize>) -> Bytes {
        match self {
            Self::Closed(bytes) => bytes.slice(range),
            Self::Open(bytes) => Bytes::copy_from_slice(bytes.get(range).unwrap_or_default()),
        }
    }
}

/// See [`Log::read`].
struct Take<'a> {
    bytes: Written<'a>,
    reader: Key,
    before: u64,
    slices: Slices,
}

impl Index {
    /// In this chunk, from one message on. Answers where it stopped.
    fn take(
        &self,
        message: usize,
        take: &Take<'_>,
        into: &mut Vec<Range>,
        own: &mut Total,
    ) -> usize {
        let mut slice = Slice::default();
        let first = self.runs.partition_point(|run| run.to <= message);
        if take.slices == Slices::Adjacent
            && let Some(last) = self.runs.last()
            && last.seq + ((last.to - last.from) as u64) <= take.before
        {
            self.take_all_but_own(message, first, take, into, own);
            return self.ends.len();
        }
        for run in self.runs.iter().skip(first) {
            let from = run.from.max(message);
            // Its messages from `from` to `to` have numbers below `before`.
            let below = usize::try_from(take.before.saturating_sub(run.seq)).unwrap_or(usize::MAX);
            let to = run.to.min(run.from.saturating_add(below));
            if to > from {
                let bytes = self.start_of(from)..self.start_of(to);
                if run.author == Some(take.reader) {
                    slice.flush(take.bytes, into);
                    own.bytes = own.bytes.saturating_sub(bytes.len() as u64);
                    own.messages = own.messages.saturating_sub((to - from) as u64);
                } else {
                    let seq = run.seq + (from - run.from) as u64;
                    if take.slices == Slices::Consecutive && slice.next_seq != seq {
                        slice.flush(take.bytes, into);
                    }
                    if take.slices == Slices::Single {
                        for (seq, message) in (seq..).zip(from..to) {
                            let bytes = self.start_of(message)..self.start_of(message + 1);
                            slice.extend(seq, bytes, 1);
                            slice.flush(take.bytes, into);
                        }
                    } else {
                        slice.extend(seq, bytes, to - from);
                    }
                }
            }
            if to < run.to {
                slice.flush(take.bytes, into);
                return to.max(from);
            }
        }
        slice.flush(take.bytes, into);
        self.ends.len()
    }

    /// As [`take`](Self::take), of everything: only the reader's own messages stand between slices.
    fn take_all_but_own(
        &self,
        mut message: usize,
        first: usize,
        take: &Take<'_>,
        into: &mut Vec<Range>,
        own: &mut Total,
    ) {
        let mut emit = |run: Option<&Run>, messages: std::ops::Range<usize>| {
            if let Some(run) = run
                && !messages.is_empty()
            {
                let bytes = self.start_of(messages.start)..self.start_of(messages.end);
                into.push(Range {
                    seq: run.seq + (messages.start - run.from) as u64,
                    bytes: take.bytes.slice(bytes),
                    messages: messages.len(),
                });
            }
        };
        let mut start = first;
        for (at, run) in self.runs.iter().enumerate().skip(first) {
            if own.messages == 0 {
                // Nothing to look for.
                break;
            }
            if run.author == Some(take.reader) {
                let from = run.from.max(message);
                emit(self.runs.get(start), message..from);
                let bytes = self.start_of(run.to) - self.start_of(from);
                own.bytes = own.bytes.saturating_sub(bytes as u64);
                own.messages = own.messages.saturating_sub((run.to - from) as u64);
                (start, message) = (at + 1, run.to);
            }
        }
        emit(self.runs.get(start), message..self.ends.len());
    }

    /// Where a message begins.
    fn start_of(&self, message: usize) -> usize {
        match message.checked_sub(1) {
            Some(previous) => self.ends.get(previous).copied().unwrap_or_default(),
            None => 0,
        }
    }
}

/// A slice that still grows.
#[derive(Default)]
struct Slice {
    seq: u64,
    next_seq: u64,
    bytes: std::ops::Range<usize>,
    messages: usize,
}

impl Slice {
    fn extend(&mut self, seq: u64, bytes: std::ops::Range<usize>, messages: usize) {
        if self.messages == 0 {
            self.seq = seq;
            self.bytes.start = bytes.start;
        }
        self.bytes.end = bytes.end;
        self.messages += messages;
        self.next_seq = seq + messages as u64;
    }

    fn flush(&mut self, chunk: Written<'_>, into: &mut Vec<Range>) {
        let slice = std::mem::take(self);
        if slice.messages > 0 {
            into.push(Range {
                seq: slice.seq,
                bytes: chunk.slice(slice.bytes),
                messages: slice.messages,
            });
        }
    }
}

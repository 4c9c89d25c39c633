//! A piece of a log, with an index of its messages.

use bytes::Bytes;

use super::{Cuts, LogSlice};
use crate::peer::members::Key;
use crate::pubsub::queue_size::QueueSize;

#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) bytes: Bytes,
    pub(super) index: ChunkIndex,
}

/// The bytes of a chunk.
#[derive(Clone, Copy)]
pub(super) enum Written<'a> {
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

/// See [`Log::read`](super::Log::read).
pub(super) struct Extent<'a> {
    pub(super) bytes: Written<'a>,
    pub(super) reader: Key,
    pub(super) before: u64,
    pub(super) cuts: Cuts<'a>,
}

/// The index of a chunk.
#[derive(Debug, Default)]
pub(super) struct ChunkIndex {
    /// Where each message ends.
    ends: Vec<usize>,
    runs: Vec<MessageRun>,
}

/// Consecutive messages of one author, whose numbers are consecutive too.
#[derive(Debug)]
struct MessageRun {
    author: Option<Key>,
    /// The number of its first message.
    seq: u64,
    /// The indices of its messages in `ends`.
    from: usize,
    to: usize,
}

impl ChunkIndex {
    /// Reserves room for this many more.
    pub(super) fn reserve(&mut self, messages: usize, runs: usize) {
        self.ends.reserve(messages);
        self.runs.reserve(runs);
    }

    /// Adds a message that ends here.
    pub(super) fn add(&mut self, seq: u64, author: Option<Key>, end: usize) {
        let place = self.ends.len();
        self.ends.push(end);
        match self.runs.last_mut() {
            Some(run) if run.author == author && run.seq + (place - run.from) as u64 == seq => {
                run.to = place + 1;
            }
            _ => self.runs.push(MessageRun {
                author,
                seq,
                from: place,
                to: place + 1,
            }),
        }
    }

    pub(super) fn messages(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Frees unused room, if it is more than half.
    pub(super) fn shrink(&mut self) {
        if self.ends.capacity() > 2 * self.ends.len() {
            self.ends.shrink_to_fit();
        }
        if self.runs.capacity() > 2 * self.runs.len() {
            self.runs.shrink_to_fit();
        }
    }

    /// Returns how many bytes of memory the contents need.
    pub(super) fn memory(&self) -> usize {
        self.ends.len() * size_of::<usize>() + self.runs.len() * size_of::<MessageRun>()
    }

    /// Returns how many bytes of memory are allocated.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.ends.capacity() * size_of::<usize>() + self.runs.capacity() * size_of::<MessageRun>()
    }

    /// Takes messages from one on. Returns where it stopped.
    pub(super) fn take(
        &self,
        message: usize,
        take: &Extent<'_>,
        into: &mut Vec<LogSlice>,
        own: &mut QueueSize,
    ) -> usize {
        let mut slice = Slice::default();
        let first = self.runs.partition_point(|run| run.to <= message);
        if take.cuts.is_none()
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
                    *own = own.since(QueueSize::new(bytes.len(), to - from));
                } else {
                    let seq = run.seq + (from - run.from) as u64;
                    match take.cuts {
                        None => slice.extend(seq, bytes, to - from),
                        Some(cuts) => self.cut(&mut slice, seq, from..to, cuts, take.bytes, into),
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

    /// Adds messages of consecutive numbers to a slice, which ends at each cut.
    fn cut(
        &self,
        slice: &mut Slice,
        mut seq: u64,
        mut messages: std::ops::Range<usize>,
        cuts: &[u64],
        chunk: Written<'_>,
        into: &mut Vec<LogSlice>,
    ) {
        if slice.next_seq != seq {
            slice.flush(chunk, into);
        }
        let first = cuts.partition_point(|cut| *cut < seq);
        let end = seq + messages.len() as u64;
        for cut in cuts.iter().skip(first).take_while(|cut| **cut < end) {
            let at = messages.start + (cut - seq) as usize;
            let bytes = self.start_of(messages.start)..self.start_of(at);
            slice.extend(seq, bytes, at - messages.start);
            slice.flush(chunk, into);
            (seq, messages.start) = (*cut, at);
        }
        let bytes = self.start_of(messages.start)..self.start_of(messages.end);
        slice.extend(seq, bytes, messages.len());
    }

    /// As [`take`](Self::take), for everything: only the reader's own messages separate slices.
    fn take_all_but_own(
        &self,
        mut message: usize,
        first: usize,
        take: &Extent<'_>,
        into: &mut Vec<LogSlice>,
        own: &mut QueueSize,
    ) {
        let mut emit = |run: Option<&MessageRun>, messages: std::ops::Range<usize>| {
            if let Some(run) = run
                && !messages.is_empty()
            {
                let bytes = self.start_of(messages.start)..self.start_of(messages.end);
                into.push(LogSlice {
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
                *own = own.since(QueueSize::new(bytes, run.to - from));
                (start, message) = (at + 1, run.to);
            }
        }
        emit(self.runs.get(start), message..self.ends.len());
    }

    /// Returns the offset at which a message begins.
    pub(super) fn start_of(&self, message: usize) -> usize {
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

    fn flush(&mut self, chunk: Written<'_>, into: &mut Vec<LogSlice>) {
        let slice = std::mem::take(self);
        if slice.messages > 0 {
            into.push(LogSlice {
                seq: slice.seq,
                bytes: chunk.slice(slice.bytes),
                messages: slice.messages,
            });
        }
    }
}

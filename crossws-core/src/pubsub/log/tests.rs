//! The log against a naive model, a list of everything that was ever appended: whatever is written
//! and read, in whatever order, a reader gets the model's messages, in the model's slices, and the
//! log keeps no more than its slowest reader needs.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index as Pick;

use super::*;

const READERS: Key = 4;

#[derive(Debug, Clone)]
enum Op {
    Append(Append),
    /// A reader takes the messages numbered below one of the messages, or everything.
    Read(Key, Option<Pick>, Option<Vec<u64>>),
    /// A reader is gone.
    Release(Key),
    /// A reader leaves, and keeps the messages that wait for it.
    Detach(Key),
    /// The first reader that left takes the messages numbered below one of the messages, or
    /// everything.
    ReadRest(Option<Pick>, Option<Vec<u64>>),
}

/// A message of this many bytes.
#[derive(Debug, Clone)]
struct Append {
    author: Option<Key>,
    len: usize,
    /// How many numbers before its own belong to other topics.
    skipped: u64,
    /// The readers that begin with it, and whether they turn out to be gone at once.
    late: Vec<(Key, bool)>,
}

fn op() -> impl Strategy<Value = Op> {
    let reader = || 0..READERS;
    // Mostly small, some of which a few fill a chunk, some longer than one.
    let len = prop_oneof![8 => 0_usize..40, 2 => 9_000_usize..30_000, 1 => 60_000_usize..80_000];
    let skipped = prop_oneof![3 => Just(0), 1 => 1_u64..4];
    let late = proptest::collection::vec((reader(), proptest::bool::weighted(0.2)), 0..3);
    let cuts = || {
        let cuts = proptest::collection::vec(0_u64..100, 0..8);
        let sorted = |mut cuts: Vec<u64>| {
            cuts.sort_unstable();
            cuts
        };
        proptest::option::of(cuts.prop_map(sorted))
    };
    prop_oneof![
        6 => (proptest::option::of(reader()), len, skipped, late).prop_map(
            |(author, len, skipped, late)| Op::Append(Append { author, len, skipped, late })
        ),
        3 => (reader(), proptest::option::of(any::<Pick>()), cuts())
            .prop_map(|(reader, before, cuts)| Op::Read(reader, before, cuts)),
        1 => reader().prop_map(Op::Release),
        1 => reader().prop_map(Op::Detach),
        1 => (proptest::option::of(any::<Pick>()), cuts())
            .prop_map(|(before, cuts)| Op::ReadRest(before, cuts)),
    ]
}

/// Nothing, or a total that soon wraps around, as 32 bits do after 4 GiB.
fn start() -> impl Strategy<Value = QueueSize> {
    let before_wrap =
        |most: usize| prop_oneof![Just(0), (0..most).prop_map(|left| usize::MAX - left)];
    (before_wrap(100_000), before_wrap(40))
        .prop_map(|(bytes, messages)| QueueSize::new(bytes, messages))
}

/// An appended message, kept indefinitely.
struct Entry {
    seq: u64,
    author: Option<Key>,
    bytes: Vec<u8>,
    chunk: u64,
}

/// A reader in the model, together with its cursor in the log.
struct Reader {
    cursor: Position,
    /// Its first entry that is not taken.
    at: usize,
    /// The chunk that is kept for it: at its position, which may be the end.
    chunk: u64,
}

/// A reader that left, in the model.
struct Leaver {
    key: Key,
    rest: Rest,
    /// Its first entry that is not taken, and the end of what is its to read.
    at: usize,
    end: usize,
}

#[derive(Default)]
struct Model {
    log: Log,
    /// The log's total at the start.
    start: QueueSize,
    entries: Vec<Entry>,
    readers: BTreeMap<Key, Reader>,
    leavers: VecDeque<Leaver>,
    next_seq: u64,
    /// The chunk that is written to, and what it holds.
    chunk: u64,
    chunk_bytes: usize,
    /// Chunks before this one are freed.
    freed: u64,
}

impl Model {
    /// A log to which this much was appended and read.
    fn after(start: QueueSize) -> Self {
        let mut model = Self::default();
        (model.log.end, model.start) = (start, start);
        model
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Append(append) => self.append(append),
            Op::Read(key, before, cuts) => self.read(*key, before.as_ref(), cuts.as_deref()),
            Op::Release(key) => {
                if let Some(reader) = self.readers.remove(key) {
                    self.log.release(&reader.cursor);
                    self.free();
                }
            }
            Op::Detach(key) => self.detach(*key),
            Op::ReadRest(before, cuts) => self.read_rest(before.as_ref(), cuts.as_deref()),
        }
    }

    fn detach(&mut self, key: Key) {
        let Some(Reader { cursor, at, .. }) = self.readers.remove(&key) else {
            return;
        };
        let others = self.entries[at..]
            .iter()
            .any(|entry| entry.author != Some(key));
        let rest = self.log.detach(&cursor, key);
        assert_eq!(rest.is_some(), others);
        if let Some(rest) = rest {
            if self.chunk_bytes > 0
                || self
                    .entries
                    .last()
                    .is_some_and(|last| last.chunk == self.chunk)
            {
                self.close_chunk();
            }
            let end = self.entries.len();
            self.leavers.push_back(Leaver { key, rest, at, end });
        }
        self.free();
    }

    fn read_rest(&mut self, before: Option<&Pick>, cuts: Cuts<'_>) {
        let Some(mut leaver) = self.leavers.pop_front() else {
            return;
        };
        let before = match before {
            Some(pick) => self.entries[pick.index(self.entries.len())].seq,
            None => u64::MAX,
        };
        let mut ranges = Vec::new();
        let more = leaver.rest.read(before, cuts, &mut ranges);
        let rest = self.entries[leaver.at..leaver.end].iter();
        let next = leaver.at + rest.take_while(|entry| entry.seq < before).count();
        self.check_slices(leaver.key, &self.entries[leaver.at..next], cuts, &ranges);
        assert_eq!(more, next < leaver.end);
        if more {
            leaver.at = next;
            self.leavers.push_front(leaver);
        }
    }

    fn append(&mut self, append: &Append) {
        let place = self.entries.len();
        if self.chunk_bytes >= CHUNK {
            self.close_chunk();
        }
        let mark_chunk = self.chunk;
        let mark = self.log.mark();
        self.next_seq += append.skipped;
        let bytes = vec![place as u8; append.len];
        let len = self.log.append(self.next_seq, append.author, |to| {
            to.extend_from_slice(&bytes)
        });
        assert_eq!(len, append.len);
        if let Some(author) = append.author
            && let Some(reader) = self.readers.get_mut(&author)
        {
            reader.cursor.skip_own(len);
        }
        self.chunk_bytes += len;
        self.entries.push(Entry {
            seq: self.next_seq,
            author: append.author,
            bytes,
            chunk: self.chunk,
        });
        self.next_seq += 1;

        let held = self.log.cursor(&mark);
        let mut gone = false;
        for (key, dies) in &append.late {
            if append.author == Some(*key) || self.readers.contains_key(key) {
                continue;
            }
            let cursor = self.log.cursor(&mark);
            if *dies {
                self.log.release(&cursor);
                gone = true;
                continue;
            }
            let reader = Reader {
                cursor,
                at: place,
                chunk: mark_chunk,
            };
            self.readers.insert(*key, reader);
        }
        // What was held meanwhile is still there for those that are.
        assert!(!gone || self.log.lag(&held).messages == 1);
        self.log.release(&held);
        self.free();
    }

    fn read(&mut self, key: Key, before: Option<&Pick>, cuts: Cuts<'_>) {
        let Some(Reader { cursor, at, chunk }) = self.readers.remove(&key) else {
            return;
        };
        let before = match before {
            Some(pick) => self.entries[pick.index(self.entries.len())].seq,
            None => u64::MAX,
        };
        let mut ranges = Vec::new();
        let left = self.log.read(cursor, key, before, cuts, &mut ranges);
        let open = self.entries[at..]
            .iter()
            .filter(|one| one.chunk == self.chunk);
        if open.map(|one| one.bytes.len()).sum::<usize>() >= SHARE_FROM {
            self.close_chunk();
        }

        let rest = self.entries[at..].iter();
        let taken = rest.take_while(|entry| entry.seq < before).count();
        self.check_slices(key, &self.entries[at..at + taken], cuts, &ranges);
        let next = at + taken;
        assert_eq!(left.is_some(), next < self.entries.len());
        if let Some(cursor) = left {
            let chunk = chunk.max(self.entries[next].chunk);
            let reader = Reader {
                cursor,
                at: next,
                chunk,
            };
            self.readers.insert(key, reader);
        }
        self.free();
    }

    /// Checks that the ranges are these entries without the reader's own, in as few slices as
    /// possible.
    fn check_slices(&self, key: Key, entries: &[Entry], cuts: Cuts<'_>, ranges: &[LogSlice]) {
        let mut expected: Vec<Vec<&Entry>> = Vec::new();
        let mut apart = true;
        for entry in entries {
            if entry.author == Some(key) {
                apart = true;
                continue;
            }
            match expected.last_mut() {
                Some(slice)
                    if !apart
                        && slice.last().is_some_and(|last| {
                            last.chunk == entry.chunk
                                && cuts.is_none_or(|cuts| {
                                    last.seq + 1 == entry.seq && !cuts.contains(&entry.seq)
                                })
                        }) =>
                {
                    slice.push(entry);
                }
                _ => expected.push(vec![entry]),
            }
            apart = false;
        }
        assert_eq!(ranges.len(), expected.len(), "{cuts:?}");
        for (range, expected) in ranges.iter().zip(expected) {
            let bytes: Vec<_> = expected.iter().map(|one| &one.bytes[..]).collect();
            let bytes = bytes.concat();
            assert!(range.bytes == bytes, "other bytes than were appended");
            assert_eq!(range.messages, expected.len());
            assert_eq!(range.seq, expected[0].seq);
        }
    }

    fn close_chunk(&mut self) {
        self.chunk += 1;
        self.chunk_bytes = 0;
    }

    /// Frees the chunks that no reader needs any more.
    fn free(&mut self) {
        match self.readers.values().map(|reader| reader.chunk).min() {
            Some(slowest) => self.freed = self.freed.max(slowest),
            None => {
                self.close_chunk();
                self.freed = self.chunk;
            }
        }
    }

    /// Checks the sizes that the log reports.
    fn check(&self) {
        let kept = self
            .entries
            .iter()
            .filter(|entry| entry.chunk >= self.freed);
        let chunks = self.log.chunks.iter().map(|kept| kept.chunk.bytes.len());
        let bytes = chunks.sum::<usize>() + self.log.tail.bytes.len();
        assert_eq!(bytes, kept.map(|entry| entry.bytes.len()).sum::<usize>());
        assert_eq!(self.log.end().past(self.start), sum(self.entries.iter()));
        for (key, reader) in &self.readers {
            let since = &self.entries[reader.at..];
            let (lag, span) = (self.log.lag(&reader.cursor), self.log.span(&reader.cursor));
            assert_eq!(span, sum(since.iter()));
            let others = since.iter().filter(|entry| entry.author != Some(*key));
            assert_eq!(lag, sum(others));
        }
        for leaver in &self.leavers {
            let waits = self.entries[leaver.at..leaver.end].iter();
            let others = waits.filter(|entry| entry.author != Some(leaver.key));
            assert_eq!(leaver.rest.lag(), sum(others));
            assert!(leaver.rest.span() >= leaver.rest.lag().bytes);
        }
        if self.readers.is_empty() {
            assert_eq!(
                (self.log.chunks.len(), self.log.tail.bytes.capacity()),
                (0, 0)
            );
        }
    }
}

fn sum<'a>(entries: impl Iterator<Item = &'a Entry>) -> QueueSize {
    entries.fold(QueueSize::default(), |sum, entry| QueueSize {
        bytes: sum.bytes + entry.bytes.len(),
        messages: sum.messages + 1,
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_log_does_what_the_model_does(
        start in start(),
        ops in proptest::collection::vec(op(), 1..80),
    ) {
        let mut model = Model::after(start);
        for op in &ops {
            model.apply(op);
            model.check();
        }
        for key in 0..READERS {
            model.apply(&Op::Read(key, None, None));
            model.check();
        }
        while !model.leavers.is_empty() {
            model.apply(&Op::ReadRest(None, Some(Vec::new())));
        }
    }
}

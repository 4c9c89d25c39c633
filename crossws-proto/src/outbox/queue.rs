//! The queue of one connection: frames that were sent to it, and where to fetch publications.

use std::cell::Cell;
use std::collections::VecDeque;

use crossws_core::adapter::{Backlog, Cursor, Left, LogSlice, QueueSize};
use smallvec::SmallVec;

use super::{Batch, Framing};

/// The connection's own frames, in the order in which they were sent, and the feeds of topics with
/// news. They leave in one order: a frame that is sent while there are news remembers the time, and
/// so its place among them.
#[derive(Debug, Default)]
pub(super) struct FrameQueue<F> {
    /// The frames that were sent before there were any news.
    pub(super) direct: Batch<F>,
    /// Nearly always one.
    feeds: SmallVec<[Cursor; 1]>,
    /// The frames that were sent since, if there are any.
    behind: Option<Box<Behind<F>>>,
    /// The writer is fetching the news. They count until it has fetched them, and frames that are
    /// sent meanwhile follow them.
    fetching: bool,
}

/// Frames that were sent after news. Rare, and therefore not a part of every connection.
#[derive(Debug, Default)]
struct Behind<F> {
    batch: Batch<F>,
    /// Ordered by time.
    parts: VecDeque<Part>,
    /// How many of them are empty, because their frames were replaced: never more than half.
    empty: usize,
}

/// A buffer that a burst is expected to fill is at most this large.
const MOST_EXPECTED: usize = 16 << 10;

#[derive(Debug)]
struct Part {
    /// Publications before this time precede the part.
    time: u64,
    size: QueueSize,
}

impl<F: Framing> FrameQueue<F> {
    /// Returns whether there are only sent frames, so that the next frame is appended to `direct`.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.feeds.is_empty() && !self.fetching && self.behind.is_none()
    }

    /// Appends frames that were sent to this connection while there is something to fetch, with `push`.
    #[cold]
    pub(super) fn push_behind(&mut self, push: impl FnOnce(&mut Batch<F>)) {
        let time = self.feeds.first().map(|feed| feed.clock().now());
        let Behind { batch, parts, .. } = &mut **self.behind.get_or_insert_default();
        let before = batch.size();
        push(batch);
        let size = batch.size().since(before);
        match parts.back_mut() {
            Some(part) if time.is_none_or(|time| time == part.time) => part.size = part.size + size,
            _ => parts.push_back(Part {
                time: time.unwrap_or_default(),
                size,
            }),
        }
        batch.date(parts.back().map_or(0, |part| part.time));
    }

    pub(super) fn announce(&mut self, feed: Cursor) {
        self.feeds.push(feed);
    }

    /// Returns how much was sent to this connection.
    pub(super) fn sent(&self) -> QueueSize {
        self.direct.size() + size_of_behind(self.behind.as_deref())
    }

    /// Returns an upper bound of the unfetched news.
    pub(super) fn news(&self) -> QueueSize {
        self.feeds.iter().map(Cursor::at_most).sum()
    }

    /// Arranges for every topic with news to ask at its next publication how much more may wait.
    pub(super) fn recheck(&self) {
        self.feeds.iter().for_each(Cursor::recheck);
    }

    /// Returns whether the news are one topic's, and no fetch is under way.
    pub(super) fn has_one_feed(&self) -> bool {
        self.feeds.len() == 1 && !self.fetching
    }

    /// Returns of how many topics there are news.
    pub(super) fn feeds(&self) -> usize {
        self.feeds.len()
    }

    /// Notes that the peer has left these topics: nothing is added to their backlogs.
    pub(super) fn left(&mut self, backlogs: &[Backlog], rests: &[Option<QueueSize>]) {
        for feed in &mut self.feeds {
            let known = backlogs.iter().zip(rests).find(|(of, _)| feed.is_of(of));
            if let Some((_, Some(rest))) = known {
                feed.ends_behind(*rest);
            }
        }
    }

    pub(super) fn backlogs(&self) -> SmallVec<[Backlog; 1]> {
        self.feeds.iter().map(Cursor::backlog).collect()
    }

    /// Removes the waiting frame that was sent with this key.
    #[cold]
    pub(super) fn take_out(&mut self, key: &str) {
        if self.direct.take_out(key).is_some() {
            return;
        }
        let Some(behind) = &mut self.behind else {
            return;
        };
        let Some((time, len)) = behind.batch.take_out(key) else {
            return;
        };
        let at = behind.parts.partition_point(|part| part.time < time);
        if let Some(part) = behind.parts.get_mut(at) {
            part.size = part.size.since(QueueSize::new(len, 1));
            behind.empty += usize::from(part.size.messages == 0);
        }
        // Not each time: that would take as long as there are parts.
        if behind.empty > behind.parts.len() / 2 {
            behind.parts.retain(|part| part.size.messages > 0);
            behind.empty = 0;
        }
        if behind.batch.is_empty() {
            self.behind = None;
        }
    }

    /// Returns the length of the frame that [`take_out`](Self::take_out) would remove.
    pub(super) fn len_of(&self, key: &str) -> Option<usize> {
        let behind = || self.behind.as_ref()?.batch.len_of(key);
        self.direct.len_of(key).or_else(behind)
    }

    pub(super) fn drop_first(&mut self) -> bool {
        self.direct.drop_first()
    }

    /// Discards the sent frames. The feeds stay, because they must not be dropped under a lock.
    pub(super) fn clear(&mut self) {
        self.direct = Batch::default();
        self.behind = None;
    }

    /// Returns whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.direct.is_empty() && self.behind.is_none() && self.feeds.is_empty()
    }

    /// Moves the first frames into `batch`, which is empty, and begins to fetch the rest if there
    /// are news. If more than `most` bytes precede the news, moves at most this many, or one frame, and
    /// fetches nothing.
    pub(super) fn take(&mut self, batch: &mut Batch<F>, most: usize) -> Option<Fetch<F>> {
        if self.direct.bytes() > most {
            let first = self.direct.first_frames(most);
            self.direct.move_front(batch, first);
            return None;
        }
        std::mem::swap(batch, &mut self.direct);
        // The next burst may be as long as this one was.
        self.direct.expect(batch.bytes().min(MOST_EXPECTED));
        let Some(feed) = self.feeds.first() else {
            if let Some(mut behind) = self.behind.take() {
                let all = behind.batch.size();
                behind.batch.move_front(batch, all);
            }
            return None;
        };
        // Read under the lock under which feeds are announced, as a feed demands.
        let before = feed.clock().now();
        self.fetching = true;
        Some(Fetch {
            before,
            feeds: self.backlogs(),
            behind: self.behind.take(),
        })
    }

    /// Returns to the queue what was just taken and is more than `most` bytes or one frame.
    #[cold]
    pub(super) fn put_back(&mut self, batch: &mut Batch<F>, most: usize) {
        let size = batch.first_frames(most);
        if size.bytes == batch.bytes() {
            return;
        }
        let mut first = Batch::default();
        batch.move_front(&mut first, size);
        let mut rest = std::mem::replace(batch, first);
        // Nearly always empty: what is queued while news are fetched follows them.
        let size = self.direct.size();
        self.direct.move_front(&mut rest, size);
        self.direct = rest;
    }

    /// Ends a fetch, and keeps counting what is left in each feed.
    pub(super) fn fetched(&mut self, fetched: &Fetched) {
        self.fetching = false;
        for (backlog, left) in fetched {
            let mut feeds = self.feeds.iter_mut().enumerate();
            let found = feeds.find(|(_, feed)| feed.is_of(backlog));
            if let Some((at, feed)) = found
                && !feed.has_left(*left)
            {
                self.feeds.swap_remove(at);
            }
        }
    }

    /// Removes the feeds. The caller drops them without the lock.
    pub(super) fn give_up(&mut self) -> SmallVec<[Cursor; 1]> {
        std::mem::take(&mut self.feeds)
    }

    pub(super) fn has_news(&self) -> bool {
        !self.feeds.is_empty()
    }
}

/// News on their way, with the frames that were sent while they waited.
pub(super) struct Fetch<F> {
    before: u64,
    feeds: SmallVec<[Backlog; 1]>,
    behind: Option<Box<Behind<F>>>,
}

/// The feeds of a [`Fetch`] with the rest in each.
pub(super) type Fetched = SmallVec<[(Backlog, Left); 1]>;

thread_local! {
    /// Every fetch needs such a list for a moment.
    static RANGES: Cell<Vec<LogSlice>> = const { Cell::new(Vec::new()) };
}

impl<F: Framing> Fetch<F> {
    /// Returns how much of it was sent.
    pub(super) fn sent(&self) -> QueueSize {
        size_of_behind(self.behind.as_deref())
    }

    /// Appends everything in its order, without a lock.
    pub(super) fn into_batch(self, batch: &mut Batch<F>) -> Fetched {
        let mut ranges = RANGES.take();
        let behind = self.behind.map(|behind| *behind);
        let Behind {
            batch: mut sent,
            parts,
            ..
        } = behind.unwrap_or_default();
        let sorted = self.feeds.len() > 1 || !parts.is_empty();
        let cuts: SmallVec<[u64; 4]> = parts.iter().map(|part| part.time).collect();
        let mut fetched = Fetched::new();
        for feed in self.feeds {
            let left = feed.take(self.before, sorted.then_some(&cuts), &mut ranges);
            fetched.push((feed, left));
        }
        if sorted {
            ranges.sort_unstable_by_key(|range| range.seq);
        }
        let mut parts = parts.into_iter().peekable();
        for range in ranges.drain(..) {
            // The time of a part is a cut: it is in no range.
            while let Some(part) = parts.next_if(|part| part.time <= range.seq) {
                sent.move_front(batch, part.size);
            }
            batch.push_encoded(range.bytes, range.messages);
        }
        for part in parts {
            sent.move_front(batch, part.size);
        }
        RANGES.set(ranges);
        fetched
    }
}

fn size_of_behind<F: Framing>(behind: Option<&Behind<F>>) -> QueueSize {
    behind.map_or(QueueSize::default(), |behind| behind.batch.size())
}

/// As [`lag`], but counts what a topic that the peer has left keeps in memory because of it, if
/// that is more. Must not be called under a lock.
pub(super) fn kept(backlogs: &[Backlog]) -> QueueSize {
    let kept = |backlog: &Backlog| {
        let lag = backlog.lag();
        QueueSize::new(lag.bytes.max(backlog.kept()), lag.messages)
    };
    backlogs.iter().map(kept).sum()
}

/// Returns how much waits in feeds that are being fetched. Exact. Must not be called under a lock.
pub(super) fn lag(backlogs: &[Backlog]) -> QueueSize {
    backlogs.iter().map(Backlog::lag).sum()
}

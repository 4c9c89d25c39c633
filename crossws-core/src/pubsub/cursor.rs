//! How a transport reads publications: see [`LogReader`](crate::adapter::LogReader).

use std::fmt;
use std::sync::Arc;

use crate::peer::members::Key;
use crate::pubsub::log::{LogSlice, Sequence};
use crate::pubsub::queue_size::QueueSize;
use crate::pubsub::topic::{Reader, Remains, Topic};

/// A transport's position in a topic's log. Dropping it discards the unread part.
///
/// Neither a call nor the drop may happen under a lock that [`LogReader::news`] takes: they lock
/// the topic, and `news` is called under that lock.
///
/// [`LogReader::news`]: crate::adapter::LogReader::news
pub struct Cursor {
    topic: Arc<Topic>,
    /// The size of all earlier publications to the topic.
    before: QueueSize,
    // The reader's fields, inlined so that they leave room for the others: every outbox has room
    // for a feed.
    number: u64,
    key: Key,
    armed: bool,
    /// The peer has left the topic: `before` is the size that waits, and nothing is added.
    ended: bool,
}

impl Cursor {
    pub(crate) fn new(topic: Arc<Topic>, reader: Reader, before: QueueSize) -> Self {
        Self {
            topic,
            before,
            number: reader.number,
            key: reader.key,
            armed: true,
            ended: false,
        }
    }

    fn reader(&self) -> Reader {
        Reader {
            key: self.key,
            number: self.number,
        }
    }

    /// Drops it without notifying the topic, which is locked.
    pub(crate) fn disarm(mut self) {
        self.armed = false;
    }

    /// Returns the order of the namespace.
    pub fn clock(&self) -> &Sequence {
        &self.topic.clock
    }

    /// Notes what [`Backlog::take`] has left. Returns whether that is anything. If not, the feed is
    /// read to its end, and must be dropped.
    pub fn has_left(&mut self, left: Left) -> bool {
        match left.0 {
            None => self.armed = false,
            Some(Remains::Ended(rest)) => self.ends_behind(rest),
            // The peer has left the topic meanwhile.
            Some(Remains::Since(_)) if self.ended => {}
            Some(Remains::Since(start)) => self.before = start,
        }
        self.armed
    }

    /// Returns whether the backlog is this feed's.
    pub fn is_of(&self, backlog: &Backlog) -> bool {
        Arc::ptr_eq(&self.topic, &backlog.topic) && self.reader() == backlog.reader
    }

    /// Notes that the peer has left the topic, and how much waits: the result of [`Backlog::rest`].
    pub fn ends_behind(&mut self, rest: QueueSize) {
        self.before = rest;
        self.ended = true;
    }

    /// Returns an upper bound of the unread size. It takes no lock, so that it may be called under
    /// one. The reader's own publications count.
    pub fn at_most(&self) -> QueueSize {
        if self.ended {
            return self.before;
        }
        self.topic.published().past(self.before)
    }

    /// Arranges for the topic to call [`LogReader::lags`](crate::adapter::LogReader::lags) of this
    /// feed's transport at the next publication, whatever allowance it has. Takes no lock.
    pub fn recheck(&self) {
        self.topic.recheck();
    }

    /// Returns a handle that reads the feed while the feed stays in place, under a lock.
    pub fn backlog(&self) -> Backlog {
        Backlog {
            topic: Arc::clone(&self.topic),
            reader: self.reader(),
        }
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        if self.armed {
            self.topic.forget(self.reader());
        }
    }
}

crate::opaque_debug!([] Cursor, self => (self.at_most()));

/// The form in which a transport that no longer reads returns it: see
/// [`LogReader::news`](crate::adapter::LogReader::news).
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is closing: what is published is not read")
    }
}

impl std::error::Error for Cursor {}

/// The rest after [`Backlog::take`]: see [`Cursor::has_left`].
#[derive(Debug, Clone, Copy)]
pub struct Left(Option<Remains>);

/// The unread part of a [`Cursor`].
#[derive(Clone)]
pub struct Backlog {
    topic: Arc<Topic>,
    reader: Reader,
}

impl Backlog {
    /// Takes the publications before `before`, a time of the [`clock`](Cursor::clock), in slices as
    /// long as possible. If the caller sorts them among other messages, it passes `cuts`, times in
    /// their order: then the numbers of a slice are consecutive, and all are before a cut or none
    /// is. The caller must report the rest to the [`Cursor`]. Locks the topic.
    ///
    /// The transport must read the time before, or under, the lock under which it lists its feeds.
    /// Then every publication before that time is in one of them, and the order of publications
    /// over several topics is kept.
    #[must_use = "the feed counts what was taken until it is told what is left"]
    pub fn take(&self, before: u64, cuts: Option<&[u64]>, into: &mut Vec<LogSlice>) -> Left {
        Left(self.topic.take(self.reader, before, cuts, into))
    }

    /// Returns how much there is to read now: nothing once the feed is dropped. Locks the topic.
    pub fn lag(&self) -> QueueSize {
        self.topic.lag(self.reader)
    }

    /// Returns how much there is to read if the peer has left the topic: nothing is added to that. Locks
    /// the topic.
    pub fn rest(&self) -> Option<QueueSize> {
        self.topic.rest(self.reader)
    }

    /// Returns how many bytes stay in memory because of this reader, if its peer has left the topic: a
    /// log is kept in whole pieces. 0 while the peer is a member. Locks the topic.
    pub fn kept(&self) -> usize {
        self.topic.kept(self.reader)
    }
}

crate::opaque_debug!(Backlog);

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::Duration;

/// What becomes of a [`Pipe`] after its last byte.
// Exhaustive on purpose: a test covers each.
#[allow(clippy::exhaustive_enums)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The reader finds the end, and writes fail.
    End,
    /// The reader finds an error, even before bytes that have arrived, and writes fail.
    Reset,
    /// Nothing is found and nothing fails: the network loses everything.
    Silence,
}

/// One direction of a connection.
#[derive(Debug)]
#[non_exhaustive]
pub struct Pipe {
    /// How many bytes may be on their way. Default: any number.
    pub room: usize,
    /// How many bytes one read returns at most. Default: any number.
    pub piece: usize,
    /// How long a byte is on its way. Default: no time.
    pub delay: Duration,
    /// How many more bytes pass before the pipe is [cut](Self::cut). Default: any number.
    pub passes: usize,
    /// How the pipe is cut. Default: [`Cut::End`].
    pub cut: Cut,
    /// What was written, with its time of arrival.
    sent: VecDeque<(Duration, VecDeque<u8>)>,
    waiting: usize,
    /// When the writer's end arrives.
    ended: Option<Duration>,
    reset: bool,
}

/// What a read of a [`Pipe`] finds.
pub(super) enum Read {
    Bytes(Vec<u8>),
    End,
    Nothing,
}

/// A write that failed.
pub(super) struct Broken;

impl Default for Pipe {
    fn default() -> Self {
        Self {
            room: usize::MAX,
            piece: usize::MAX,
            delay: Duration::ZERO,
            passes: usize::MAX,
            cut: Cut::End,
            sent: VecDeque::new(),
            waiting: 0,
            ended: None,
            reset: false,
        }
    }
}

impl Pipe {
    /// Returns how many bytes are on their way.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Writes as much as there is room for. Returns how much that is.
    pub(super) fn write(&mut self, now: Duration, slices: &[IoSlice<'_>]) -> Result<usize, Broken> {
        if (self.is_cut() && !self.is_silent()) || self.reset || self.ended.is_some() {
            return Err(Broken);
        }
        let mut written = 0;
        for slice in slices {
            let count = slice.len().min(self.room.saturating_sub(self.waiting));
            self.push(now, slice.iter().take(count));
            written += count;
        }
        Ok(written)
    }

    /// Puts bytes into the pipe, whatever the room, as far as it passes them.
    pub(super) fn push<'a>(&mut self, now: Duration, bytes: impl Iterator<Item = &'a u8>) {
        let bytes: VecDeque<u8> = bytes.take(self.passes).copied().collect();
        if self.passes != usize::MAX {
            self.passes -= bytes.len();
        }
        if !bytes.is_empty() {
            self.waiting += bytes.len();
            self.sent.push_back((now.saturating_add(self.delay), bytes));
        }
    }

    /// Reads what has arrived.
    pub(super) fn read(&mut self, now: Duration) -> Read {
        if self.reset || (self.is_cut() && self.cut == Cut::Reset) {
            return Read::End;
        }
        let Some((arrives, bytes)) = self.sent.front_mut() else {
            let has_ended = self.ended.is_some_and(|end| end <= now);
            return match has_ended || (self.is_cut() && self.cut == Cut::End) {
                true => Read::End,
                false => Read::Nothing,
            };
        };
        if *arrives > now {
            return Read::Nothing;
        }
        let count = bytes.len().min(self.piece.max(1));
        let read: Vec<u8> = bytes.drain(..count).collect();
        if bytes.is_empty() {
            self.sent.pop_front();
        }
        self.waiting -= read.len();
        Read::Bytes(read)
    }

    /// Ends the writing side.
    pub(super) fn end(&mut self, now: Duration) {
        if !self.is_silent() {
            self.ended.get_or_insert(now.saturating_add(self.delay));
        }
    }

    /// Drops the pipe: what is on its way is lost.
    pub(super) fn reset(&mut self) {
        self.reset = !self.is_silent();
        self.sent.clear();
        self.waiting = 0;
    }

    /// Returns when the reader next finds something that it does not find yet.
    pub(super) fn next_arrival(&self, now: Duration) -> Option<Duration> {
        let first = self.sent.front().map(|(arrives, _)| *arrives);
        first.or(self.ended).filter(|arrives| *arrives > now)
    }

    fn is_cut(&self) -> bool {
        self.passes == 0
    }

    /// Returns whether the network loses everything, the end and the reset too.
    fn is_silent(&self) -> bool {
        self.is_cut() && self.cut == Cut::Silence
    }
}

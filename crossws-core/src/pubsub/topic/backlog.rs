//! What waits in a topic's logs for its readers.

use crate::pubsub::log::{Cuts, LogSlice};
use crate::pubsub::queue_size::QueueSize;
use crate::pubsub::topic::{Reader, Topic};
use crate::sync::atomic::Ordering;

/// The rest of a feed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Remains {
    /// The publications after this size.
    Since(QueueSize),
    /// This size. The peer has left the topic.
    Ended(QueueSize),
}

impl Topic {
    /// See [`Backlog::take`](crate::adapter::Backlog::take). Returns the rest, if there is one.
    pub(crate) fn take(
        &self,
        reader: Reader,
        before: u64,
        cuts: Cuts<'_>,
        into: &mut Vec<LogSlice>,
    ) -> Option<Remains> {
        let mut state = self.state.lock();
        let reading = state.reading_mut(reader)?;
        if let Some(rest) = &mut reading.rest
            && rest.read(before, cuts, into)
        {
            return Some(Remains::Ended(rest.lag()));
        }
        let (lane, member) = (reading.lane, reading.member);
        if let Some(cursor) = reading.cursor.take()
            && let Some(key) = member
            && let Some(lane) = state.lanes.get_mut(usize::from(lane))
            && let Some(left) = lane.log.read(cursor, key, before, cuts, into)
        {
            let start = self.published().past(lane.log.lag(&left));
            if let Some(reading) = state.reading_mut(reader) {
                reading.cursor = Some(left);
                return Some(Remains::Since(start));
            }
        }
        state.rest(reader);
        None
    }

    /// Arranges for every reader to be asked at the next publication.
    pub(crate) fn recheck(&self) {
        self.recheck.store(true, Ordering::Release);
    }

    /// Removes a feed.
    pub(crate) fn forget(&self, reader: Reader) {
        let mut state = self.state.lock();
        let Some(reading) = state.reading_mut(reader) else {
            return;
        };
        if let Some(cursor) = reading.cursor.take() {
            let lane = usize::from(reading.lane);
            if let Some(lane) = state.lanes.get_mut(lane) {
                lane.log.release(&cursor);
            }
        }
        state.rest(reader);
    }

    /// Returns how much waits for a reader.
    pub(crate) fn lag(&self, reader: Reader) -> QueueSize {
        let state = self.state.lock();
        let Some(reading) = state.reading(reader) else {
            return QueueSize::default();
        };
        match (&reading.rest, &reading.cursor) {
            (Some(rest), _) => rest.lag(),
            (None, Some(cursor)) => {
                let lane = state.lanes.get(usize::from(reading.lane));
                lane.map_or(QueueSize::default(), |lane| lane.log.lag(cursor))
            }
            (None, None) => QueueSize::default(),
        }
    }

    /// Returns how much waits for a reader that has left.
    pub(crate) fn rest(&self, reader: Reader) -> Option<QueueSize> {
        let state = self.state.lock();
        let rest = state.reading(reader)?.rest.as_ref();
        rest.map(|rest| rest.lag())
    }

    /// Returns how many bytes stay in memory because of a reader, if it has left: chunks of the log
    /// are kept whole. 0 for a member, for which the log keeps them.
    pub(crate) fn kept(&self, reader: Reader) -> usize {
        let state = self.state.lock();
        let reading = state.reading(reader);
        let rest = reading.and_then(|reading| reading.rest.as_ref());
        rest.map_or(0, |rest| rest.span())
    }
}

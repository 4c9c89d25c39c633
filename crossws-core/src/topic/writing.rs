//! One publication on its way to those who read one wire format.

use std::sync::Arc;

use slab::Slab;

use super::{Lane, LaneNumber, Place, Reading, Told, Topic};
use crate::Publication;
use crate::feed::{Feed, Lag, Reader};
use crate::log::Mark;
use crate::members::{Key, Members};

/// A publication on its way into one lane.
pub(super) struct Writing<'a, 't> {
    pub(super) topic: &'a Arc<Topic>,
    pub(super) before: Lag,
    pub(super) number: LaneNumber,
    pub(super) author: Option<Key>,
    /// Set if the author reads this lane: the reader it is, if it has something to read.
    pub(super) author_reads: Option<Option<Key>>,
    pub(super) members: &'a mut Members<Place>,
    pub(super) readers: &'a mut Slab<Reading>,
    pub(super) told: &'a mut Told<'t>,
}

impl Writing<'_, '_> {
    /// Offers the message to those with nothing to read, appends it to the lane's log for all
    /// others, and looks after those that have too much. Answers how long it is in the log.
    pub(super) fn publish(
        &mut self,
        lane: &mut Lane,
        seq: u64,
        publication: &Publication,
    ) -> usize {
        let others = lane.members - usize::from(self.author_reads.is_some());
        if others == 0 {
            return 0;
        }
        self.told.published.queued += others;
        let late = self.offer(lane, publication);
        // All that are not idle, the late among them.
        let readers = lane.members - lane.idle.len();
        let author_reads = self.author_reads.flatten();
        if readers == usize::from(author_reads.is_some()) {
            return 0;
        }
        let wire = lane.wire;
        let mark = lane.log.mark();
        let len = lane.log.append(seq, self.author, |bytes| {
            publication.append(wire, bytes);
        });
        if let Some(reader) = author_reads
            && let Some(reading) = self.readers.get_mut(reader as usize)
            && let Some(cursor) = &mut reading.cursor
        {
            cursor.skip_own(len);
        }
        if !late.is_empty() {
            // Held meanwhile, or one that cannot be told would let go what the next is to read.
            let held = lane.log.cursor(&mark);
            for key in late {
                self.tell(lane, key, &mark, seq, len);
            }
            lane.log.release(&held);
        }
        if lane.log.end().exceeds(lane.check) {
            self.check(lane);
        }
        len
    }

    /// Offers the message to the idle. Answers with those that are to read it; they are idle no
    /// more.
    fn offer(&mut self, lane: &mut Lane, publication: &Publication) -> Vec<Key> {
        let mut late = Vec::new();
        let mut at = 0;
        while let Some(key) = lane.idle.get(at).copied() {
            let Some((peer, place)) = self.members.get_mut(key) else {
                break;
            };
            if self.author != Some(key) {
                let Some(receipt) = peer.transport().offer(publication) else {
                    lane.idle.swap_remove(at);
                    late.push(key);
                    continue;
                };
                self.told.published.dropped += receipt.dropped;
                if receipt.wake {
                    self.told.asleep.push(peer.clone());
                }
            }
            *place = Place::Idle(self.number, at as Key);
            at += 1;
        }
        late
    }

    /// Tells one member that there is something to read.
    fn tell(&mut self, lane: &mut Lane, key: Key, mark: &Mark, seq: u64, len: usize) {
        let Some((peer, place)) = self.members.get_mut(key) else {
            return;
        };
        let cursor = lane.log.cursor(mark);
        let entry = self.readers.vacant_entry();
        let reader = Reader {
            key: entry.key() as Key,
            number: seq,
        };
        let feed = Feed::new(Arc::clone(self.topic), reader, self.before);
        match peer.transport().news(feed, len) {
            Ok(room) => {
                lane.check = lane.check.min(cursor.until(room));
                entry.insert(Reading {
                    number: reader.number,
                    lane: self.number,
                    member: Some(key),
                    cursor: Some(cursor),
                    rest: Vec::new(),
                });
                *place = Place::Reading(reader.key);
                if room.wake {
                    self.told.asleep.push(peer.clone());
                }
            }
            Err(feed) => {
                feed.disarm();
                lane.log.release(&cursor);
                lane.members -= 1;
                self.told.published.queued -= 1;
                *place = Place::Deaf;
            }
        }
    }

    /// Asks those with something to read whether it is too much.
    fn check(&mut self, lane: &mut Lane) {
        lane.check = Lag::MOST;
        for (_, reading) in self.readers.iter_mut() {
            if reading.lane != self.number {
                continue;
            }
            let Some(cursor) = &reading.cursor else {
                continue;
            };
            let Some((peer, place)) = reading.member.and_then(|key| self.members.get_mut(key))
            else {
                continue;
            };
            let (lag, kept) = (lane.log.lag(cursor), lane.log.span(cursor));
            match peer.transport().lags(lag, kept) {
                Ok(room) => lane.check = lane.check.min(cursor.until(room)),
                Err(lost) => {
                    // The author was not counted among those who hear.
                    self.told.published.queued -= usize::from(reading.member != self.author);
                    lane.log.release(cursor);
                    reading.cursor = None;
                    reading.member = None;
                    lane.members -= 1;
                    *place = Place::Deaf;
                    self.told.published.dropped += lost;
                    self.told.asleep.push(peer.clone());
                }
            }
        }
    }
}

//! One publication on its way to the members of a topic.

use std::sync::Arc;

use bytes::Bytes;
use slab::Slab;

use super::{Lane, LaneNumber, Place, Reader, Reading, Topic, TopicState};
use crate::peer::Peer;
use crate::peer::members::{Key, Members};
use crate::peer::told::Told;
use crate::pubsub::cursor::Cursor;
use crate::pubsub::log::Mark;
use crate::pubsub::publication::Publication;
use crate::pubsub::queue_size::QueueSize;
use crate::sync::atomic::Ordering;

/// Runs under the lock, after a topic's members have got a publication.
type Then<'a> = &'a dyn Fn(&TopicState, &mut Told);

impl Topic {
    /// Passes a publication to the members that want each, and appends it to the logs of the
    /// others.
    pub(crate) fn publish(
        self: &Arc<Self>,
        except: Option<&Peer>,
        publication: &Publication,
        told: &mut Told,
    ) {
        self.publish_then(except, publication, told, None);
    }

    /// As [`publish`](Self::publish), and calls a function before the lock is released.
    // Not generic: inlining its callees into one function is enough.
    pub(super) fn publish_then(
        self: &Arc<Self>,
        except: Option<&Peer>,
        publication: &Publication,
        told: &mut Told,
        then: Option<Then<'_>>,
    ) {
        let mut state = self.state.lock();
        let (author, author_reads) = loop {
            let author = except.and_then(|peer| state.key_of(self, peer));
            let reads = author.and_then(|key| state.reads(key));
            let Some(wire) = state.wants_encoded(reads.map(|(lane, _)| lane), publication) else {
                break (author, reads);
            };
            // Without the lock, because compressing would keep every other publisher out.
            drop(state);
            publication.encoded(wire);
            state = self.state.lock();
        };
        let TopicState {
            members,
            handed,
            lanes,
            readers,
        } = &mut *state;
        for key in handed.iter().filter(|key| author != Some(**key)) {
            if let Some((peer, _)) = members.get_mut(*key) {
                told.publish(peer, publication);
            }
        }
        if lanes.iter().all(|lane| lane.members == 0) {
            if let Some(then) = then {
                then(&state, told);
            }
            return;
        }
        let seq = self.clock.tick();
        let before = self.published();
        let recheck =
            self.recheck.load(Ordering::Relaxed) && self.recheck.swap(false, Ordering::AcqRel);
        let mut longest = 0;
        for (number, lane) in lanes.iter_mut().enumerate() {
            let number = number as LaneNumber;
            let mut write = Writing {
                topic: self,
                before,
                number,
                recheck,
                author,
                author_reads: author_reads
                    .filter(|(lane, _)| *lane == number)
                    .map(|(_, reader)| reader),
                members,
                readers,
                told,
            };
            write.publish(lane, seq, publication, &mut longest);
        }
        if let Some(then) = then {
            then(&state, told);
        }
    }
}

/// A publication on its way into one lane.
pub(super) struct Writing<'a> {
    pub(super) topic: &'a Arc<Topic>,
    pub(super) before: QueueSize,
    pub(super) number: LaneNumber,
    /// Every reader is asked, regardless of its allowance.
    pub(super) recheck: bool,
    pub(super) author: Option<Key>,
    /// Set if the author reads this lane: its reader, if it has news.
    pub(super) author_reads: Option<Option<Key>>,
    pub(super) members: &'a mut Members<Place>,
    pub(super) readers: &'a mut Slab<Reading>,
    pub(super) told: &'a mut Told,
}

impl Writing<'_> {
    /// Offers the message to the members without news, appends it to the lane's log for all others,
    /// and checks the readers whose allowance is used up. `longest` is its length in the longest
    /// format so far.
    #[inline(always)] // it has one caller
    pub(super) fn publish(
        &mut self,
        lane: &mut Lane,
        seq: u64,
        publication: &Publication,
        longest: &mut usize,
    ) {
        let others = lane.members - usize::from(self.author_reads.is_some());
        if others == 0 {
            return;
        }
        self.told.published.queued += others;
        let late = match lane.idle.len() > usize::from(self.author_reads == Some(None)) {
            true => self.offer(lane, &publication.shared(lane.wire)),
            false => Vec::new(),
        };
        // All members that are not idle, including those that join late.
        let readers = lane.members - lane.idle.len();
        let author_reads = self.author_reads.flatten();
        if readers == usize::from(author_reads.is_some()) {
            return;
        }
        let wire = lane.wire;
        let mark = lane.log.mark();
        let len = lane.log.append(seq, self.author, |bytes| {
            publication.append(wire, bytes);
        });
        *longest = len.max(*longest);
        self.topic.set_published(self.before.plus(*longest));
        if let Some(reader) = author_reads
            && let Some(reading) = self.readers.get_mut(reader as usize)
            && let Some(cursor) = &mut reading.cursor
        {
            cursor.skip_own(len);
        }
        if !late.is_empty() {
            // Held meanwhile, or a reader that refuses the news would free what the next one must
            // read.
            let held = lane.log.cursor(&mark);
            for key in late {
                self.tell(lane, key, &mark, seq);
            }
            lane.log.release(&held);
        }
        if self.recheck || lane.log.end().exceeds(lane.check) {
            self.check(lane, seq);
        }
    }

    /// Offers the message to the idle. Returns those that must read it; they are idle no
    /// more.
    #[inline(always)] // it has one caller
    fn offer(&mut self, lane: &mut Lane, encoded: &Bytes) -> Vec<Key> {
        let mut late = Vec::new();
        let mut at = 0;
        while let Some(key) = lane.idle.get(at).copied() {
            let Some((peer, place)) = self.members.get_mut(key) else {
                break;
            };
            if self.author != Some(key) {
                let reader = peer.transport().log_reader();
                let Some(receipt) = reader.and_then(|reader| reader.offer(encoded)) else {
                    lane.idle.swap_remove(at);
                    late.push(key);
                    continue;
                };
                self.told.count(peer, receipt);
            }
            *place = Place::Idle(self.number, at as Key);
            at += 1;
        }
        late
    }

    /// Tells one member that there is something to read.
    #[inline(always)] // it has one caller
    fn tell(&mut self, lane: &mut Lane, key: Key, mark: &Mark, seq: u64) {
        let Some((peer, place)) = self.members.get_mut(key) else {
            return;
        };
        let cursor = lane.log.cursor(mark);
        let entry = self.readers.vacant_entry();
        let reader = Reader {
            key: entry.key() as Key,
            number: seq,
        };
        let feed = Cursor::new(Arc::clone(self.topic), reader, self.before);
        let told = match peer.transport().log_reader() {
            Some(reader) => reader.news(feed),
            None => Err(feed),
        };
        match told {
            Ok(room) => {
                let until = lane.log.end().until(room.lag());
                lane.check = lane.check.earlier(until);
                entry.insert(Reading {
                    number: reader.number,
                    lane: self.number,
                    member: Some(key),
                    cursor: Some(cursor),
                    rest: None,
                    until,
                });
                *place = Place::Reading(reader.key);
                self.told.note(peer, room.wake, room.settle);
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

    /// Asks the readers whose room is used up. No connection ends here: a reader that has too much is
    /// settled once the topic is not locked any more.
    #[inline(always)] // it has one caller, and without calls no `Writing` is ever put together
    fn check(&mut self, lane: &mut Lane, seq: u64) {
        let end = lane.log.end();
        lane.check = end.until(QueueSize::FAR);
        for (_, reading) in self.readers.iter_mut() {
            if reading.lane != self.number || reading.cursor.is_none() {
                continue;
            }
            // Members that are told of this publication were asked a moment ago.
            if (self.recheck || end.exceeds(reading.until))
                && reading.number != seq
                && let Some((peer, _)) = reading.member.and_then(|key| self.members.get(key))
                && let Some(reader) = peer.transport().log_reader()
            {
                let room = reader.lags();
                reading.until = end.until(room.lag());
                self.told.note(peer, false, room.settle);
            }
            lane.check = lane.check.earlier(reading.until);
        }
    }
}

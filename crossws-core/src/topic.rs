//! One topic: who has subscribed, and the logs from which they read.

use std::sync::Arc;

use slab::Slab;

use crate::feed::{Clock, Feed, Lag, Range, Reader};
use crate::log::{Cursor, Log, Mark, Slices};
use crate::members::{Key, Members};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::{Peer, PeerId, Publication, Published, Wire};

pub(crate) struct Topic {
    clock: Clock,
    /// What was ever published, in its longest encoding.
    bytes: AtomicUsize,
    messages: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    members: Members<Place>,
    /// Those that are handed each publication.
    handed: Vec<Key>,
    lanes: Vec<Lane>,
    /// Those with something to read: members, and who was one when it was published.
    readers: Slab<Reading>,
}

/// The members whose transports read the same wire format.
struct Lane {
    wire: Wire,
    log: Log,
    /// Members with nothing to read.
    idle: Vec<Key>,
    members: usize,
    /// At which end of the log somebody's room may be used up.
    check: Lag,
}

/// Where a member is.
enum Place {
    /// In `handed`, at this index.
    Handed(usize),
    /// In its lane's `idle`, at this index.
    Idle(usize, usize),
    /// In `readers`.
    Reading(Key),
    /// Its connection is closing; it will leave.
    Deaf,
}

struct Reading {
    number: u64,
    lane: usize,
    member: Option<Key>,
    /// `None` when it has ended as a slow consumer, or has left.
    cursor: Option<Cursor>,
    /// What there was for it when it left, message by message: the log keeps nothing for it.
    rest: Vec<Range>,
}

/// What a publication leaves to be done without the lock.
pub(crate) struct Told<'a> {
    pub(crate) published: &'a mut Published,
    /// To be woken.
    pub(crate) asleep: &'a mut Vec<Peer>,
}

impl Topic {
    pub(crate) fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            bytes: AtomicUsize::new(0),
            messages: AtomicUsize::new(0),
            state: Mutex::default(),
        })
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What was ever published.
    pub(crate) fn published(&self) -> Lag {
        Lag {
            bytes: self.bytes.load(Ordering::Acquire),
            messages: self.messages.load(Ordering::Acquire),
        }
    }

    pub(crate) fn insert(&self, peer: &Peer) {
        let wire = peer.transport().wire();
        let mut state = self.state.lock();
        let state = &mut *state;
        if state.members.key(peer).is_some() {
            return;
        }
        let key = state.members.insert(peer.clone(), Place::Deaf);
        let place = match wire {
            None => {
                state.handed.push(key);
                Place::Handed(state.handed.len() - 1)
            }
            Some(wire) => {
                let lane = state.lane(wire);
                state.lanes.get_mut(lane).map_or(Place::Deaf, |found| {
                    found.members += 1;
                    found.idle.push(key);
                    Place::Idle(lane, found.idle.len() - 1)
                })
            }
        };
        state.put(key, place);
    }

    /// Takes a member out. What was published before is still its to read. The handle is given
    /// back, to be dropped where that may run user code.
    pub(crate) fn remove(&self, id: PeerId) -> Option<Peer> {
        let mut state = self.state.lock();
        let state = &mut *state;
        let (key, peer, place) = state.members.remove(id)?;
        match place {
            Place::Handed(at) => {
                state.handed.swap_remove(at);
                if let Some(moved) = state.handed.get(at).copied() {
                    state.put(moved, Place::Handed(at));
                }
            }
            Place::Idle(lane, at) => {
                let found = state.lanes.get_mut(lane)?;
                found.members -= 1;
                found.idle.swap_remove(at);
                if let Some(moved) = found.idle.get(at).copied() {
                    state.put(moved, Place::Idle(lane, at));
                }
            }
            Place::Reading(reader) => {
                let reading = state.readers.get_mut(reader)?;
                reading.member = None;
                if let Some(lane) = state.lanes.get_mut(reading.lane) {
                    lane.members -= 1;
                    if let Some(cursor) = reading.cursor.take() {
                        let rest = &mut reading.rest;
                        lane.log.read(cursor, key, u64::MAX, Slices::Single, rest);
                    }
                }
            }
            Place::Deaf => {}
        }
        Some(peer)
    }

    pub(crate) fn contains(&self, peer: &Peer) -> bool {
        self.state.lock().members.key(peer).is_some()
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().members.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.state.lock().members.is_empty()
    }

    pub(crate) fn peers_into(&self, peers: &mut Vec<Peer>) {
        let state = self.state.lock();
        peers.extend(state.members.iter().map(|(peer, _)| peer.clone()));
    }

    /// Hands a publication to those that want each, and appends it to the logs of the others.
    pub(crate) fn publish(
        self: &Arc<Self>,
        except: Option<&Peer>,
        publication: &Publication,
        told: &mut Told<'_>,
    ) {
        let mut state = self.state.lock();
        let State {
            members,
            handed,
            lanes,
            readers,
        } = &mut *state;
        let author = except.and_then(|peer| members.key(peer));
        for key in handed.iter().filter(|key| author != Some(**key)) {
            if let Some((peer, _)) = members.get_mut(*key) {
                let receipt = peer.transport().publish(publication);
                told.published.count(receipt);
                if receipt.wake {
                    told.asleep.push(peer.clone());
                }
            }
        }
        if lanes.iter().all(|lane| lane.members == 0) {
            return;
        }
        let seq = self.clock.tick();
        let before = self.published();
        let mut longest = 0;
        for (number, lane) in lanes.iter_mut().enumerate() {
            let mut write = Writing {
                topic: self,
                before,
                number,
                author,
                members,
                readers,
                told,
            };
            longest = longest.max(write.publish(lane, seq, publication));
        }
        let end = before.plus(longest);
        self.bytes.store(end.bytes, Ordering::Release);
        self.messages.store(end.messages, Ordering::Release);
    }

    /// See [`Feed::take`]. Answers whether there is more.
    pub(crate) fn take(
        &self,
        reader: Reader,
        before: u64,
        sorted: bool,
        into: &mut Vec<Range>,
    ) -> bool {
        let mut state = self.state.lock();
        let Some(reading) = state.reading(reader) else {
            return false;
        };
        let taken = reading.rest.partition_point(|range| range.seq < before);
        into.extend(reading.rest.drain(..taken));
        if !reading.rest.is_empty() {
            return true;
        }
        let (lane, member) = (reading.lane, reading.member);
        if let Some(cursor) = reading.cursor.take()
            && let Some(key) = member
            && let Some(lane) = state.lanes.get_mut(lane)
        {
            let slices = match sorted {
                true => Slices::Consecutive,
                false => Slices::Adjacent,
            };
            let left = lane.log.read(cursor, key, before, slices, into);
            if left.is_some()
                && let Some(reading) = state.reading(reader)
            {
                reading.cursor = left;
                return true;
            }
        }
        state.rest(reader);
        false
    }

    /// A feed is gone.
    pub(crate) fn forget(&self, reader: Reader) {
        let mut state = self.state.lock();
        let Some(reading) = state.reading(reader) else {
            return;
        };
        if let Some(cursor) = reading.cursor.take() {
            let lane = reading.lane;
            if let Some(lane) = state.lanes.get_mut(lane) {
                lane.log.release(&cursor);
            }
        }
        state.rest(reader);
    }

    /// What waits for a reader.
    pub(crate) fn lag(&self, reader: Reader) -> Lag {
        let mut state = self.state.lock();
        let state = &mut *state;
        let Some(reading) = state.reading(reader) else {
            return Lag::default();
        };
        let mut lag = Lag {
            bytes: reading.rest.iter().map(|range| range.bytes.len()).sum(),
            messages: reading.rest.len(),
        };
        let lane = reading.lane;
        if let (Some(reading), Some(lane)) = (state.readers.get(reader.key), state.lanes.get(lane))
            && let Some(cursor) = &reading.cursor
        {
            let waits = lane.log.lag(cursor);
            lag.bytes += waits.bytes;
            lag.messages += waits.messages;
        }
        lag
    }
}

impl State {
    fn reading(&mut self, reader: Reader) -> Option<&mut Reading> {
        let found = self.readers.get_mut(reader.key)?;
        (found.number == reader.number).then_some(found)
    }

    /// A reader has nothing more to read: as a member it waits for what comes.
    fn rest(&mut self, reader: Reader) {
        let Some(reading) = self.readers.try_remove(reader.key) else {
            return;
        };
        let Some(key) = reading.member else {
            return;
        };
        if let Some(lane) = self.lanes.get_mut(reading.lane) {
            lane.idle.push(key);
            let place = Place::Idle(reading.lane, lane.idle.len() - 1);
            self.put(key, place);
        }
    }

    fn put(&mut self, key: Key, place: Place) {
        if let Some((_, old)) = self.members.get_mut(key) {
            *old = place;
        }
    }

    /// The lane of a wire format, made if there is none.
    fn lane(&mut self, wire: Wire) -> usize {
        let found = self.lanes.iter().position(|lane| lane.wire == wire);
        found.unwrap_or_else(|| {
            self.lanes.push(Lane {
                wire,
                log: Log::default(),
                idle: Vec::new(),
                members: 0,
                check: Lag::MOST,
            });
            self.lanes.len() - 1
        })
    }
}

/// A publication on its way into one lane.
struct Writing<'a, 't> {
    topic: &'a Arc<Topic>,
    before: Lag,
    number: usize,
    author: Option<Key>,
    members: &'a mut Members<Place>,
    readers: &'a mut Slab<Reading>,
    told: &'a mut Told<'t>,
}

impl Writing<'_, '_> {
    /// Offers the message to those with nothing to read, appends it to the lane's log for all
    /// others, and looks after those that have too much. Answers how long it is in the log.
    fn publish(&mut self, lane: &mut Lane, seq: u64, publication: &Publication) -> usize {
        let (is_member, author_reads) = self.author_in_lane();
        let others = lane.members - usize::from(is_member);
        if others == 0 {
            return 0;
        }
        self.told.published.queued += others;
        let late = self.offer(lane, publication);
        // All that are not idle, the late among them.
        let readers = lane.members - lane.idle.len();
        if readers == usize::from(author_reads.is_some()) {
            return 0;
        }
        let wire = lane.wire;
        let mark = lane.log.mark();
        let len = lane.log.append(seq, self.author, |bytes| {
            publication.append(wire, bytes);
        });
        if let Some(reader) = author_reads
            && let Some(reading) = self.readers.get_mut(reader)
            && let Some(cursor) = &mut reading.cursor
        {
            cursor.skip_own(len);
        }
        // Held meanwhile, or one that cannot be told would let go what the next is to read.
        let held = lane.log.cursor(&mark);
        for key in late {
            self.tell(lane, key, &mark, seq, len);
        }
        lane.log.release(&held);
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
            *place = Place::Idle(self.number, at);
            at += 1;
        }
        late
    }

    /// Whether the author reads this lane, and the reader it is if it has something to read.
    fn author_in_lane(&mut self) -> (bool, Option<Key>) {
        let Some(author) = self.author else {
            return (false, None);
        };
        match self.members.get_mut(author) {
            Some((_, Place::Idle(lane, _))) => (*lane == self.number, None),
            Some((_, Place::Reading(reader))) => {
                let here = self
                    .readers
                    .get(*reader)
                    .is_some_and(|reading| reading.lane == self.number);
                (here, here.then_some(*reader))
            }
            _ => (false, None),
        }
    }

    /// Tells one member that there is something to read.
    fn tell(&mut self, lane: &mut Lane, key: Key, mark: &Mark, seq: u64, len: usize) {
        let Some((peer, place)) = self.members.get_mut(key) else {
            return;
        };
        let cursor = lane.log.cursor(mark);
        let entry = self.readers.vacant_entry();
        let reader = Reader {
            key: entry.key(),
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

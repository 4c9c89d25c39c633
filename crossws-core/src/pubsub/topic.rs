//! One topic: its subscribers, and the logs from which they read.

mod backlog;
mod each;
mod joining;
mod matched;
mod several;
mod writing;

use std::sync::Arc;

use slab::Slab;
use smallvec::SmallVec;

use crate::peer::Peer;
use crate::peer::members::{Key, Members};
use crate::pubsub::log::{Log, Position, Rest, Sequence};
use crate::pubsub::publication::Publication;
use crate::pubsub::publication::wire::Wire;
use crate::pubsub::queue_size::QueueSize;
use crate::pubsub::topic_kind::TopicKind;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub(crate) use self::backlog::Remains;
pub(crate) use self::each::Each;
pub(crate) use self::matched::publish_matched;
pub(crate) use self::several::SubscribersOf;

/// Several topics of one namespace.
pub(crate) type Several = SmallVec<[Arc<Topic>; 4]>;

pub(crate) struct Topic {
    /// `None` for the topic of all peers of a namespace.
    name: Option<Arc<str>>,
    pub(crate) kind: TopicKind,
    pub(crate) clock: Sequence,
    /// The size of all publications, in their longest encoding.
    bytes: AtomicUsize,
    messages: AtomicUsize,
    /// Every reader must be asked again at the next publication.
    recheck: AtomicBool,
    state: Mutex<TopicState>,
}

#[derive(Default)]
struct TopicState {
    members: Members<Place>,
    /// The members that are passed each publication.
    handed: Vec<Key>,
    lanes: Vec<Lane>,
    /// The readers with news: members, and former members.
    readers: Slab<Reading>,
}

/// The members whose transports read the same wire format.
struct Lane {
    wire: Wire,
    log: Log,
    /// Members with nothing to read.
    idle: Vec<Key>,
    members: usize,
    /// The first end of the log at which a reader must be asked again.
    check: QueueSize,
}

/// The place of a member. As small as a pointer, because each member of each topic has one.
enum Place {
    /// In `handed`, at this index.
    Handed(Key),
    /// In its lane's `idle`, at this index.
    Idle(LaneNumber, Key),
    /// In `readers`.
    Reading(Key),
    /// The connection is closing; the peer will leave.
    Deaf,
}

/// The number of a topic's lane.
type LaneNumber = u16;

/// A reader's place in its topic. The key may be reused later, the number is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reader {
    pub(crate) key: Key,
    pub(crate) number: u64,
}

struct Reading {
    number: u64,
    lane: LaneNumber,
    member: Option<Key>,
    /// `None` if the reader has left.
    cursor: Option<Position>,
    /// The messages that waited for it when it left: the log keeps nothing for it.
    rest: Option<Box<Rest>>,
    /// The end of the log at which it must be asked again.
    until: QueueSize,
}

impl Topic {
    /// Creates a topic; without a name, that of all peers of a namespace.
    pub(crate) fn new(kind: TopicKind, name: Option<Arc<str>>, clock: Sequence) -> Arc<Self> {
        Arc::new(Self {
            name,
            kind,
            clock,
            bytes: AtomicUsize::new(0),
            messages: AtomicUsize::new(0),
            recheck: AtomicBool::new(false),
            state: Mutex::default(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// Returns the topic's name, to be shared.
    pub(crate) fn shared_name(&self) -> Arc<str> {
        self.name.clone().unwrap_or_default()
    }

    pub(crate) fn is_pattern(&self) -> bool {
        self.kind == TopicKind::Pattern
    }

    /// Returns whether it is the topic of all peers of a namespace.
    pub(crate) fn is_everyone(&self) -> bool {
        self.name.is_none()
    }

    /// Returns the size of all publications.
    pub(crate) fn published(&self) -> QueueSize {
        QueueSize {
            bytes: self.bytes.load(Ordering::Acquire),
            messages: self.messages.load(Ordering::Acquire),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().members.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.state.lock().members.is_empty()
    }

    /// Adds the first members, at most this many. Returns how many members there are.
    pub(crate) fn some_peers_into(&self, peers: &mut Vec<Peer>, most: usize) -> usize {
        let state = self.state.lock();
        let members = state.members.iter().take(most);
        peers.extend(members.map(|(peer, _)| peer.clone()));
        state.members.len()
    }

    pub(crate) fn peers_into(&self, peers: &mut Vec<Peer>) {
        self.some_peers_into(peers, usize::MAX);
    }

    /// Notes the size of all publications, before any member gets the newest. Called under the
    /// lock.
    fn set_published(&self, end: QueueSize) {
        self.bytes.store(end.bytes, Ordering::Release);
        self.messages.store(end.messages, Ordering::Release);
    }
}

impl TopicState {
    /// Returns a wire format in which the publication is not yet encoded, that readers other than
    /// the author use, and whose encoding takes long.
    fn wants_encoded(&self, author: Option<LaneNumber>, publication: &Publication) -> Option<Wire> {
        let mut lanes = self.lanes.iter().enumerate();
        let wanted = lanes.find(|(number, lane)| {
            lane.wire.takes_long(publication)
                && lane.members > usize::from(author == Some(*number as LaneNumber))
                && publication.known(lane.wire).is_none()
        });
        wanted.map(|(_, lane)| lane.wire)
    }

    /// Returns the peer's key, if it is a member. A peer knows a topic a moment longer than the topic
    /// knows the peer.
    fn key_of(&self, topic: &Topic, peer: &Peer) -> Option<Key> {
        let key = peer.subscriptions().key(topic)?;
        self.members.is_at(key, peer).then_some(key)
    }

    /// Returns the lane that a member reads, and its reader if it has news.
    fn reads(&self, key: Key) -> Option<(LaneNumber, Option<Key>)> {
        match self.members.get(key)? {
            (_, Place::Idle(lane, _)) => Some((*lane, None)),
            (_, Place::Reading(reader)) => {
                let reading = self.readers.get(*reader as usize)?;
                Some((reading.lane, Some(*reader)))
            }
            _ => None,
        }
    }

    fn reading(&self, reader: Reader) -> Option<&Reading> {
        let found = self.readers.get(reader.key as usize);
        found.filter(|found| found.number == reader.number)
    }

    fn reading_mut(&mut self, reader: Reader) -> Option<&mut Reading> {
        let found = self.readers.get_mut(reader.key as usize)?;
        (found.number == reader.number).then_some(found)
    }

    /// Ends a reader without news: as a member it waits for the next publication.
    fn rest(&mut self, reader: Reader) {
        let Some(reading) = self.readers.try_remove(reader.key as usize) else {
            return;
        };
        let Some(key) = reading.member else {
            return;
        };
        if let Some(lane) = self.lanes.get_mut(usize::from(reading.lane)) {
            lane.idle.push(key);
            let place = Place::Idle(reading.lane, lane.idle.len() as Key - 1);
            self.put(key, place);
        }
    }

    fn put(&mut self, key: Key, place: Place) {
        if let Some((_, old)) = self.members.get_mut(key) {
            *old = place;
        }
    }

    /// Returns the lane of a wire format, created if needed; `None` if there are more than can be
    /// counted.
    fn lane(&mut self, wire: Wire) -> Option<(LaneNumber, &mut Lane)> {
        let found = self.lanes.iter().position(|lane| lane.wire == wire);
        let at = found.unwrap_or(self.lanes.len());
        let number = LaneNumber::try_from(at).ok()?;
        if found.is_none() {
            // Nearly every topic has one lane, and `push` would make room for four.
            self.lanes.reserve_exact(1);
            self.lanes.push(Lane {
                wire,
                log: Log::default(),
                idle: Vec::new(),
                members: 0,
                check: QueueSize::FAR,
            });
        }
        Some((number, self.lanes.get_mut(at)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_two_words() {
        assert_eq!(size_of::<(Peer, Place)>(), 2 * size_of::<u64>());
    }
}

//! A publication to the members of several topics, or to members that must be checked one by one.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Several, Topic, TopicState};
use crate::message::formats::InFormats;
use crate::peer::Peer;
use crate::peer::told::Told;
use crate::pubsub::filter::Filter;
use crate::pubsub::publication::Publication;
use crate::pubsub::publication::wire::Wire;
use crate::sort::sort_by;
use crate::sync::MutexGuard;

/// A topic and its state, while it is locked.
pub(super) type LockedTopic<'a> = (&'a Arc<Topic>, MutexGuard<'a, TopicState>);

/// Sorts topics that are locked together into the one order in which topics are locked: patterns last,
/// and otherwise by address.
pub(super) fn sort(topics: &mut [Arc<Topic>]) {
    let order = |topic: &Arc<Topic>| (topic.is_pattern(), Arc::as_ptr(topic));
    sort_by(topics, |one, other| order(one).cmp(&order(other)));
}

/// Locks topics that are [sorted](sort).
pub(super) fn lock_all(topics: &[Arc<Topic>]) -> SmallVec<[LockedTopic<'_>; 4]> {
    let topics = topics.iter();
    topics.map(|topic| (topic, topic.state.lock())).collect()
}

/// The members of any of these topics that are members of no excluded topic and that the filter
/// admits, once each.
pub(crate) struct SubscribersOf<'a, 'f> {
    pub(super) any: Several,
    none: Several,
    only: &'a Filter<'f>,
}

impl<'a, 'f> SubscribersOf<'a, 'f> {
    pub(crate) fn new(mut any: Several, mut none: Several, only: &'a Filter<'f>) -> Self {
        for topics in [&mut any, &mut none] {
            sort(topics);
            topics.dedup_by(|one, other| Arc::ptr_eq(one, other));
        }
        Self { any, none, only }
    }

    /// Passes the publication to each member in its format, except `except`.
    ///
    /// All topics are locked meanwhile. Every member of one of them therefore sees this message at
    /// the same place among the topic's messages, although it is in no topic's log.
    pub(crate) fn publish(
        &self,
        except: Option<&Peer>,
        publication: InFormats<'_>,
        told: &mut Told,
    ) {
        let topics = self.lock(publication);
        let is_left_out = |peer: &Peer| self.leaves_out(peer, except);
        for_each_member(&topics, is_left_out, |peer| {
            told.publish(peer, peer.format_of(publication));
        });
    }

    /// Returns the members, each once, except `except`.
    pub(crate) fn members(&self, except: Option<&Peer>) -> Vec<Peer> {
        let mut members = Vec::new();
        let is_left_out = |peer: &Peer| self.leaves_out(peer, except);
        for_each_member(&lock_all(&self.any), is_left_out, |peer| {
            members.push(peer.clone());
        });
        members
    }

    /// Returns whether a member is excluded.
    #[inline]
    fn leaves_out(&self, peer: &Peer, except: Option<&Peer>) -> bool {
        let is_in_none = || {
            let known = peer.subscriptions().lock();
            self.none.iter().any(|topic| known.key(topic).is_some())
        };
        except.is_some_and(|except| except.is(peer))
            || (!self.none.is_empty() && is_in_none())
            || !self.only.admits(peer)
    }

    /// Locks every topic whose members get the message. Slow encodings are computed before.
    fn lock(&self, publication: InFormats<'_>) -> SmallVec<[LockedTopic<'_>; 4]> {
        loop {
            let topics = lock_all(&self.any);
            let mut states = topics.iter().map(|(_, state)| state);
            let wanted = states.find_map(|state| state.wants_formats(publication));
            let Some((publication, wire)) = wanted else {
                return topics;
            };
            drop(topics);
            publication.encoded(wire);
        }
    }
}

impl TopicState {
    /// As [`wants_encoded`](Self::wants_encoded), for a publication in several formats. Returns the
    /// format too.
    #[inline]
    fn wants_formats<'p>(&self, all: InFormats<'p>) -> Option<(&'p Publication, Wire)> {
        if all.others.is_empty() {
            let wire = self.wants_encoded(None, all.first)?;
            return Some((all.first, wire));
        }
        self.members.iter().find_map(|(peer, _)| {
            let (publication, wire) = (peer.format_of(all), peer.wire()?);
            let wants = wire.takes_long(publication) && publication.known(wire).is_none();
            wants.then_some((publication, wire))
        })
    }
}

/// Visits the members of these topics that are not excluded, each once.
pub(super) fn for_each_member(
    topics: &[LockedTopic<'_>],
    is_left_out: impl Fn(&Peer) -> bool,
    mut visit: impl FnMut(&Peer),
) {
    for (at, (_, state)) in topics.iter().enumerate() {
        let earlier = topics.get(..at).unwrap_or_default();
        for (peer, _) in state.members.iter() {
            if !is_left_out(peer) && !is_member(earlier, peer) {
                visit(peer);
            }
        }
    }
}

/// Returns whether the peer is a member of one of these topics.
pub(super) fn is_member(topics: &[LockedTopic<'_>], peer: &Peer) -> bool {
    if topics.is_empty() {
        return false;
    }
    let known = peer.subscriptions().lock();
    topics.iter().any(|(topic, state)| {
        let key = known.key(topic);
        key.is_some_and(|key| state.members.is_at(key, peer))
    })
}

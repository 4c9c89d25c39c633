//! A publication to the members of several topics, or to members that must be asked one by one.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{State, Told, Topic};
use crate::adapter::Publication;
use crate::peer::Peer;
use crate::peer::subscriptions::Known;
use crate::pubsub::filter::Filter;
use crate::sync::MutexGuard;

/// Several topics of one namespace.
pub(crate) type Several = SmallVec<[Arc<Topic>; 4]>;

/// A topic and what is in it, while it is locked.
pub(super) type Place<'a> = (&'a Arc<Topic>, &'a State);

/// All topics that are locked together are locked in one order: patterns last, and otherwise that of
/// their addresses.
pub(super) fn lock_order(topic: &Arc<Topic>) -> (bool, *const Topic) {
    (topic.is_pattern(), Arc::as_ptr(topic))
}

/// The members of any of these topics that are members of none of those and have the right labels,
/// each once.
pub(crate) struct Audience<'a, 'f> {
    pub(super) any: Several,
    none: Several,
    only: &'a Filter<'f>,
}

impl<'a, 'f> Audience<'a, 'f> {
    pub(crate) fn new(mut any: Several, mut none: Several, only: &'a Filter<'f>) -> Self {
        for topics in [&mut any, &mut none] {
            topics.sort_unstable_by_key(lock_order);
            topics.dedup_by(|one, other| Arc::ptr_eq(one, other));
        }
        Self { any, none, only }
    }

    /// Hands the publication to each member, but for `except`.
    ///
    /// All topics are locked meanwhile. So every member of one of them has this message at the same
    /// place among the topic's messages, although it is in no topic's log.
    pub(crate) fn publish(
        &self,
        except: Option<&Peer>,
        publication: &Publication,
        told: &mut Told,
    ) {
        let states = self.lock(publication);
        let places = self.places(&states);
        let is_left_out = |peer: &Peer| self.leaves_out(peer, except);
        hand_on(&places, 0, is_left_out, publication, told);
    }

    pub(super) fn places<'s>(
        &'s self,
        states: &'s [MutexGuard<'_, State>],
    ) -> SmallVec<[Place<'s>; 4]> {
        let places = self.any.iter().zip(states);
        places.map(|(topic, state)| (topic, &**state)).collect()
    }

    /// Whether a member does not get the message.
    #[inline]
    pub(super) fn leaves_out(&self, peer: &Peer, except: Option<&Peer>) -> bool {
        let is_member = |known: &Known<'_>| {
            let mut none = self.none.iter();
            none.any(|topic| known.key(topic).is_some())
        };
        except.is_some_and(|except| except.is(peer))
            || (!self.none.is_empty() && is_member(&peer.subscriptions().lock()))
            || !self.only.admits(peer)
    }

    /// Locks every topic whose members get the message. What takes long is encoded before.
    fn lock(&self, publication: &Publication) -> SmallVec<[MutexGuard<'_, State>; 4]> {
        loop {
            let states: SmallVec<[_; 4]> =
                self.any.iter().map(|topic| topic.state.lock()).collect();
            let wanted = states
                .iter()
                .find_map(|state| state.wants_encoded(None, publication));
            let Some(wire) = wanted else {
                return states;
            };
            drop(states);
            publication.encoded(wire);
        }
    }
}

/// Hands the publication to each member of the topics from `first` on who is in no topic before its
/// own, and is not left out.
pub(super) fn hand_on(
    places: &[Place<'_>],
    first: usize,
    is_left_out: impl Fn(&Peer) -> bool,
    publication: &Publication,
    told: &mut Told,
) {
    for (at, (_, state)) in places.iter().enumerate().skip(first) {
        let earlier = places.get(..at).unwrap_or_default();
        for (peer, _) in state.members.iter() {
            if is_left_out(peer) || is_member(earlier, peer) {
                continue;
            }
            let receipt = peer.transport().publish(publication);
            told.published.queued += usize::from(receipt.queued);
            told.count(peer, receipt);
        }
    }
}

/// Whether the peer is a member of one of these, whose members have been handed the message.
pub(super) fn is_member(places: &[Place<'_>], peer: &Peer) -> bool {
    if places.is_empty() {
        return false;
    }
    let known = peer.subscriptions().lock();
    // A peer knows a topic a moment longer than the topic knows the peer.
    places.iter().any(|(topic, state)| {
        let key = known.key(topic);
        key.is_some_and(|key| state.members.is_at(key, peer))
    })
}

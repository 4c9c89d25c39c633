//! A publication to the members of several topics, or to members that must be checked one by one.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{State, Told, Topic};
use crate::message::formats::InFormats;
use crate::peer::Peer;
use crate::peer::topics::subscriptions::Known;
use crate::pubsub::filter::Filter;
use crate::pubsub::publication::Publication;
use crate::pubsub::publication::wire::Wire;
use crate::sort::sort_by;
use crate::sync::MutexGuard;

/// Several topics of one namespace.
pub(crate) type Several = SmallVec<[Arc<Topic>; 4]>;

/// A topic and its state, while it is locked.
pub(super) type LockedTopic<'a> = (&'a Arc<Topic>, &'a State);

/// Sorts topics that are locked together into the one order in which topics are locked: patterns last,
/// and otherwise by address.
pub(super) fn sort(topics: &mut [Arc<Topic>]) {
    let order = |topic: &Arc<Topic>| (topic.is_pattern(), Arc::as_ptr(topic));
    sort_by(topics, |one, other| order(one).cmp(&order(other)));
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
        let states = self.lock(publication);
        let places = self.places(&states);
        let is_left_out = |peer: &Peer| self.leaves_out(peer, except);
        hand_on(
            &places,
            0,
            is_left_out,
            |peer| peer.format_of(publication),
            told,
        );
    }

    pub(super) fn places<'s>(
        &'s self,
        states: &'s [MutexGuard<'_, State>],
    ) -> SmallVec<[LockedTopic<'s>; 4]> {
        let places = self.any.iter().zip(states);
        places.map(|(topic, state)| (topic, &**state)).collect()
    }

    /// Returns whether a member is excluded.
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

    /// Locks every topic whose members get the message. Slow encodings are computed before.
    fn lock(&self, publication: InFormats<'_>) -> SmallVec<[MutexGuard<'_, State>; 4]> {
        loop {
            let states: SmallVec<[_; 4]> =
                self.any.iter().map(|topic| topic.state.lock()).collect();
            let wanted = states
                .iter()
                .find_map(|state| state.wants_formats(publication));
            let Some((publication, wire)) = wanted else {
                return states;
            };
            drop(states);
            publication.encoded(wire);
        }
    }
}

impl State {
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

/// Passes its publication to each member of the topics from `first` on that is in no earlier topic, and
/// is not excluded. `of` returns a member's.
pub(super) fn hand_on<'p>(
    places: &[LockedTopic<'_>],
    first: usize,
    is_left_out: impl Fn(&Peer) -> bool,
    of: impl Fn(&Peer) -> &'p Publication,
    told: &mut Told,
) {
    for (at, (_, state)) in places.iter().enumerate().skip(first) {
        let earlier = places.get(..at).unwrap_or_default();
        for (peer, _) in state.members.iter() {
            if is_left_out(peer) || is_member(earlier, peer) {
                continue;
            }
            let receipt = peer.transport().publish(of(peer));
            told.published.queued += usize::from(receipt.queued);
            told.count(peer, receipt);
        }
    }
}

/// Returns whether the peer is a member of one of these topics, whose members have already got the
/// message.
pub(super) fn is_member(places: &[LockedTopic<'_>], peer: &Peer) -> bool {
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

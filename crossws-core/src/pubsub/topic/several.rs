//! A publication to the members of several topics, or to members that must be asked one by one.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{State, Told, Topic};
use crate::adapter::Publication;
use crate::peer::Peer;
use crate::sync::MutexGuard;

/// Several topics of one namespace.
pub(crate) type Several = SmallVec<[Arc<Topic>; 4]>;

/// The members of any of these topics that are members of none of those, each once.
pub(crate) struct Audience {
    any: Several,
    none: Several,
}

impl Audience {
    pub(crate) fn new(mut any: Several, mut none: Several) -> Self {
        // All topics that are locked together are locked in one order: that of their addresses.
        for topics in [&mut any, &mut none] {
            topics.sort_unstable_by_key(Arc::as_ptr);
            topics.dedup_by(|one, other| Arc::ptr_eq(one, other));
        }
        Self { any, none }
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
        for (at, state) in states.iter().enumerate() {
            let earlier = self.any.iter().zip(&states).take(at);
            for (peer, _) in state.members.iter() {
                if except.is_some_and(|except| except.is(peer))
                    || self.leaves_out(peer, earlier.clone())
                {
                    continue;
                }
                let receipt = peer.transport().publish(publication);
                told.published.queued += usize::from(receipt.queued);
                told.count(peer, receipt);
            }
        }
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

    /// Whether the peer is a member of a topic that is left out, or of one whose members have been
    /// handed the message.
    fn leaves_out<'s>(
        &self,
        peer: &Peer,
        earlier: impl Iterator<Item = (&'s Arc<Topic>, &'s MutexGuard<'s, State>)> + Clone,
    ) -> bool {
        if self.none.is_empty() && earlier.clone().next().is_none() {
            return false;
        }
        let known = peer.subscriptions().lock();
        let is_member = |topic: &Arc<Topic>| known.key(topic).is_some();
        // A peer knows a topic a moment longer than the topic knows the peer.
        let was_handed = |(topic, state): (&Arc<Topic>, &MutexGuard<'_, State>)| {
            let key = known.key(topic);
            key.is_some_and(|key| state.members.is_at(key, peer))
        };
        self.none.iter().any(is_member) || earlier.clone().any(was_handed)
    }
}

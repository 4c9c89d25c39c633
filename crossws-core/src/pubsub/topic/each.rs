//! A message of its own for each of many peers.

use smallvec::SmallVec;

use super::several::{LockedTopic, SubscribersOf, is_member};
use super::{State, Told};
use crate::peer::Peer;
use crate::pubsub::publication::Publication;
use crate::sync::MutexGuard;
use crate::transport::Receipt;

/// What one peer is sent, and what became of it.
pub(crate) struct Each {
    pub(crate) peer: Peer,
    pub(crate) publication: Publication,
    pub(crate) receipt: Receipt,
}

impl Each {
    pub(crate) fn new(peer: Peer, publication: Publication) -> Self {
        Self {
            peer,
            publication,
            receipt: Receipt::closed(),
        }
    }
}

impl SubscribersOf<'_, '_> {
    /// Returns the members, each once, except `except`.
    pub(crate) fn members(&self, except: Option<&Peer>) -> Vec<Peer> {
        let states: SmallVec<[MutexGuard<'_, State>; 4]> =
            self.any.iter().map(|topic| topic.state.lock()).collect();
        let places = self.places(&states);
        let mut members = Vec::new();
        for (at, (_, state)) in places.iter().enumerate() {
            let earlier = places.get(..at).unwrap_or_default();
            let new = state.members.iter().map(|(peer, _)| peer);
            let new =
                new.filter(|peer| !self.leaves_out(peer, except) && !is_member(earlier, peer));
            members.extend(new.cloned());
        }
        members
    }

    /// Hands each peer what is for it, if it is still a member. All topics are locked meanwhile, as in
    /// [`publish`](Self::publish).
    pub(crate) fn publish_each(&self, publications: &mut [Each], told: &mut Told) {
        let states: SmallVec<[MutexGuard<'_, State>; 4]> =
            self.any.iter().map(|topic| topic.state.lock()).collect();
        let places: SmallVec<[LockedTopic<'_>; 4]> = self.places(&states);
        for each in publications {
            if is_member(&places, &each.peer) {
                let receipt = each.peer.transport().publish(&each.publication);
                told.published.queued += usize::from(receipt.queued);
                told.count(&each.peer, receipt);
                each.receipt = receipt;
            }
        }
    }
}

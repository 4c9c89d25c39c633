//! A message of its own for each of many peers.

use super::several::{SubscribersOf, is_member, lock_all};
use crate::peer::Peer;
use crate::peer::told::Told;
use crate::pubsub::publication::Publication;
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
    /// Passes each peer its message, if it is still a member. All topics are locked meanwhile, as in
    /// [`publish`](Self::publish).
    pub(crate) fn publish_each(&self, publications: &mut [Each], told: &mut Told) {
        let topics = lock_all(&self.any);
        for each in publications {
            if is_member(&topics, &each.peer) {
                each.receipt = told.publish(&each.peer, &each.publication);
            }
        }
    }
}

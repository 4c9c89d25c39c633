use crate::peer::Peer;
use crate::peer::events::PeerEvents;
use crate::pubsub::publication::Publication;
use crate::pubsub::published::Published;
use crate::transport::Receipt;

/// The work that a publication leaves for after the lock.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) published: Published,
    /// The peers that must be woken.
    pub(crate) asleep: Vec<PeerEvents>,
    /// The peers that must be [settled](crate::adapter::Transport::settle).
    pub(crate) grown: Vec<Peer>,
}

impl Told {
    /// Passes a publication to one subscriber, and counts what happened to it.
    #[inline(always)]
    pub(crate) fn publish(&mut self, peer: &Peer, publication: &Publication) -> Receipt {
        let receipt = peer.transport().publish(publication);
        self.published.queued += usize::from(receipt.queued);
        self.count(peer, receipt);
        receipt
    }

    /// Counts what happened to the message at one subscriber.
    #[inline(always)]
    pub(crate) fn count(&mut self, peer: &Peer, receipt: Receipt) {
        if receipt.dropped > 0 {
            self.published.dropped += receipt.dropped;
            peer.note_loss(receipt.dropped);
        }
        self.note(peer, receipt.wake, receipt.settle);
    }

    /// Notes whether a peer must be woken, and whether it must be settled.
    #[inline(always)]
    pub(crate) fn note(&mut self, peer: &Peer, wake: bool, settle: bool) {
        if wake {
            self.asleep.push(PeerEvents::new(peer.clone()));
        }
        if settle {
            self.grown.push(peer.clone());
        }
    }
}

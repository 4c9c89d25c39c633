//! What of a peer outlives the memory, where the transport stores it.

use crate::peer::Peer;
use crate::peer::life::PeerState;
use crate::peer::snapshot::persist_error::PersistError;
use crate::peer::snapshot::{Snapshot, owned};

impl Peer {
    /// Stores what must outlive the memory, where the transport does that.
    pub(crate) fn persist(&self) -> Result<(), PersistError> {
        match self.0.transport.hibernation() {
            Some(hibernation) if self.state() == PeerState::Open => {
                hibernation.persist(self.snapshot()?)
            }
            _ => Ok(()),
        }
    }

    fn snapshot(&self) -> Result<Snapshot, PersistError> {
        let kept = self.0.hub.kept_headers();
        let request = self.request();
        let mut snapshot = Snapshot::new(self.id(), self.namespace(), request, |name| {
            kept.contains(name)
        });
        snapshot.set_route(&self.settings(), self.0.hub.settings());
        snapshot.protocol = self.protocol().map(str::to_owned);
        snapshot.context = self.0.context.to_stored()?;
        snapshot.expires = self.0.expiry.get().millis();
        let timers = self.0.sleepers.timers(|timers| timers.stored());
        snapshot.timers = timers.unwrap_or_default();
        if let Some(labels) = self.labels() {
            let labels = labels.lock();
            snapshot.identity = labels.identity().map(owned);
            snapshot.tags = labels.tags().map(owned).collect();
        }
        snapshot.topics = self.topics().iter().map(owned).collect();
        snapshot.patterns = self.patterns().iter().map(owned).collect();
        Ok(snapshot)
    }
}

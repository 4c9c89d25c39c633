use std::time::SystemTime;

use crate::peer::snapshot::Snapshot;
use crate::peer::snapshot::persist_error::PersistError;

/// What a transport does for a peer whose memory may be lost while the connection stays: see
/// [`Transport::hibernation`](crate::adapter::Transport::hibernation).
pub trait Hibernation {
    /// Stores the peer's persistent state, in place of the earlier one. Called when the peer has
    /// joined, and whenever its topics, context or expiry have changed. Calls do not overlap.
    ///
    /// # Errors
    /// If there is no room for it, or the platform refuses: then the earlier state stays stored,
    /// and the change is undone.
    fn persist(&self, snapshot: Snapshot) -> Result<(), PersistError>;

    /// Ensures that the peer's memory is there at this time, or before: it is the new result of
    /// [`PeerEvents::expires_at`](crate::adapter::PeerEvents::expires_at).
    fn wake_at(&self, at: SystemTime);
}

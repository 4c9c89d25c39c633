//! All peers by their ids, and the namespaces by their names.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::hub::settings::limits::Limits;
use crate::peer::Peer;
use crate::peer::id::PeerId;
use crate::pubsub::registry::namespace::Namespace;

#[derive(Default)]
pub(super) struct HubMap {
    pub(super) peers: HashSet<ById>,
    // Ordered, so that every listing of all namespaces reads the same.
    pub(super) namespaces: BTreeMap<Arc<str>, Arc<Namespace>>,
}

/// A peer in a map by its id, which the peer itself contains.
pub(super) struct ById(pub(super) Peer);

impl Borrow<PeerId> for ById {
    fn borrow(&self) -> &PeerId {
        self.0.id_ref()
    }
}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id_ref().hash(state);
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id_ref() == other.0.id_ref()
    }
}

impl Eq for ById {}

/// Why a peer could not join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JoinError {
    DuplicateId,
    TooManyPeers,
    TooManyNamespaces,
}

/// A namespace and its name.
pub(super) type Found<'a> = (&'a Arc<str>, &'a Arc<Namespace>);

impl HubMap {
    /// Checks that there is room for this many peers, the last of them in this namespace. Returns
    /// the namespace, if it exists.
    pub(super) fn check(
        &self,
        peers: usize,
        namespace: &str,
        limits: &Limits,
    ) -> Result<Option<Found<'_>>, JoinError> {
        if !limits.max_peers.allows(peers) {
            return Err(JoinError::TooManyPeers);
        }
        let found = self.namespaces.get_key_value(namespace);
        if found.is_none() && !limits.max_namespaces.allows(self.namespaces.len() + 1) {
            return Err(JoinError::TooManyNamespaces);
        }
        Ok(found)
    }
}

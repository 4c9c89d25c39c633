//! The application's names for a peer, its identity and its tags, and the peers that share them.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::hub::settings::limits::Limits;
use crate::peer::Peer;
use crate::peer::members::Key;
use crate::peer::roster::{Roster, Rosters};
use crate::peer::snapshot::persist_error::PersistError;
use crate::sync::{Mutex, MutexGuard};

/// Why a peer did not get an identity or a tag.
///
/// ```
/// # use crossws_core::*;
/// fn beta(peer: &Peer) -> Result<(), LabelError> {
///     match peer.tag("beta") {
///         Err(LabelError::Closed) => Ok(()), // it needs none
///         tagged => tagged.map(drop),
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// The connection is closing or closed.
    #[error("not labelled: the connection is closed")]
    Closed,
    /// The peer has as many tags as `Limits::max_tags` allows.
    #[error("not labelled: the peer may have {0} tags at most")]
    TooMany(usize),
    /// The name is longer than `Limits::max_name_len`.
    #[error("not labelled: the name has {len} bytes, at most {most} are allowed")]
    NameTooLong {
        /// The name's length in bytes.
        len: usize,
        /// The longest length allowed.
        most: usize,
    },
    /// The label could not be stored, on a transport that hibernates.
    #[error("not labelled: {0}")]
    Persist(#[from] PersistError),
}

/// Checks an identity and tags before there is a peer.
pub(crate) fn check_labels<'a>(
    identity: Option<&Arc<str>>,
    tags: impl Iterator<Item = &'a Arc<str>> + Clone,
    limits: &Limits,
) -> Result<(), LabelError> {
    let mut distinct: SmallVec<[&str; 8]> = SmallVec::new();
    for tag in tags.clone() {
        check_name(tag, limits)?;
        if !distinct.contains(&&**tag) {
            distinct.push(tag);
        }
        if !limits.max_tags.allows(distinct.len()) {
            return Err(LabelError::TooMany(limits.max_tags.get()));
        }
    }
    identity.map_or(Ok(()), |identity| check_name(identity, limits))
}

fn check_name(name: &str, limits: &Limits) -> Result<(), LabelError> {
    match limits.max_name_len.allows(name.len()) {
        true => Ok(()),
        false => Err(LabelError::NameTooLong {
            len: name.len(),
            most: limits.max_name_len.get(),
        }),
    }
}

/// The peers of a hub by their labels.
#[derive(Default)]
pub(crate) struct LabelIndex {
    pub(crate) identities: RostersByName,
    pub(crate) tags: RostersByName,
}

#[derive(Default)]
pub(crate) struct RostersByName(Mutex<HashMap<Arc<str>, Arc<Roster>>>);

impl RostersByName {
    /// Returns the peers with a label, if there are any.
    pub(crate) fn find(&self, name: &str) -> Rosters {
        self.0.lock().get(name).cloned().into_iter().collect()
    }

    fn insert(&self, name: Arc<str>, peer: &Peer) -> Label {
        let mut rosters = self.0.lock();
        let (name, roster) = match rosters.get_key_value(&*name) {
            Some((name, roster)) => (Arc::clone(name), Arc::clone(roster)),
            None => {
                let roster = Arc::<Roster>::default();
                rosters.insert(Arc::clone(&name), Arc::clone(&roster));
                (name, roster)
            }
        };
        let mut at = 0;
        // Under the index's lock, so that no thread removes an empty roster meanwhile.
        roster.insert(peer, |key| {
            at = key;
            true
        });
        let place = Some((roster, at));
        Label { name, place }
    }

    /// Removes a peer from a roster, and the roster from the index with its last peer. The caller holds
    /// another handle to the peer.
    fn remove(&self, label: &mut Label, peer: &Peer) {
        let Some((roster, key)) = label.place.take() else {
            return;
        };
        roster.remove(key, peer);
        if roster.is_empty() {
            let mut rosters = self.0.lock();
            let is_it = |found: &Arc<Roster>| Arc::ptr_eq(found, &roster) && found.is_empty();
            if rosters.get(&label.name).is_some_and(is_it) {
                rosters.remove(&label.name);
            }
        }
    }
}

/// A peer's identity and tags. Kept among its volatile values, because most peers have none.
///
/// Its lock is taken after a topic's or a roster's order, and before those of the [`LabelIndex`], of a
/// roster's members and of the peer's subscriptions.
#[derive(Default)]
pub(crate) struct Labels(Mutex<LabelSet>);

/// A peer's labels, while they are locked.
#[derive(Default)]
pub(crate) struct LabelSet {
    identity: Option<Label>,
    /// By name.
    tags: Vec<Label>,
}

struct Label {
    name: Arc<str>,
    /// `None` once the peer has left.
    place: Option<(Arc<Roster>, Key)>,
}

impl Labels {
    pub(crate) fn lock(&self) -> MutexGuard<'_, LabelSet> {
        self.0.lock()
    }

    /// Sets or removes the peer's identity. Returns the earlier one.
    pub(crate) fn identify(
        &self,
        peer: &Peer,
        identity: Option<Arc<str>>,
        limits: &Limits,
    ) -> Result<Option<Arc<str>>, LabelError> {
        check_labels(identity.as_ref(), [].iter(), limits)?;
        let index = &peer.hub().registry().labels.identities;
        let mut known = self.lock();
        if !peer.subscriptions().is_listed() {
            return Err(LabelError::Closed);
        }
        if known.identity() == identity.as_ref() {
            // It would be on the same roster twice for a moment, and get a message twice.
            return Ok(identity);
        }
        let new = identity.map(|name| index.insert(name, peer));
        let mut old = std::mem::replace(&mut known.identity, new);
        if let Some(old) = &mut old {
            index.remove(old, peer);
        }
        Ok(old.map(|old| old.name))
    }

    /// Gives the peer a tag. Returns `false` if it already has the tag.
    pub(crate) fn tag(
        &self,
        peer: &Peer,
        tag: Arc<str>,
        limits: &Limits,
    ) -> Result<bool, LabelError> {
        check_labels(None, std::iter::once(&tag), limits)?;
        let mut known = self.lock();
        if !peer.subscriptions().is_listed() {
            return Err(LabelError::Closed);
        }
        let Err(at) = known.find(&tag) else {
            return Ok(false);
        };
        if !limits.max_tags.allows(known.tags.len() + 1) {
            return Err(LabelError::TooMany(limits.max_tags.get()));
        }
        let label = peer.hub().registry().labels.tags.insert(tag, peer);
        known.tags.insert(at, label);
        Ok(true)
    }

    /// Removes a tag from the peer. Returns whether it had the tag.
    pub(crate) fn untag(&self, peer: &Peer, tag: &str) -> bool {
        let mut known = self.lock();
        let Ok(at) = known.find(tag) else {
            return false;
        };
        let mut label = known.tags.remove(at);
        peer.hub().registry().labels.tags.remove(&mut label, peer);
        true
    }

    /// Removes the peer from the index: it is found by none of its labels, which it keeps.
    pub(crate) fn leave(&self, peer: &Peer) {
        let index = &peer.hub().registry().labels;
        let mut known = self.lock();
        let LabelSet { identity, tags } = &mut *known;
        if let Some(label) = identity {
            index.identities.remove(label, peer);
        }
        for label in tags {
            index.tags.remove(label, peer);
        }
    }
}

impl LabelSet {
    pub(crate) fn identity(&self) -> Option<&Arc<str>> {
        self.identity.as_ref().map(|label| &label.name)
    }

    /// Returns the tags, sorted by name.
    pub(crate) fn tags(&self) -> impl Iterator<Item = &Arc<str>> {
        self.tags.iter().map(|label| &label.name)
    }

    pub(crate) fn has_tag(&self, tag: &str) -> bool {
        self.find(tag).is_ok()
    }

    fn find(&self, tag: &str) -> Result<usize, usize> {
        self.tags.binary_search_by(|label| (*label.name).cmp(tag))
    }
}

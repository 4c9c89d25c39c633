use std::borrow::Cow;

use smallvec::SmallVec;

use crate::peer::Peer;

/// Selects, by label, the recipients of a message.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter<'a> {
    tagged: Names<'a>,
    not_tagged: Names<'a>,
    not_identity: Names<'a>,
}

type Names<'a> = SmallVec<[Cow<'a, str>; 1]>;

impl<'a> Filter<'a> {
    pub(crate) fn tagged(&mut self, tag: Cow<'a, str>) {
        self.tagged.push(tag);
    }

    pub(crate) fn not_tagged(&mut self, tag: Cow<'a, str>) {
        self.not_tagged.push(tag);
    }

    pub(crate) fn not_identity(&mut self, identity: Cow<'a, str>) {
        self.not_identity.push(identity);
    }

    /// Returns whether every peer is admitted.
    pub(crate) fn is_empty(&self) -> bool {
        self.tagged.is_empty() && self.not_tagged.is_empty() && self.not_identity.is_empty()
    }

    /// Returns whether the peer has every required tag, and no excluded label. Takes the lock of
    /// the peer's labels.
    pub(crate) fn admits(&self, peer: &Peer) -> bool {
        if self.is_empty() {
            return true;
        }
        let Some(labels) = peer.labels() else {
            return self.tagged.is_empty();
        };
        let labels = labels.lock();
        let is = |name: &Cow<'_, str>| labels.identity().is_some_and(|is| **is == **name);
        self.tagged.iter().all(|tag| labels.has_tag(tag))
            && !self.not_tagged.iter().any(|tag| labels.has_tag(tag))
            && !self.not_identity.iter().any(is)
    }
}

use crate::peer::Peer;
use crate::pubsub::filter::Filter;
use crate::pubsub::topics::Topics;

/// The recipients of a message.
#[derive(Debug, Clone)]
pub(crate) struct Recipients<'a> {
    pub(crate) to: Target<'a>,
    /// The subscribers of these topics get nothing.
    pub(crate) except: Topics<'a>,
    pub(crate) only: Filter<'a>,
}

#[derive(Debug, Clone)]
pub(crate) enum Target<'a> {
    /// Every peer.
    Everyone,
    /// The subscribers of any of these.
    Topics(Topics<'a>),
    /// The subscribers of any topic of the publishing peer.
    Own(&'a Peer),
}

impl<'a> Recipients<'a> {
    pub(crate) fn of(to: Target<'a>) -> Self {
        Self {
            to,
            except: Topics::default(),
            only: Filter::default(),
        }
    }

    /// Returns the topic, or `None` for every peer, if all of its subscribers are addressed and no
    /// others.
    pub(crate) fn single(&self) -> Option<Option<&str>> {
        match &self.to {
            _ if self.is_narrowed() => None,
            Target::Everyone => Some(None),
            Target::Topics(topics) => topics.single().map(Some),
            Target::Own(_) => None,
        }
    }

    /// Returns whether some of the target's peers are left out.
    pub(crate) fn is_narrowed(&self) -> bool {
        !self.except.is_empty() || !self.only.is_empty()
    }
}

//! The last message of each topic that retains one: what a new subscriber gets first.

mod error;
mod store;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use self::error::RetainError;
pub use self::store::{RetainedBy, RetainedMessage, RetainedStore};
use crate::hub::budget::Budget;
use crate::hub::settings::limits::Limit;
use crate::message::Message;
use crate::message::formats::{Formats, InFormats};
use crate::message::send::SendOptions;
use crate::pubsub::pattern::TopicPattern;
use crate::pubsub::publication::Publication;
use crate::pubsub::topic_kind::TopicKind;

/// How many bytes a retained message counts for, in addition to its own and its topic's name.
const OVERHEAD: usize = 256;

/// The retained messages of a namespace.
///
/// Its lock is taken before the namespace's index, and held while a retained message is published
/// and while a peer subscribes. A new subscriber therefore gets a message as the retained one or as a
/// publication, and never twice or not at all.
#[derive(Default)]
pub(crate) struct Retained(Option<Box<Messages>>);

/// Retained messages by their topics' names. Boxed, so that the compiler has one code for the maps by name,
/// whose other values are pointers too.
type Messages = BTreeMap<Arc<str>, Box<Kept>>;

/// A retained message.
pub(crate) struct Kept {
    pub(crate) message: Message,
    pub(crate) others: Formats,
    options: SendOptions,
    pub(crate) by: RetainedBy,
    _share: Share,
}

/// The bytes that a message takes of the hub's budget.
struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

impl Kept {
    /// Takes a message's bytes of the hub's budget.
    pub(crate) fn new(
        topic: &str,
        publication: InFormats<'_>,
        by: RetainedBy,
        budget: &Arc<Budget>,
        most: Limit,
    ) -> Result<Self, RetainError> {
        let bytes = publication.len() + topic.len() + OVERHEAD;
        if !budget.take(bytes, most) {
            return Err(RetainError::Full { most: most.get() });
        }
        Ok(Self {
            message: publication.first.message().clone(),
            others: publication.others(),
            options: publication.first.options().clone().not_volatile(),
            by,
            _share: Share {
                budget: Arc::clone(budget),
                bytes,
            },
        })
    }

    /// Returns what a subscriber of this subprotocol gets.
    fn publication(&self, protocol: Option<&str>) -> Publication {
        let message = self.others.of(protocol, &self.message);
        Publication::with(message.clone(), self.options.clone())
    }
}

impl Retained {
    /// Retains a message in place of the earlier one, which it returns.
    pub(crate) fn insert(&mut self, topic: Arc<str>, kept: Kept) -> Option<Box<Kept>> {
        let messages = self.0.get_or_insert_default();
        messages.insert(topic, Box::new(kept))
    }

    pub(crate) fn remove(&mut self, topic: &str) -> Option<Box<Kept>> {
        let messages = self.0.as_mut()?;
        let removed = messages.remove(topic);
        if messages.is_empty() {
            self.0 = None;
        }
        removed
    }

    /// Removes the messages that this side has retained. Returns them with their topics.
    pub(crate) fn take(&mut self, by: RetainedBy) -> Vec<(Arc<str>, Box<Kept>)> {
        let Some(messages) = self.0.as_mut() else {
            return Vec::new();
        };
        let removed = messages.extract_if(.., |_, kept| kept.by == by).collect();
        if messages.is_empty() {
            self.0 = None;
        }
        removed
    }

    pub(crate) fn get(&self, topic: &str) -> Option<&Kept> {
        self.0.as_ref()?.get(topic).map(|kept| &**kept)
    }

    /// Returns the topics that retain a message, sorted by name.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.iter().flat_map(|messages| messages.keys())
    }

    /// Returns what a new subscriber to a topic or a pattern gets first.
    #[inline]
    pub(crate) fn publications(
        &self,
        kind: TopicKind,
        name: &str,
        protocol: Option<&str>,
    ) -> Vec<Publication> {
        match &self.0 {
            None => Vec::new(),
            Some(messages) => of(messages, kind, name, protocol),
        }
    }
}

// Out of line: most namespaces retain nothing.
#[cold]
fn of(
    messages: &Messages,
    kind: TopicKind,
    name: &str,
    protocol: Option<&str>,
) -> Vec<Publication> {
    if kind == TopicKind::Topic {
        let kept = messages.get(name).into_iter();
        return kept.map(|kept| kept.publication(protocol)).collect();
    }
    let Ok(pattern) = TopicPattern::new(Arc::from(name)) else {
        return Vec::new();
    };
    let matching = messages.iter().filter(|(topic, _)| pattern.matches(topic));
    matching
        .map(|(_, kept)| kept.publication(protocol))
        .collect()
}

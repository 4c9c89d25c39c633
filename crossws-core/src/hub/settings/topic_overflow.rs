//! What happens to a topic's messages that would have to wait for a slow client.

use std::sync::Arc;

use crate::hub::settings::invalid::SettingsError;
use crate::message::send::SendOptions;
use crate::pubsub::pattern::TopicPattern;

/// What happens to a message to a topic that would have to wait for a slow client, in addition to
/// the policy of the client's queue ([`Overflow`](crate::Overflow)): see
/// [`HubBuilder::topic_overflow`](crate::HubBuilder::topic_overflow).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TopicOverflow {
    /// The message is discarded, like a [volatile](SendOptions::volatile) one: for messages that
    /// are worthless later.
    DropNewest,
    /// The message replaces an older one of the topic that waits, as if both had the same
    /// [key](SendOptions::key): for topics of which only the latest message matters.
    KeepLatest,
}

/// Returns the key of a topic's messages, which is no key of the application's: a message that is sent
/// to a peer with the topic's name as its key does not replace them.
fn own_key(topic: &str) -> String {
    format!("\0topic\0{topic}")
}

/// The topics with a policy, in the order in which they were set.
#[derive(Debug, Clone, Default)]
pub(crate) struct TopicOverflows {
    policies: Vec<(TopicPattern, TopicOverflow)>,
    /// The first that is none.
    invalid: Option<SettingsError>,
}

impl TopicOverflows {
    pub(crate) fn add(&mut self, topics: Arc<str>, overflow: TopicOverflow) {
        match TopicPattern::new(Arc::clone(&topics)) {
            Ok(topics) => self.policies.push((topics, overflow)),
            Err(source) => {
                self.invalid
                    .get_or_insert(SettingsError::TopicOverflow { topics, source });
            }
        }
    }

    /// Whether all of them are for topics that can be.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        self.invalid.clone().map_or(Ok(()), Err)
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// The options of a message to these topics: those that it has, and what the first topic says that has
    /// a policy.
    pub(crate) fn apply<'t>(
        &self,
        mut topics: impl Iterator<Item = &'t str>,
        options: SendOptions,
    ) -> SendOptions {
        let policy = |topic: &str| {
            let mut all = self.policies.iter();
            let found = all.find(|(pattern, _)| pattern.matches(topic))?;
            Some((Arc::<str>::from(topic), found.1))
        };
        match topics.find_map(policy) {
            None => options,
            Some((_, TopicOverflow::DropNewest)) => options.volatile(),
            Some(_) if options.replaces().is_some() => options,
            Some((topic, TopicOverflow::KeepLatest)) => options.key(own_key(&topic)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_policy_of_the_first_topic_counts() {
        let mut all = TopicOverflows::default();
        all.add("cursor/*".into(), TopicOverflow::DropNewest);
        all.add("**".into(), TopicOverflow::KeepLatest);
        all.check().unwrap();
        let apply = |topics: &[&str], options| all.apply(topics.iter().copied(), options);
        let new = SendOptions::new;
        assert_eq!(apply(&["cursor/a"], new()), new().volatile());
        let own = new().key(own_key("price"));
        assert_eq!(apply(&["price"], new()), own);
        assert_eq!(apply(&["price", "cursor/a"], new()), own);
        assert_ne!(own, new().key("price"), "a key of the application's");
        assert_eq!(apply(&["price"], new().key("own")), new().key("own"));
        assert_eq!(apply(&[], new()), new());
    }
}

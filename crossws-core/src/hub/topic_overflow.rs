//! What happens to a topic's messages that would have to wait for a slow client.

use std::sync::Arc;

use crate::message::send::SendOptions;
use crate::pubsub::to::Topics;

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

/// The topics with a policy, in the order in which they were set.
#[derive(Debug, Clone, Default)]
pub(crate) struct TopicOverflows(Vec<(Arc<str>, TopicOverflow)>);

impl TopicOverflows {
    pub(crate) fn add(&mut self, topics: Arc<str>, overflow: TopicOverflow) {
        self.0.push((topics, overflow));
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the options of a message to these topics: its own, and the policy of the first topic
    /// that has one.
    pub(crate) fn apply(&self, topics: &Topics<'_>, options: SendOptions) -> SendOptions {
        let policy = |topic: &str| {
            let mut all = self.0.iter();
            let found = all.find(|(pattern, _)| matches(pattern, topic))?;
            Some((Arc::<str>::from(topic), found.1))
        };
        match topics.names().find_map(policy) {
            None => options,
            Some((_, TopicOverflow::DropNewest)) => options.volatile(),
            Some(_) if options.replaces().is_some() => options,
            Some((topic, TopicOverflow::KeepLatest)) => options.key(topic),
        }
    }
}

/// Returns whether a topic's name matches: `*` stands for one segment between slashes, a last `**`
/// for all the rest.
fn matches(pattern: &str, topic: &str) -> bool {
    let (mut pattern, mut segments) = (pattern.split('/'), topic.split('/'));
    loop {
        match (pattern.next(), segments.next()) {
            (None, None) => return true,
            (Some("**"), Some(_)) => return true,
            (Some("*"), Some(_)) => {}
            (Some(expected), Some(segment)) if expected == segment => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_segments() {
        for (pattern, topic, expected) in [
            ("news", "news", true),
            ("news", "news/1", false),
            ("news/*", "news/1", true),
            ("news/*", "news/1/2", false),
            ("news/**", "news/1/2", true),
            ("news/**", "news", false),
            ("*/position", "ann/position", true),
            ("**", "anything", true),
        ] {
            assert_eq!(matches(pattern, topic), expected, "{pattern} {topic}");
        }
    }

    #[test]
    fn the_first_policy_of_the_first_topic_counts() {
        let mut all = TopicOverflows::default();
        all.add("cursor/*".into(), TopicOverflow::DropNewest);
        all.add("**".into(), TopicOverflow::KeepLatest);
        let apply = |topics: &[&str], options| all.apply(&topics.into(), options);
        let new = SendOptions::new;
        assert_eq!(apply(&["cursor/a"], new()), new().volatile());
        assert_eq!(apply(&["price"], new()), new().key("price"));
        assert_eq!(apply(&["price", "cursor/a"], new()), new().key("price"));
        assert_eq!(apply(&["price"], new().key("own")), new().key("own"));
        assert_eq!(apply(&[], new()), new());
    }
}

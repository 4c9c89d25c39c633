//! The operations on a registry, and random ones.

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Names that become equal if they are joined with any separator, that are prefixes of each other,
/// that look like patterns, or that are empty. Namespaces and topics share them.
pub(super) const NAMES: [&str; 12] = [
    "", "a", "b", "ab", "a:b", "a:", ":b", ":", "a\0b", "*", "a/b", "/",
];

#[derive(Debug, Clone)]
pub(super) enum Op {
    /// Joins a namespace, if asked under the id of a peer that is gone, if there is one.
    Join(&'static str, Option<Index>),
    Leave(Index, Way),
    Subscribe(Index, &'static str),
    Unsubscribe(Index, &'static str),
    /// To a topic or to everyone, with or without itself.
    Publish(Index, Option<&'static str>, bool),
    /// To several topics, to everyone or to its own, without the members of others, with or without
    /// itself.
    PublishToEach(Index, To, Vec<&'static str>, bool),
    /// From the hub, to one namespace or to all, without the members of these topics.
    PublishFromHubToEach(Option<&'static str>, Vec<&'static str>, Vec<&'static str>),
    /// From the hub, to one namespace or to all.
    PublishFromHub(Option<&'static str>, Option<&'static str>),
    CloseAll(Option<&'static str>),
}

#[derive(Debug, Clone)]
pub(super) enum To {
    Everyone,
    Topics(Vec<&'static str>),
    Own,
}

const WAYS: [Way; 4] = [
    Way::Dropped,
    Way::ClientClosed,
    Way::ServerClosed,
    Way::Terminated,
];

#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Dropped,
    ClientClosed,
    ServerClosed,
    Terminated,
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    // Few names in most cases, so that peers meet.
    let name = || prop_oneof![3 => select(&NAMES[..3]), 1 => select(&NAMES[..])];
    let peer = any::<Index>;
    let maybe = || proptest::option::of(name());
    let several = || proptest::collection::vec(name(), 0..4);
    let to = || {
        prop_oneof![
            1 => Just(To::Everyone),
            4 => several().prop_map(To::Topics),
            1 => Just(To::Own),
        ]
    };
    prop_oneof![
        4 => (name(), proptest::option::of(peer())).prop_map(|(ns, id)| Op::Join(ns, id)),
        2 => (peer(), select(&WAYS[..])).prop_map(|(peer, way)| Op::Leave(peer, way)),
        6 => (peer(), name()).prop_map(|(peer, topic)| Op::Subscribe(peer, topic)),
        3 => (peer(), name()).prop_map(|(peer, topic)| Op::Unsubscribe(peer, topic)),
        6 => (peer(), maybe(), any::<bool>()).prop_map(|(peer, to, own)| Op::Publish(peer, to, own)),
        6 => (peer(), to(), several(), any::<bool>())
            .prop_map(|(peer, to, not_to, own)| Op::PublishToEach(peer, to, not_to, own)),
        3 => (maybe(), several(), several())
            .prop_map(|(ns, to, not_to)| Op::PublishFromHubToEach(ns, to, not_to)),
        3 => (maybe(), maybe()).prop_map(|(ns, topic)| Op::PublishFromHub(ns, topic)),
        1 => maybe().prop_map(Op::CloseAll),
    ]
}

/// The kinds of subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TopicKind {
    /// The publications to a name; or, without one, to all peers.
    Topic,
    /// The publications to all names that match.
    Pattern,
}

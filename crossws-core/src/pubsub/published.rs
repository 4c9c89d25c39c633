/// What became of one publication on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Published {
    /// Subscribers whose queue took the message.
    pub queued: usize,
    /// Messages, this one or older ones, that full queues discarded for it; or subscribers that this
    /// one would have had to wait for, if it was [volatile](crate::SendOptions::volatile).
    pub dropped: u64,
    /// Subscribers that are [behind](crate::Peer::is_behind).
    pub behind: usize,
}

impl Published {
    /// So many subscribers, and so many discarded messages.
    pub const fn new(queued: usize, dropped: u64) -> Self {
        Self {
            queued,
            dropped,
            behind: 0,
        }
    }
}

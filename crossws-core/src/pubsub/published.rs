/// What happened to one publication on this node.
///
/// ```
/// # use crossws_core::*;
/// fn announce(peer: &Peer) -> Result<(), PublishError> {
///     let Published { queued, dropped, .. } = peer.publish("news", "hello")?;
///     println!("{queued} get it, {dropped} messages were discarded for it");
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Published {
    /// How many subscribers' queues took the message.
    pub queued: usize,
    /// How many messages, this one or older ones, full queues discarded for it; or, for a
    /// [volatile](crate::SendOptions::volatile) message, at how many subscribers it would have had
    /// to wait. A queue is known to be full only once a write has had to wait for its client: what it
    /// discards before is in [`Stats::dropped`](crate::Stats) alone.
    pub dropped: u64,
    /// How many subscribers are [behind](crate::Peer::is_behind).
    pub behind: usize,
}

impl Published {
    /// Creates a result with this many subscribers and discarded messages.
    pub const fn new(queued: usize, dropped: u64) -> Self {
        Self {
            queued,
            dropped,
            behind: 0,
        }
    }
}

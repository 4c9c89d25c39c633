/// What waits for a client in a queue of the transport's own: see
/// [`Transport::queue`](crate::adapter::Transport::queue).
pub trait OutboundQueue {
    /// Returns how many bytes are queued and not yet handed to the platform.
    fn buffered_amount(&self) -> usize;

    /// Returns how many messages a policy discarded.
    fn dropped(&self) -> u64;

    /// Returns whether one more message of this length may be queued without bringing the queue
    /// above half of a bound. True if nothing waits. A call of
    /// [`PeerEvents::drained`](crate::adapter::PeerEvents::drained) follows each change of the
    /// result.
    fn has_room(&self, len: usize) -> bool;

    /// Returns whether the client takes less than it is sent, so that publishers should wait: more
    /// than half of a bound waits although the transport wrote all that it could at once, and the
    /// client has not had long to catch up.
    fn is_behind(&self) -> bool;
}

use bytes::Bytes;

use crate::pubsub::cursor::Cursor;
use crate::pubsub::publication::wire::Wire;
use crate::pubsub::queue_size::Allowance;
use crate::transport::{Receipt, Settled};

/// A transport that reads its topics' logs by itself: publications are encoded once, appended to a
/// log that all readers of a wire format share, and fetched with
/// [`Backlog::take`](crate::adapter::Backlog::take) when the transport is about to write. See
/// [`Transport::log_reader`](crate::adapter::Transport::log_reader).
///
/// `offer`, `news` and `lags` run while the topic is locked, as
/// [`Transport::publish`](crate::adapter::Transport::publish) does. They use no [`Cursor`] except for
/// what needs no lock, and wake no task.
pub trait LogReader {
    /// Returns the wire format of the logs, or `None` if core must pass this connection every
    /// publication after all. Constant.
    fn wire(&self) -> Option<Wire>;

    /// Takes a published message at once, if nothing else waits here: then it is as cheap as a sent
    /// message, and nothing has to be fetched. `encoded` is the whole message in the
    /// [`wire`](Self::wire) format, which all readers share. At most one call per publication, for a
    /// subscriber that has read its topic's log to the end. With `None`, the message takes the path
    /// of [`news`](Self::news).
    fn offer(&self, encoded: &Bytes) -> Option<Receipt>;

    /// Notes that a topic's log has news. `feed` reads them, and must be kept until this transport
    /// writes. Not called again for this topic until the feed has been read to its end or dropped;
    /// meanwhile publications are in the log. Returns how much more may be appended to this log
    /// before [`lags`](Self::lags) is called.
    ///
    /// # Errors
    /// Returns the feed if the connection is closing: it must not be dropped here.
    fn news(&self, feed: Cursor) -> Result<Allowance, Cursor>;

    /// Notes that more was appended to a log that this transport reads than the last allowance;
    /// [`Cursor::at_most`] bounds how much waits there. Returns how much more may be appended
    /// before the next call.
    fn lags(&self) -> Allowance;

    /// Notes that the peer has left a topic of which something may wait for this transport. Nothing
    /// is added to that backlog, but it stays in memory in whole pieces, which the transport
    /// handles as in [`Transport::settle`](crate::adapter::Transport::settle). Called outside all
    /// locks.
    fn left(&self) -> Settled;
}

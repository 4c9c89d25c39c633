use std::net::SocketAddr;

use crossws_core::ConnectionInfo;

/// Facts about a stream besides its bytes.
///
/// ```
/// # use crossws_core::ConnectionInfo;
/// # use crossws_native::StreamInfo;
/// # let addr = None;
/// // Decrypted elsewhere: URLs have `https` and `wss`.
/// let info = StreamInfo::from(ConnectionInfo::new(addr).with_secure(true));
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct StreamInfo {
    /// Facts for the requests on it.
    pub connection: ConnectionInfo,
    /// Whether a drop ends the stream in order: see
    /// [`Listen::ends_on_drop`](crate::Listen::ends_on_drop).
    pub ends_on_drop: bool,
}

impl StreamInfo {
    /// Creates the facts about an unencrypted stream from this address.
    pub fn new(remote_addr: Option<SocketAddr>) -> Self {
        ConnectionInfo::new(remote_addr).into()
    }

    /// Sets whether a drop ends the stream in order. If so, the stream is dropped at once when both
    /// sides have finished.
    #[must_use]
    pub fn with_ends_on_drop(mut self, ends_on_drop: bool) -> Self {
        self.ends_on_drop = ends_on_drop;
        self
    }
}

/// What a drop does is unknown: `ends_on_drop` is not set.
impl From<ConnectionInfo> for StreamInfo {
    fn from(connection: ConnectionInfo) -> Self {
        Self {
            connection,
            ends_on_drop: false,
        }
    }
}

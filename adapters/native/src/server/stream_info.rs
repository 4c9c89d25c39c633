use std::net::SocketAddr;

use crossws_core::ConnectionInfo;
#[cfg(doc)]
use crossws_core::UpgradeRequest;

/// Facts about a stream besides its bytes.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct StreamInfo {
    /// The client's address.
    pub remote_addr: Option<SocketAddr>,
    /// Whether the stream is encrypted.
    pub secure: bool,
    /// Whether the stream arrived at a port that its client would have named in `Host`: see
    /// [`UpgradeRequest::with_forwarded`].
    pub forwarded: bool,
    /// Whether a drop ends the stream in order: see
    /// [`Listen::ends_on_drop`](crate::Listen::ends_on_drop).
    pub ends_on_drop: bool,
}

impl StreamInfo {
    /// Creates the facts about an unencrypted stream from this address.
    pub fn new(remote_addr: Option<SocketAddr>) -> Self {
        Self {
            remote_addr,
            secure: false,
            forwarded: false,
            ends_on_drop: false,
        }
    }

    /// Sets whether the stream is encrypted, so that URLs have `https` and `wss`.
    #[must_use]
    pub fn with_secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Sets whether the stream arrived at a port that its client would have named in `Host`: any
    /// port but 80 and 443. See [`UpgradeRequest::with_forwarded`].
    #[must_use]
    pub fn with_forwarded(mut self, forwarded: bool) -> Self {
        self.forwarded = forwarded;
        self
    }

    /// Sets whether a drop ends the stream in order. If so, the stream is dropped at once when both
    /// sides have finished.
    #[must_use]
    pub fn with_ends_on_drop(mut self, ends_on_drop: bool) -> Self {
        self.ends_on_drop = ends_on_drop;
        self
    }
}

/// Its client's end is unknown: `ends_on_drop` is not set.
impl From<ConnectionInfo> for StreamInfo {
    fn from(info: ConnectionInfo) -> Self {
        Self::new(info.remote_addr)
            .with_secure(info.secure)
            .with_forwarded(info.forwarded)
    }
}

impl From<StreamInfo> for ConnectionInfo {
    fn from(info: StreamInfo) -> Self {
        Self::new(info.remote_addr)
            .with_secure(info.secure)
            .with_forwarded(info.forwarded)
    }
}

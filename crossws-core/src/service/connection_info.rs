use std::net::SocketAddr;

use http::Extensions;

/// Facts about the connection on which a request arrived, which the request itself does not contain.
/// A server of this project stores them in the extensions of every request that it passes to its HTTP
/// service, and an `Acceptor` in those of every request that it returns.
///
/// ```
/// # use crossws_core::ConnectionInfo;
/// fn scheme<B>(request: &http::Request<B>) -> &'static str {
///     match ConnectionInfo::of(request.extensions()).secure {
///         true => "https",
///         false => "http",
///     }
/// }
/// # assert_eq!(scheme(&http::Request::new(())), "http");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The client's address.
    pub remote_addr: Option<SocketAddr>,
    /// Whether the connection is encrypted.
    pub secure: bool,
    /// Whether the connection arrived at a port that its client would have named in `Host`: see
    /// [`UpgradeRequest::with_forwarded`](crate::UpgradeRequest::with_forwarded).
    pub forwarded: bool,
}

impl ConnectionInfo {
    /// Creates the facts about an unencrypted connection from this address.
    pub fn new(remote_addr: Option<SocketAddr>) -> Self {
        Self {
            remote_addr,
            ..Self::default()
        }
    }

    /// Sets whether the connection is encrypted.
    #[must_use]
    pub fn with_secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Sets whether the connection arrived at a port that its client would have named in `Host`.
    #[must_use]
    pub fn with_forwarded(mut self, forwarded: bool) -> Self {
        self.forwarded = forwarded;
        self
    }

    /// Returns the facts that a request's extensions contain; the default if they contain none. A
    /// [`SocketAddr`] in the extensions, which middleware may have stored for an address that a proxy
    /// names, comes before the connection's own.
    pub fn of(extensions: &Extensions) -> Self {
        let mut info = extensions.get::<Self>().copied().unwrap_or_default();
        info.remote_addr = extensions.get().copied().or(info.remote_addr);
        info
    }

    /// Stores the facts in a request's extensions, unless they contain some.
    pub fn store(self, extensions: &mut Extensions) {
        extensions.get_or_insert(self);
    }
}

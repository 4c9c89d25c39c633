//! What is left to be served of a connection whose first request the hooks did not claim.

use std::sync::Arc;

use crossws_core::{BoxFuture, ConnectionInfo};

#[cfg(feature = "http2")]
use crate::http2::{Http2, PREFACE};
use crate::runtime::io::Io;
use crate::server::accept::NotHandled;
use crate::server::handle::ServerHandle;

/// Serves a connection whose first request the hooks did not claim.
pub(crate) type Fallback<R, T> = Arc<dyn Fn(Rest<R, T>) -> BoxFuture<'static, ()> + Send + Sync>;

/// A connection that the hooks did not claim, with the resolver of its later requests.
#[cfg_attr(
    not(feature = "http"),
    expect(dead_code, reason = "read by the HTTP service")
)]
pub(crate) struct Rest<R, T> {
    /// Boxed: listeners differ in their streams, and for a page the cost is acceptable.
    pub(crate) unclaimed: NotHandled<Box<dyn Io>>,
    pub(crate) info: ConnectionInfo,
    pub(crate) resolver: Arc<R>,
    pub(crate) handle: ServerHandle<T>,
}

#[cfg(feature = "http2")]
impl<R, T> Rest<R, T> {
    /// Returns the settings of HTTP/2, if the client speaks it.
    pub(crate) fn http2(&self) -> Option<&Http2> {
        let settings = self.handle.0.http2.as_ref();
        settings.filter(|_| self.unclaimed.read.starts_with(PREFACE))
    }
}

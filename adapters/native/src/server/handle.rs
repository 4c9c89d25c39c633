use std::sync::Arc;

use crossws_core::adapter::HttpService;
use crossws_core::{Hub, Report, Shutdown};

use crate::driver::server_crew::ServerCrew;
#[cfg(feature = "http2")]
use crate::http2::Http2;
use crate::runtime::ServerRuntime;
#[cfg(feature = "http")]
use crate::server::acceptor::Acceptor;
use crate::server::head::HeadLimits;
use crate::server::shutdown::{delay, shut_down};
use crate::server::stop::Stop;
use crate::server::tasks::Tasks;

/// A handle to a server, usable while the server runs. Cheap to clone.
pub struct ServerHandle<T>(pub(crate) Arc<Shared<T>>);

/// What a server and its handles share.
pub(crate) struct Shared<T> {
    pub(crate) hub: Hub,
    /// Owned here, because the hub only borrows it: a service may hold the hub.
    pub(crate) _api: Option<Arc<dyn HttpService>>,
    pub(crate) head: HeadLimits,
    #[cfg(feature = "http2")]
    pub(crate) http2: Option<Http2>,
    pub(crate) tasks: Tasks,
    pub(crate) crew: Arc<ServerCrew>,
    pub(crate) stop: Stop,
    pub(crate) runtime: T,
}

impl<T: ServerRuntime> ServerHandle<T> {
    /// Returns the hub of peers, namespaces and topics.
    pub fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// Stops accepting, closes every peer, waits up to the grace for `close` hooks and for current
    /// HTTP requests, and drops the rest. When it resolves, nothing of this server runs any more.
    /// If a hook awaits it, that hook's connection still runs. An HTTP handler should not await it,
    /// because it waits for current requests.
    ///
    /// # Cancel safety
    /// Without a delay and a spread, the first poll has closed the peers. Dropping the future after
    /// that only means that the rest is not forced. If it is dropped earlier, the remaining peers
    /// stay open.
    pub async fn shutdown(&self, shutdown: Shutdown) -> Report {
        let shared = &self.0;
        delay(&shared.runtime, &shared.hub, &shutdown).await;
        shared.stop.stop();
        // These still run while they watch for the stop: the accept loop, and HTTP connections with
        // a current request.
        let others = shared.stop.heeded();
        let runtime = &shared.runtime;
        shut_down(runtime, &shared.hub, &shared.tasks, &shutdown, others).await
    }
}

#[cfg(feature = "http")]
impl<T> ServerHandle<T> {
    /// Returns an acceptor of this server's further requests.
    pub(crate) fn acceptor<R>(&self, resolver: Arc<R>) -> Acceptor<R, T> {
        let shared = &self.0;
        let crew = Some(Arc::clone(&shared.crew));
        Acceptor::from_parts(resolver, shared.hub.clone(), shared.tasks.clone(), crew)
    }
}

impl<T> Clone for ServerHandle<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

crossws_core::opaque_debug!([T] ServerHandle<T>, self => (self.0.hub));

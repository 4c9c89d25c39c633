use std::sync::atomic::AtomicU16;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crossws_core::adapter::{HttpApp, HttpService, HubChoice, Start, http_service};
use crossws_core::{Hub, Resolve, Sockets, Through, hub_setters};

use super::background::Virtual;
use super::{TestServer, World};
use crate::server::accept::{self, Resolved};
use crate::time::chance::Chance;
use crate::time::clock::Clock;
use crate::time::executor::Executor;

/// The default patience of a server.
const PATIENCE: Duration = Duration::from_secs(10);

/// A builder of a [`TestServer`]: see [`TestServer::builder`]. Times are virtual. Clients offer compression if [`Connect::deflate`](crate::Connect::deflate) says so.
///
/// ```
/// use crossws_core::{Limits, Origin, hooks};
/// use crossws_memory::TestServer;
///
/// let server = TestServer::builder(hooks())
///     .limits(Limits::default().max_peers(2))
///     .origin(Origin::listed(["https://chat.example"]))
///     .build();
/// ```
#[must_use = "a builder has no effect until `build`"]
pub struct TestServerBuilder<R> {
    resolver: Arc<R>,
    hub: HubChoice,
    http: Option<Arc<dyn HttpService>>,
    /// Gives the sockets to the service.
    bind: Option<BindSockets>,
    chance: Chance,
    patience: Duration,
}

crossws_core::opaque_debug!([R] TestServerBuilder<R>, self => hub: self.hub);

impl<R: Resolve> TestServerBuilder<R> {
    pub(super) fn new(resolver: R) -> Self {
        Self {
            resolver: Arc::new(resolver),
            hub: HubChoice::default(),
            http: None,
            bind: None,
            chance: Chance::default(),
            patience: PATIENCE,
        }
    }

    hub_setters!(given);

    /// Sets a seed, which decides the order in which connections run, where the order is not promised:
    /// which hook is next, and how long it waits for its turn. It decides the ids of peers too. The same
    /// seed gives the same order. By default connections run in the order in which they become ready. See
    /// [`seeds`](crate::seeds()).
    ///
    /// A seed does not decide the app's own random values, or a real clock.
    pub fn seed(mut self, seed: u64) -> Self {
        self.chance = Chance::seeded(seed);
        self
    }

    /// Sets how long a client waits, in real time, for a message that a test
    /// [expects](crate::Client::expect), because a hook may wait for another thread. Default 10 s.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Serves every request that no hooks claim with this service, as a server's `http` does: an
    /// `axum::Router`, or any other tower service. Hooks call it with
    /// [`Peer::api`](crossws_core::Peer::api), the test with [`TestServer::request`].
    pub fn http(mut self, service: impl HttpApp) -> Self {
        self.http = Some(http_service(service, |_| {}));
        self
    }

    /// As [`http`](Self::http), with sockets through HTTP, as a server's `http_through`: every
    /// request goes to the service, whose middleware may refuse it, and upgrades end where the
    /// service places `sockets`.
    pub fn http_through<S: HttpApp>(
        self,
        service: impl FnOnce(Sockets) -> S,
    ) -> TestServerBuilder<Through<R>> {
        let sockets = Sockets::unbound();
        let service = service(sockets.clone());
        let resolver = Arc::clone(&self.resolver);
        let builder = TestServerBuilder {
            resolver: Arc::new(Through::new(self.resolver)),
            hub: self.hub,
            http: None,
            bind: Some(Box::new(move |hub: &Hub| {
                accept::bind(&sockets, hub, resolver)
            })),
            chance: self.chance,
            patience: self.patience,
        };
        builder.http(service)
    }

    /// Builds the server.
    pub fn build(self) -> TestServer {
        let (hub, checked) = self.hub.build();
        if let Some(http) = &self.http {
            hub.lend_http(http);
        }
        if let Some(bind) = self.bind {
            bind(&hub);
        }
        let clock = Arc::new(Clock::default());
        let world = Arc::new_cyclic(|world| {
            let background = Virtual {
                clock: Arc::clone(&clock),
                world: Weak::clone(world),
            };
            let app = Resolved {
                hub: hub.clone(),
                background,
                resolver: self.resolver,
                checked,
                start: Start::default(),
                http: self.http.clone(),
                chance: self.chance.clone(),
                parting: Arc::default(),
            };
            World {
                hub,
                clock,
                executor: Executor::new(self.chance.clone()),
                app: Arc::new(app),
                http: self.http,
                patience: self.patience,
                chance: self.chance,
                clients: AtomicU16::new(0),
            }
        });
        // Only now, because nothing can be spawned in a world that does not exist yet.
        world.hub.lend_background(Arc::new(Virtual {
            clock: Arc::clone(&world.clock),
            world: Arc::downgrade(&world),
        }));
        world.executor.spawn(Arc::clone(&world.app).start());
        TestServer { world }
    }
}

/// Called once the server exists.
type BindSockets = Box<dyn FnOnce(&Hub) + Send + Sync>;

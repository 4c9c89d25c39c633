//! The server, as tests hold it.

pub(crate) mod accept;
mod background;
pub(crate) mod builder;
mod shutdown;
mod stream;

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::task::{Poll, ready};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use crossws_core::adapter::HttpService;
use crossws_core::{
    Api, ApiError, ApiRequest, Body, BoxFuture, Hub, MaybeSend, Report, Resolve, Shutdown,
};
use http::{Method, Request, Response};

use self::builder::TestServerBuilder;
use self::shutdown::shut_down;
use self::stream::pipe;
use crate::server::accept::App;
use crate::time::chance::Chance;
use crate::time::clock::Clock;
use crate::time::executor::Executor;

/// A server without sockets, in virtual time. It is a cheap handle, which hooks may hold too (the
/// server then lives as long as the test's process).
///
/// Nothing runs by itself. Whenever the test awaits anything of the toolkit
/// ([`settle`](Self::settle), [`advance`](Self::advance), a client's `next`, …), all connections
/// first run as far as they can, on the caller's own thread. Any executor will do. A hook may wait
/// for other threads or a runtime's timers, which wake the toolkit as usual.
///
/// Virtual time stands still unless the test moves it, so that "within a second" means "without
/// [`advance`](Self::advance)": the limit on control frames, for example, counts all of them.
///
/// A connection lives as long as its client. A [`Client`](crate::Client) that is dropped vanishes.
#[derive(Clone)]
#[must_use = "a server does nothing until a client connects"]
pub struct TestServer {
    pub(crate) world: Arc<World>,
}

/// The state that a server and its clients share.
pub(crate) struct World {
    pub(crate) hub: Hub,
    pub(crate) clock: Arc<Clock>,
    pub(crate) executor: Executor,
    pub(crate) app: Arc<dyn App>,
    pub(crate) http: Option<Arc<dyn HttpService>>,
    pub(crate) patience: Duration,
    pub(crate) chance: Chance,
    clients: AtomicU16,
}

impl World {
    /// Returns an address for the next client.
    pub(crate) fn next_addr(&self) -> SocketAddr {
        // The first of the ports that systems assign to clients (RFC 6335 section 6).
        const FIRST: u16 = 49_152;
        let port = FIRST | (self.clients.fetch_add(1, Ordering::Relaxed) & !FIRST);
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    /// Runs a future, and all connections concurrently.
    async fn drive<F: Future>(&self, future: F) -> F::Output {
        let waiter = self.executor.waiter();
        let mut future = pin!(future);
        poll_fn(|cx| {
            self.executor.drive(&waiter, cx);
            future.as_mut().poll(cx)
        })
        .await
    }
}

impl TestServer {
    /// Creates a server for these hooks, or for a resolver, with default limits and the same-origin
    /// policy.
    pub fn new(hooks: impl Resolve) -> Self {
        Self::builder(hooks).build()
    }

    /// Returns a builder for limits and the origin policy.
    pub fn builder<R: Resolve>(hooks: R) -> TestServerBuilder<R> {
        TestServerBuilder::new(hooks)
    }

    /// Creates a request to the application's [HTTP service](TestServerBuilder::http). All
    /// connections run while it waits.
    ///
    /// ```
    /// # use crossws_memory::TestServer;
    /// # async fn example(server: TestServer) -> Result<(), Box<dyn std::error::Error>> {
    /// let told = server.post("/orders/7/notify").json(&"shipped").await?;
    /// assert_eq!(told.status(), 200);
    /// # Ok(()) }
    /// ```
    pub fn request(&self, method: Method, path: impl AsRef<str>) -> ApiRequest {
        let api = match &self.world.http {
            Some(service) => {
                let driven = Driven {
                    world: Arc::clone(&self.world),
                    service: Arc::clone(service),
                };
                Api::of(Arc::new(driven), self.hub().clone())
            }
            None => Hub::default().api(),
        };
        api.request(method, path)
    }

    /// Creates a `GET` [request](Self::request).
    pub fn get(&self, path: impl AsRef<str>) -> ApiRequest {
        self.request(Method::GET, path)
    }

    /// Creates a `POST` [request](Self::request).
    pub fn post(&self, path: impl AsRef<str>) -> ApiRequest {
        self.request(Method::POST, path)
    }

    /// Returns the hub: publish, list and address peers from outside.
    pub fn hub(&self) -> &Hub {
        &self.world.hub
    }

    /// Returns the virtual time since the server was created.
    pub fn now(&self) -> Duration {
        self.world.clock.now()
    }

    /// Returns the wall clock that credentials expire by: the real one when the server was created,
    /// plus the virtual time since.
    pub fn wall_clock(&self) -> SystemTime {
        self.world.clock.wall()
    }

    /// Runs all connections until none can go on without the test, or without an event that a hook
    /// waits for.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn settle(&self) {
        let waiter = self.world.executor.waiter();
        poll_fn(|cx| self.world.executor.poll_quiet(&waiter, cx)).await;
    }

    /// Moves virtual time on, from one timer to the next, and runs everything in between:
    /// heartbeats, deadlines of upgrades and closes, ages of queues, [`sleep`](Self::sleep).
    ///
    /// It does not wait for a hook that waits for anything but virtual time.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the time where it is.
    pub async fn advance(&self, by: Duration) {
        let World {
            clock, executor, ..
        } = &*self.world;
        let until = clock.now().saturating_add(by);
        let waiter = executor.waiter();
        poll_fn(|cx| {
            loop {
                ready!(executor.poll_quiet(&waiter, cx));
                if !clock.step(until) {
                    return Poll::Ready(());
                }
            }
        })
        .await;
    }

    /// Waits until virtual time has moved on by this much, for hooks that must take a while. Time
    /// does not move by itself: the test must [`advance`](Self::advance) it.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn sleep(&self, time: Duration) {
        self.drive(self.world.clock.sleep(time)).await;
    }

    /// Runs a future together with the connections, whenever the test awaits the toolkit: a task of
    /// the app, or a client of it.
    pub fn spawn(&self, future: impl Future<Output = ()> + MaybeSend + 'static) {
        self.world.executor.spawn(Box::pin(future));
    }

    /// Waits for a future that knows nothing of the toolkit, and runs all connections meanwhile.
    ///
    /// ```
    /// # use crossws_memory::TestServer;
    /// # futures_lite::future::block_on(async {
    /// let server = TestServer::new(crossws_core::hooks());
    /// assert_eq!(server.drive(async { 7 }).await, 7);
    /// # });
    /// ```
    ///
    /// # Cancel safety
    /// As the future's.
    pub async fn drive<F: Future>(&self, future: F) -> F::Output {
        self.world.drive(future).await
    }

    /// Shuts down: refuses upgrades with 503, closes every peer with 1012 or the frame that
    /// `shutdown` names, and waits for the last `close` hook.
    ///
    /// While it waits, virtual time moves on by itself, from one timer to the next, so that clients
    /// that do not reply to the close frame are dropped. It does not move to the end of the grace:
    /// it waits for a hook that waits for real time, unless the test advances the time past the
    /// grace.
    ///
    /// # Cancel safety
    /// Dropping the future after its first poll leaves the server shutting down, without the wait.
    pub fn shutdown(&self, shutdown: Shutdown) -> impl Future<Output = Report> + Send + use<> {
        let world = Arc::clone(&self.world);
        async move { shut_down(&world, shutdown).await }
    }
}

crossws_core::opaque_debug!([] TestServer, self => hub: self.world.hub, now: self.now());

/// The application's HTTP service. All connections run during its calls.
struct Driven {
    world: Arc<World>,
    service: Arc<dyn HttpService>,
}

impl HttpService for Driven {
    fn call(
        &self,
        request: Request<Bytes>,
        max_body: usize,
    ) -> BoxFuture<'static, Result<Response<Bytes>, ApiError>> {
        let world = Arc::clone(&self.world);
        let call = self.service.call(request, max_body);
        Box::pin(async move { world.drive(call).await })
    }

    fn stream(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'static, Result<Response<Body>, ApiError>> {
        let world = Arc::clone(&self.world);
        let call = self.service.stream(request);
        Box::pin(async move {
            let response = world.drive(call).await?;
            Ok(response.map(|body| pipe(world, body)))
        })
    }
}

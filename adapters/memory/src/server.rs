use std::fmt;
use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::task::{Poll, ready};
use std::time::{Duration, SystemTime};

use crossws_core::adapter::HubChoice;
use crossws_core::{Hub, Report, Resolve, Shutdown, hub_setters};
use http::Request;

use crate::Connect;
use crate::clock::{Alarm, Clock};
use crate::driver::{App, Resolved};
use crate::executor::Executor;
use crate::shutdown::shut_down;

/// A server without sockets, in virtual time: a cheap handle, which hooks may hold too (the
/// server then lives as long as the test's process).
///
/// Nothing runs by itself. Whenever anything of the toolkit is awaited ([`settle`](Self::settle),
/// [`advance`](Self::advance), a client's `next`, …) all connections first run as far as they
/// can, on the caller's own thread. Any executor will do; a hook may wait for other threads or a
/// runtime's timers, which wake the toolkit as usual.
///
/// Virtual time stands still unless the test moves it, so that "within a second" is "without
/// [`advance`](Self::advance)": the limit on control frames, for one, counts all of them.
///
/// Connections live as long as their client; a [`Client`](crate::Client) that is dropped vanishes.
#[derive(Clone)]
#[must_use = "a server does nothing until a client connects"]
pub struct TestServer {
    world: Arc<World>,
}

/// What a server and its clients share.
pub(crate) struct World {
    pub(crate) hub: Hub,
    pub(crate) clock: Arc<Clock>,
    pub(crate) executor: Executor,
    pub(crate) app: Box<dyn App>,
    clients: AtomicU16,
}

impl World {
    /// An address for the next client.
    pub(crate) fn next_addr(&self) -> SocketAddr {
        // The ports that systems give to clients (RFC 6335 section 6).
        const FIRST: u16 = 49_152;
        let port = FIRST | (self.clients.fetch_add(1, Ordering::Relaxed) & !FIRST);
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }
}

impl TestServer {
    /// A server for these hooks, or a resolver, with default limits and the same-origin policy.
    pub fn new(hooks: impl Resolve) -> Self {
        Self::builder(hooks).build()
    }

    /// A builder for limits and the origin policy.
    pub fn builder<R: Resolve>(hooks: R) -> TestServerBuilder<R> {
        TestServerBuilder {
            resolver: Arc::new(hooks),
            hub: HubChoice::default(),
        }
    }

    /// A client for this target: a path such as `/rooms/1?as=ada`, or a whole URL, whose host and
    /// scheme then show in the request. The host is `localhost` otherwise.
    ///
    /// ```
    /// # use crossws_memory::TestServer;
    /// # futures_lite::future::block_on(async {
    /// let server = TestServer::new(crossws_core::hooks());
    /// let client = server.connect("/rooms/1").header("x-user", "ada").await?;
    /// assert_eq!(client.response().status(), 101);
    /// assert_eq!(&*server.hub().namespaces()[0], "/rooms/1");
    /// # Ok::<_, crossws_memory::ConnectError>(()) }).unwrap();
    /// ```
    pub fn connect(&self, target: &str) -> Connect {
        Connect::to(Arc::clone(&self.world), target)
    }

    /// A client for a request of one's own. The headers of an upgrade are added where they are
    /// missing; whether those that are there make sense is not checked. Its extensions reach the
    /// hooks, as what a middleware has put there does behind a router.
    pub fn connect_with(&self, request: Request<()>) -> Connect {
        Connect::with(Arc::clone(&self.world), request)
    }

    /// The hub: publish, list and address peers from outside.
    pub fn hub(&self) -> &Hub {
        &self.world.hub
    }

    /// The virtual time since the server was made.
    pub fn now(&self) -> Duration {
        self.world.clock.now()
    }

    /// The wall clock that credentials end by: the real one when the server was made, and moved by
    /// the test since.
    pub fn wall_clock(&self) -> SystemTime {
        self.world.clock.wall()
    }

    /// Runs all connections until none can go on without the test, or without what a hook waits
    /// for.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn settle(&self) {
        let waiter = self.world.executor.waiter();
        poll_fn(|cx| self.world.executor.poll_quiet(&waiter, cx)).await;
    }

    /// Moves virtual time on, from one timer to the next, and lets everything run in between:
    /// heartbeats, deadlines of upgrades and closes, ages of queues, [`sleep`](Self::sleep).
    ///
    /// A hook that waits for anything but virtual time is not waited for.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the time where it came to.
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

    /// Waits until virtual time has moved on by this much: for hooks that shall take a while.
    /// Time does not move by itself; somebody has to [`advance`](Self::advance) it.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn sleep(&self, time: Duration) {
        let World {
            clock, executor, ..
        } = &*self.world;
        let until = clock.now().saturating_add(time);
        let mut alarm = Alarm::new(clock);
        let waiter = executor.waiter();
        poll_fn(|cx| {
            executor.drive(&waiter, cx);
            if clock.now() >= until {
                return Poll::Ready(());
            }
            alarm.set(Some(until), cx.waker());
            Poll::Pending
        })
        .await;
    }

    /// Shuts down: refuses upgrades with 503, closes every peer with 1012 or the frame that
    /// `shutdown` says, and waits for the last `close` hook.
    ///
    /// While it waits, virtual time moves on by itself, from one timer to the next, so that clients
    /// that do not answer the close frame are given up. It does not move to the end of the grace: a
    /// hook that waits for something real is waited for, unless the test advances the time past it.
    ///
    /// # Cancel safety
    /// Dropping the future after its first poll leaves the server shutting down, without the wait.
    pub fn shutdown(&self, shutdown: Shutdown) -> impl Future<Output = Report> + Send + use<> {
        let world = Arc::clone(&self.world);
        async move { shut_down(&world, shutdown).await }
    }
}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer")
            .field("hub", &self.world.hub)
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

/// What a [`TestServer`] is made with: see [`TestServer::builder`]. Times are virtual. There are no
/// bytes in memory, so that `deflate` changes nothing but what hooks read in a peer's settings.
#[derive(Debug)]
#[must_use = "a builder makes nothing until `build`"]
pub struct TestServerBuilder<R> {
    resolver: Arc<R>,
    hub: HubChoice,
}

impl<R: Resolve> TestServerBuilder<R> {
    hub_setters!(given);

    /// The server.
    pub fn build(self) -> TestServer {
        let hub = self.hub.build();
        let clock = Arc::new(Clock::default());
        let app = Resolved {
            hub: hub.clone(),
            clock: Arc::clone(&clock),
            resolver: self.resolver,
            start: Arc::default(),
        };
        let executor = Executor::default();
        executor.spawn(app.start());
        TestServer {
            world: Arc::new(World {
                hub,
                clock,
                executor,
                app: Box::new(app),
                clients: AtomicU16::new(0),
            }),
        }
    }
}

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crossws_core::adapter::{HubChoice, Start};
use crossws_core::{Error, Hub, Report, Resolve, SharedResolver, Shutdown, hub_setters};

use crate::driver::crew::Crew;
use crate::runtime::ServerRuntime;
use crate::runtime::io::Io;
use crate::server::accept::{NotHandled, StreamInfo, not_found, serve_stream};
use crate::server::head::HeadLimits;
use crate::server::shutdown::{delay, shut_down};
use crate::server::tasks::Tasks;
use crossws_proto::engine::EngineKind;

/// The door for a server that is not [`Server`](crate::Server): it takes a stream that was accepted
/// elsewhere, or, with the feature `http`, the request of another HTTP server. Cheap to clone.
///
/// Without a type of its resolver, as [`new`](Self::new) makes it, it goes into an app's state by its
/// name alone; each call of a hook is then boxed, as with
/// [`SharedHooks`](crossws_core::SharedHooks).
///
/// That server's shutdown does not know of these connections, so call
/// [`shutdown`](Self::shutdown) beside it.
pub struct Acceptor<R, T> {
    resolver: Arc<R>,
    hub: Hub,
    tasks: Tasks,
    /// Of the server that this is a part of. Elsewhere connections may run on several runtimes, and
    /// none shall write for another.
    crew: Option<Arc<Crew>>,
    head: HeadLimits,
    engine: EngineKind,
    runtime: PhantomData<fn() -> T>,
}

impl<T: ServerRuntime> Acceptor<SharedResolver, T> {
    /// For these hooks, or a resolver that chooses among several.
    pub fn new(resolver: impl Resolve, hub: Hub) -> Self {
        Self::typed(SharedResolver::new(resolver), hub)
    }
}

/// What an [`Acceptor`] is made with: see [`Acceptor::builder`].
#[must_use = "a builder makes nothing until `build`"]
pub struct AcceptorBuilder<R, T> {
    resolver: R,
    hub: HubChoice,
    head: HeadLimits,
    engine: EngineKind,
    runtime: PhantomData<fn() -> T>,
}

impl<R, T: ServerRuntime> AcceptorBuilder<R, T> {
    hub_setters!(given);

    /// The bounds of reading a request's head, where the acceptor reads it: from a raw stream.
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.head = limits;
        self
    }

    /// Decodes with this engine instead of this crate's own.
    pub fn engine(mut self, engine: EngineKind) -> Self {
        self.engine = engine;
        self
    }

    /// The acceptor, as [`Acceptor::new`] makes it.
    pub fn build(self) -> Acceptor<SharedResolver, T>
    where
        R: Resolve,
    {
        let erased = AcceptorBuilder {
            resolver: SharedResolver::new(self.resolver),
            hub: self.hub,
            head: self.head,
            engine: self.engine,
            runtime: PhantomData,
        };
        erased.build_typed()
    }

    /// The acceptor, as [`Acceptor::typed`] makes it.
    pub fn build_typed(self) -> Acceptor<R, T>
    where
        R: Resolve,
    {
        Acceptor {
            head: self.head,
            engine: self.engine,
            ..Acceptor::typed(self.resolver, self.hub.build())
        }
    }
}

impl<R, T> fmt::Debug for AcceptorBuilder<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptorBuilder")
            .field("hub", &self.hub)
            .finish_non_exhaustive()
    }
}

impl<R: Resolve, T: ServerRuntime> Acceptor<R, T> {
    /// A builder, with the settings of a [`Server`](crate::Server)'s.
    pub fn builder(resolver: R) -> AcceptorBuilder<R, T> {
        AcceptorBuilder {
            resolver,
            hub: HubChoice::default(),
            head: HeadLimits::default(),
            engine: EngineKind::default(),
            runtime: PhantomData,
        }
    }

    /// As [`new`](Acceptor::new), with the resolver's type: hooks are called without a box, and where
    /// the acceptor is kept its type must be named.
    pub fn typed(resolver: R, hub: Hub) -> Self {
        Self::from_parts(Arc::new(resolver), hub, Tasks::default(), None)
    }

    /// For one of several routes of an application with one hub, whose framework has no place for a
    /// shared acceptor: the [`shutdown`](Self::shutdown) of any of them ends the connections of all.
    pub fn sharing_hub(resolver: R, hub: Hub) -> Self {
        let tasks = Tasks::of(&hub);
        Self::from_parts(Arc::new(resolver), hub, tasks, None)
    }

    /// Runs the `start` hook. Call it once, before connections are given to this.
    ///
    /// # Errors
    /// What the hook returned, or its panic.
    // Said to be `Send` here: of a closure as resolver the compiler cannot tell where it is called.
    #[allow(clippy::manual_async_fn)]
    pub fn start(&self) -> impl Future<Output = Result<(), Error>> + Send {
        async { Start::default().run(&self.resolver, &self.hub).await }
    }

    /// Serves a stream that was accepted elsewhere, to its end: reads the first request's head,
    /// runs the upgrade, answers, and runs the connection. Every refusal is answered.
    ///
    /// Spawn it: it ends with the connection.
    ///
    /// # Errors
    /// Gives the stream back, with what was read from it, when its first request is no upgrade or
    /// no hooks claim it: for whoever serves HTTP, or for [`not_found`](Self::not_found).
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection.
    pub async fn serve_stream<I: Io>(&self, io: I, info: StreamInfo) -> Result<(), NotHandled<I>> {
        let runtime = T::default();
        let info = info.with_engine(self.engine);
        let served = serve_stream(io, info, &self.resolver, &self.hub, &runtime, &self.head);
        // A shutdown that forces it ends it as if it had been served.
        self.tasks.run(served).await.unwrap_or(Ok(()))
    }

    /// Answers what [`serve_stream`](Self::serve_stream) gave back with 404, and ends it.
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection, with the answer perhaps half written.
    pub async fn not_found<I: Io>(&self, unclaimed: NotHandled<I>) {
        not_found(unclaimed, &T::default()).await;
    }

    /// Refuses further upgrades, tells every peer, waits for their `close` hooks up to the grace,
    /// and drops the rest.
    pub async fn shutdown(&self, shutdown: Shutdown) -> Report {
        let others = std::future::ready(());
        delay(&T::default(), &self.hub, &shutdown).await;
        shut_down(&T::default(), &self.hub, &self.tasks, &shutdown, others).await
    }
}

impl<R, T> Acceptor<R, T> {
    pub(crate) fn from_parts(
        resolver: Arc<R>,
        hub: Hub,
        tasks: Tasks,
        crew: Option<Arc<Crew>>,
    ) -> Self {
        Self {
            resolver,
            hub,
            tasks,
            crew,
            head: HeadLimits::default(),
            engine: EngineKind::default(),
            runtime: PhantomData,
        }
    }

    #[cfg(feature = "http")]
    pub(crate) fn resolver(&self) -> &Arc<R> {
        &self.resolver
    }

    #[cfg(feature = "http")]
    pub(crate) fn decode_with(&mut self, engine: EngineKind) {
        self.engine = engine;
    }

    #[cfg(feature = "http")]
    pub(crate) fn decodes_with(&self) -> EngineKind {
        self.engine
    }

    #[cfg(feature = "http")]
    pub(crate) fn crew(&self) -> Option<Arc<Crew>> {
        self.crew.clone()
    }

    #[cfg(feature = "http")]
    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Peers, namespaces and topics.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }
}

impl<R, T> Clone for Acceptor<R, T> {
    fn clone(&self) -> Self {
        Self {
            resolver: Arc::clone(&self.resolver),
            hub: self.hub.clone(),
            tasks: self.tasks.clone(),
            crew: self.crew.clone(),
            head: self.head.clone(),
            engine: self.engine,
            runtime: PhantomData,
        }
    }
}

impl<R, T> fmt::Debug for Acceptor<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("hub", &self.hub)
            .finish_non_exhaustive()
    }
}

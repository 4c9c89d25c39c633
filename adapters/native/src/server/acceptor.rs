use std::marker::PhantomData;
use std::sync::Arc;

use crossws_core::adapter::{HubChoice, Start};
use crossws_core::{
    Error, Hub, Report, Resolve, SettingsError, SharedResolver, Shutdown, hub_setters,
};

use crate::driver::server_crew::ServerCrew;
use crate::runtime::ServerRuntime;
use crate::runtime::io::Io;
use crate::server::accept::{NotHandled, not_found, serve_stream};
use crate::server::background::{lend, lend_background};
use crate::server::head::HeadLimits;
use crate::server::shutdown::{delay, shut_down};
use crate::server::stream_info::StreamInfo;
use crate::server::tasks::Tasks;

/// Takes connections of a server that is not a [`Server`](crate::Server): a stream that was
/// accepted elsewhere or, with the feature `http`, the request of another HTTP server. Cheap to
/// clone.
///
/// Created by [`new`](Self::new), it has no type parameter for its resolver, so that an app's state
/// can name it. Each call of a hook is then boxed, as with
/// [`SharedHooks`](crossws_core::SharedHooks).
///
/// The other server's shutdown ignores these connections, so call [`shutdown`](Self::shutdown)
/// together with it.
pub struct Acceptor<R, T> {
    pub(crate) resolver: Arc<R>,
    hub: Hub,
    /// What the builder found wrong with its settings.
    checked: Result<(), SettingsError>,
    pub(crate) tasks: Tasks,
    /// The crew of the server that this is a part of. In a foreign server, connections may run on
    /// several runtimes, and none may write for another.
    pub(crate) crew: Option<Arc<ServerCrew>>,
    head: HeadLimits,
    runtime: PhantomData<fn() -> T>,
}

impl<T: ServerRuntime> Acceptor<SharedResolver, T> {
    /// Creates an acceptor for these hooks, or for a resolver that chooses among several.
    pub fn new(resolver: impl Resolve, hub: Hub) -> Self {
        Self::typed(SharedResolver::new(resolver), hub)
    }
}

/// A builder of an [`Acceptor`]: see [`Acceptor::builder`].
#[must_use = "a builder has no effect until `build`"]
pub struct AcceptorBuilder<R, T> {
    resolver: R,
    hub: HubChoice,
    head: HeadLimits,
    runtime: PhantomData<fn() -> T>,
}

impl<R, T: ServerRuntime> AcceptorBuilder<R, T> {
    hub_setters!(given);

    /// Sets the bounds of reading a request's head from a raw stream.
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.head = limits;
        self
    }

    /// Builds the acceptor as [`Acceptor::new`] does.
    pub fn build(self) -> Acceptor<SharedResolver, T>
    where
        R: Resolve,
    {
        let erased = AcceptorBuilder {
            resolver: SharedResolver::new(self.resolver),
            hub: self.hub,
            head: self.head,
            runtime: PhantomData,
        };
        erased.build_typed()
    }

    /// Builds the acceptor as [`Acceptor::typed`] does.
    pub fn build_typed(self) -> Acceptor<R, T>
    where
        R: Resolve,
    {
        let (hub, checked) = self.hub.build();
        Acceptor {
            checked,
            head: self.head,
            ..Acceptor::typed(self.resolver, hub)
        }
    }
}

crossws_core::opaque_debug!([R, T] AcceptorBuilder<R, T>, self => hub: self.hub);

impl<R: Resolve, T: ServerRuntime> Acceptor<R, T> {
    /// Returns a builder with the settings of a [`Server`](crate::Server)'s builder.
    pub fn builder(resolver: R) -> AcceptorBuilder<R, T> {
        AcceptorBuilder {
            resolver,
            hub: HubChoice::default(),
            head: HeadLimits::default(),
            runtime: PhantomData,
        }
    }

    /// As [`new`](Acceptor::new), but keeps the resolver's type. Hooks are called without a box,
    /// but a field that holds the acceptor must name the type.
    pub fn typed(resolver: R, hub: Hub) -> Self {
        let tasks = Tasks::default();
        lend(&T::default(), &hub, &tasks);
        Self::from_parts(Arc::new(resolver), hub, tasks, None)
    }

    /// Creates an acceptor for one of several routes that share a hub, for frameworks that have no
    /// place for a shared acceptor. The [`shutdown`](Self::shutdown) of any of them ends the
    /// connections of all.
    pub fn sharing_hub(resolver: R, hub: Hub) -> Self {
        let tasks = Tasks::of(&hub);
        lend_background::<T>(&hub);
        Self::from_parts(Arc::new(resolver), hub, tasks, None)
    }

    /// Runs the `start` hook. Call it once, before this gets connections.
    ///
    /// # Errors
    /// The error of the hook, or its panic; or what is wrong with the settings.
    // Declared `Send` here: the caller cannot infer it for a closure as resolver.
    #[allow(clippy::manual_async_fn)]
    pub fn start(&self) -> impl Future<Output = Result<(), Error>> + Send {
        async {
            let checked = self.checked.clone().and_then(|()| self.head.check());
            let start = Start::default();
            start.run_checked(checked, &self.resolver, &self.hub).await
        }
    }

    /// Serves a stream that was accepted elsewhere, to its end: reads the first request's head,
    /// runs the upgrade, sends the response, and runs the connection. Every refusal gets a
    /// response.
    ///
    /// Spawn it: it ends with the connection.
    ///
    /// ```no_run
    /// # use crossws_core::Resolve;
    /// # use crossws_native::{Acceptor, Io, ServerRuntime, StreamInfo};
    /// # async fn example<R: Resolve, T: ServerRuntime>(acceptor: Acceptor<R, T>, io: impl Io) {
    /// // Other requests of this port get a 404.
    /// if let Err(other) = acceptor.serve_stream(io, StreamInfo::default()).await {
    ///     acceptor.not_found(other).await;
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the stream, with the bytes that were read from it, if its first request is not an
    /// upgrade or no hooks claim it. Pass it to an HTTP server, or to
    /// [`not_found`](Self::not_found).
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection.
    pub async fn serve_stream<I: Io>(&self, io: I, info: StreamInfo) -> Result<(), NotHandled<I>> {
        let runtime = T::default();
        let served = serve_stream(io, info, &self.resolver, &self.hub, &runtime, &self.head);
        // A shutdown that forces the connection ends it as if it had been served.
        self.tasks.run(served).await.unwrap_or(Ok(()))
    }

    /// Responds with 404 to a stream that [`serve_stream`](Self::serve_stream) returned, and ends
    /// it.
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection. The response may then be incomplete.
    pub async fn not_found<I: Io>(&self, unclaimed: NotHandled<I>) {
        not_found(unclaimed, &T::default()).await;
    }

    /// Refuses further upgrades, closes every peer, waits for their `close` hooks up to the grace,
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
        crew: Option<Arc<ServerCrew>>,
    ) -> Self {
        Self {
            resolver,
            hub,
            checked: Ok(()),
            tasks,
            crew,
            head: HeadLimits::default(),
            runtime: PhantomData,
        }
    }

    /// Returns the hub of peers, namespaces and topics.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }
}

impl<R, T> Clone for Acceptor<R, T> {
    fn clone(&self) -> Self {
        Self {
            resolver: Arc::clone(&self.resolver),
            hub: self.hub.clone(),
            checked: self.checked.clone(),
            tasks: self.tasks.clone(),
            crew: self.crew.clone(),
            head: self.head.clone(),
            runtime: PhantomData,
        }
    }
}

crossws_core::opaque_debug!([R, T] Acceptor<R, T>, self => hub: self.hub);

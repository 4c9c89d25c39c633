//! An upgrade whose connection other code serves.

use std::any::{TypeId, type_name};

use crate::bounds::{AnyValue, MaybeSend, OnceCallback};
use crate::error::Unsupported;
use crate::hooks::output::{HookOutput, HookResult};
use crate::hooks::setters::boxed;
use crate::hub::Hub;
use crate::peer::life::membership::Ongoing;
use crate::sync::Mutex;

/// A connection's stream for [`Upgrade::take`](crate::Upgrade::take): an adapter's `RawStream`
/// implements it, together with the traits of its runtime's streams.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the stream of a connection",
    label = "the adapter's `RawStream` is expected",
    note = "give the closure's parameter a type: `|stream: crossws::tokio::RawStream| async move {{ .. }}`"
)]
pub trait FromConnection: Sized + 'static {
    /// The adapter's type of a connection.
    type Connection: MaybeSend + 'static;

    /// Wraps a connection.
    fn from_connection(connection: Self::Connection) -> Self;
}

pub(crate) type TakeFn<C> = OnceCallback<C, HookResult>;

/// The function that an `upgrade` hook gave for the connection. The adapter's type of it is not
/// known here.
pub(crate) struct Take {
    stream: &'static str,
    connection: TypeId,
    /// A `Mutex` of a [`TakeFn`] for that type of connection. It is never locked: the mutex makes the
    /// function `Sync`.
    run: Box<AnyValue>,
}

impl Take {
    pub(crate) fn new<S, F, Fut>(with: F) -> Self
    where
        S: FromConnection,
        F: FnOnce(S) -> Fut + MaybeSend + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        let run: TakeFn<S::Connection> =
            Box::new(|connection| boxed(with(S::from_connection(connection))));
        Self {
            stream: type_name::<S>(),
            connection: TypeId::of::<S::Connection>(),
            run: Box::new(Mutex::new(run)),
        }
    }

    /// Checks that the adapter can pass on connections, and that they are of this type.
    ///
    /// # Errors
    /// Names the stream that the adapter does not have.
    pub(crate) fn check(&self, connection: Option<TypeId>) -> Result<(), NoRawStream> {
        match connection == Some(self.connection) {
            true => Ok(()),
            false => Err(NoRawStream {
                stream: self.stream,
                source: Unsupported::new("taking a connection's stream"),
            }),
        }
    }

    /// Returns whether the function takes a connection of this type.
    pub(crate) fn is_for<C: 'static>(&self) -> bool {
        self.connection == TypeId::of::<C>()
    }

    /// Returns the function, if it takes a connection of this type.
    pub(crate) fn into_run<C: 'static>(self) -> Option<TakeFn<C>> {
        let run: Box<Mutex<TakeFn<C>>> = self.run.downcast().ok()?;
        Some(run.into_inner())
    }
}

crate::opaque_debug!([] Take, self => (format_args!("{}", self.stream)));

/// Why an upgrade that takes the stream is refused.
#[derive(Debug, thiserror::Error)]
#[error("this adapter has no `{stream}` to be taken")]
pub(crate) struct NoRawStream {
    stream: &'static str,
    source: Unsupported,
}

/// A connection that an `upgrade` hook [takes](crate::Upgrade::take): from
/// [`Accepted::taken`](crate::adapter::Accepted::taken). It does not become a peer.
#[must_use = "the connection is served when this runs"]
pub struct Taken<C> {
    pub(crate) run: TakeFn<C>,
    pub(crate) path: String,
    /// A shutdown waits for it.
    pub(crate) ongoing: Ongoing,
}

impl<C> Taken<C> {
    /// Returns the hub of the server, whose shutdown waits for this.
    pub fn hub(&self) -> &Hub {
        self.ongoing.hub()
    }

    /// Serves the connection to its end, after the 101. The error of the hook's future is logged.
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection.
    pub async fn run(self, connection: C) {
        let Self { run, path, ongoing } = self;
        if let Err(error) = run(connection).await {
            tracing::error!(path, %error, "a connection that was taken has failed");
        }
        drop(ongoing);
    }
}

crate::opaque_debug!([C] Taken<C>, self => (format_args!("{}", self.path)));

use std::error::Error as _;
use std::iter::successors;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, HookKind};
use crate::hooks::catch::catch;
use crate::hub::Hub;
use crate::hub::settings::invalid::SettingsError;
use crate::sync::Event;
use crate::sync::atomic::{AtomicU8, Ordering};
use crate::upgrade::rejection::Rejection;
use crate::upgrade::resolve::Resolve;

/// The beginning of an application: its `start` hook, which runs once, before the first upgrade.
///
/// For an adapter whose connections may arrive before that hook has ended. A server whose accept
/// loop can wait needs only [`run`](Self::run).
#[derive(Default)]
pub struct Start {
    state: AtomicU8,
    event: Event,
}

const STARTED: u8 = 1;
const FAILED: u8 = 2;

impl Start {
    /// Runs the `start` hook of the resolver's hooks. A failure is logged, too.
    ///
    /// # Errors
    /// What the hook returned, or its panic; or a [`SettingsError`], whose kind is
    /// [`ErrorKind::Settings`](crate::ErrorKind::Settings).
    ///
    /// # Cancel safety
    /// Dropping the future drops the hook; tasks in [`ready`](Self::ready) wait on.
    pub async fn run<R: Resolve + ?Sized>(
        &self,
        resolver: &Arc<R>,
        hub: &Hub,
    ) -> Result<(), Error> {
        self.run_checked(Ok(()), resolver, hub).await
    }

    /// As [`run`](Self::run), for a server with settings of its own: `checked` is what it found wrong
    /// with them. The hook does not run if there is such an error.
    ///
    /// # Errors
    /// As [`run`](Self::run), and the error in `checked`.
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn run_checked<R: Resolve + ?Sized>(
        &self,
        checked: Result<(), SettingsError>,
        resolver: &Arc<R>,
        hub: &Hub,
    ) -> Result<(), Error> {
        let start = async {
            checked?;
            hub.topic_overflows().check()?;
            hub.settings().validate()?;
            resolver.start(hub).await
        };
        let result = catch(HookKind::Start, start).await.map_err(of_start);
        let state = if result.is_ok() { STARTED } else { FAILED };
        if let Err(error) = &result {
            tracing::error!(%error, "the application has not started");
        }
        self.state.store(state, Ordering::SeqCst);
        self.event.notify_all();
        result
    }

    /// Waits until the hook has ended.
    ///
    /// # Errors
    /// The response to refuse an upgrade with: 503 when the hook has failed.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the hook.
    pub async fn ready(&self) -> Result<(), Rejection> {
        loop {
            let listener = self.event.listen();
            match self.state.load(Ordering::SeqCst) {
                STARTED => return Ok(()),
                FAILED => return Err(Rejection::unavailable("the server has not started")),
                _ => listener.await,
            }
        }
    }
}

/// Returns the error of a start: of its settings, if that is what the `start` hook's error comes from.
fn of_start(error: Error) -> Error {
    let mut causes = successors(error.source(), |&error| error.source());
    match causes.any(|error| error.is::<SettingsError>()) {
        true => error.retold(ErrorKind::Settings, "the settings cannot be used"),
        false => error,
    }
}

crate::opaque_debug!([] Start, self => (self.state));

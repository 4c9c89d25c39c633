//! From a request to an accepted upgrade: everything before the 101.

use std::any::TypeId;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::error::HookKind;
use crate::hooks::Hooks;
use crate::hooks::catch::catch_panic;
use crate::hub::Hub;
use crate::hub::settings::Settings;
use crate::observe::RejectReason;
use crate::peer::deadlines::expiry::{Expiry, ExpiryError};
use crate::peer::id::PeerId;
use crate::peer::life::membership::{Ongoing, SHUTTING_DOWN, TOO_MANY_PEERS};
use crate::session::accepted::Accepted;
use crate::upgrade::Upgrade;
use crate::upgrade::path::normal_path;
use crate::upgrade::rejection::Rejection;
use crate::upgrade::request::UpgradeRequest;
use crate::upgrade::resolve::route::Route;

/// A request with the hooks that claim it. The next step is [`upgrade`](Self::upgrade).
pub struct Claim<H: Hooks + ?Sized> {
    hub: Hub,
    request: UpgradeRequest,
    route: Route<H>,
    settings: Arc<Settings>,
    /// The type of connection that the adapter can pass to an upgrade that takes the stream.
    connection: Option<TypeId>,
    /// The peer's id, if its hook sets none.
    id: Option<PeerId>,
}

impl<H: Hooks + ?Sized> Claim<H> {
    pub(crate) fn new(hub: Hub, mut request: UpgradeRequest, mut route: Route<H>) -> Self {
        request.set_params(std::mem::take(&mut route.params));
        let settings = match &route.settings {
            Some(settings) => settings.apply(hub.settings()),
            None => Arc::clone(hub.settings()),
        };
        Self {
            hub,
            request,
            route,
            settings,
            connection: None,
            id: None,
        }
    }

    /// Sets the peer's id, unless the `upgrade` hook sets one. By default it is random.
    pub fn with_id(mut self, id: PeerId) -> Self {
        self.id = Some(id);
        self
    }

    /// Lets the `upgrade` hook [take](crate::Upgrade::take) the connection, which is a `C` of the
    /// adapter's. The adapter must then call [`Accepted::taken`]. Without this such an upgrade is
    /// refused with 500.
    pub fn with_raw_streams<C: 'static>(mut self) -> Self {
        self.connection = Some(TypeId::of::<C>());
        self
    }

    /// Returns the request.
    pub fn request(&self) -> &UpgradeRequest {
        &self.request
    }

    /// Returns the hub that the peer will join.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Returns how long [`upgrade`](Self::upgrade) may take. The adapter, which has a clock,
    /// enforces it.
    pub fn deadline(&self) -> Duration {
        self.settings.limits.upgrade_timeout
    }

    /// Returns the settings of the connection that the request asks for.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Checks the origin, runs the route's layers and the `upgrade` hook, and checks the hook's
    /// result.
    ///
    /// # Errors
    /// [`ClaimError::NotHandled`] returns the request if the hook [passes](crate::Upgrade::pass) it on.
    /// Otherwise the response to refuse with: the hook's own; 403 for a foreign origin; 503 in a
    /// shutdown or when the hub is full of peers, namespaces or topics; 409 for an id in use; 414
    /// for a namespace's name that is too long; 400 for a path that is not UTF-8 when it is
    /// percent-decoded; 500 if the hook panicked, chose a subprotocol that was not offered, or more
    /// topics or tags than a peer may have.
    ///
    /// # Cancel safety
    /// Dropping the future drops the hook; nothing was registered.
    #[expect(
        clippy::manual_async_fn,
        reason = "it would own the claim three times, and not fit the allocator's caches"
    )]
    pub fn upgrade(mut self) -> impl Future<Output = Result<Accepted<H>, ClaimError>> {
        async move {
            // Without the query, which may hold a token.
            let is_told = self.hub.is_watched() || tracing::enabled!(tracing::Level::ERROR);
            let path = is_told.then(|| self.request.path().to_owned());
            let remote_addr = self.request.remote_addr();
            let hub = self.hub.clone();
            let upgrade = self.run().await;
            let accepted = upgrade.and_then(|(ongoing, upgrade)| self.accept(ongoing, upgrade));
            accepted.map_err(|error| match error {
                ClaimError::Rejected(rejection) => {
                    let reason = RejectReason::of(&rejection);
                    let path = path.as_deref().unwrap_or_default();
                    hub.rejected(reason, &rejection, path, remote_addr);
                    rejection.into()
                }
                other => other,
            })
        }
    }

    /// Checks the request, and runs the layers and the hook.
    async fn run(&mut self) -> Result<(Ongoing, Upgrade), ClaimError> {
        let Self {
            hub,
            request,
            route,
            settings,
            ..
        } = self;
        // Counted before the check for a shutdown: either the shutdown waits for this upgrade, or
        // this upgrade sees the shutdown.
        let ongoing = Ongoing::new(hub);
        if hub.is_shutting_down() {
            return Err(Rejection::unavailable(SHUTTING_DOWN).into());
        }
        // Before the hook, so that a full server does no work for the peers that it refuses.
        if !hub.limits().max_peers.allows(hub.registry().len() + 1) {
            return Err(Rejection::unavailable(TOO_MANY_PEERS).into());
        }
        if !settings.origin.admits(request) {
            return Err(settings.origin.refusal(request).into());
        }
        if route.namespace.is_none() && !route.path_is_normal {
            let path = normal_path(request.path()).map_err(|error| {
                Rejection::new(StatusCode::BAD_REQUEST, error.to_string()).with_source(error)
            })?;
            // Most paths are their own normal form, and the namespace may exist already.
            if let Cow::Owned(path) = path {
                route.namespace = Some(Arc::from(path));
            }
        }
        let hooks_accept = async {
            if let Some(before) = &route.before {
                before.run(request).await?;
            }
            route.hooks.upgrade(request).await
        };
        let upgrade = catch_panic(HookKind::Upgrade, hooks_accept)
            .await
            .map_err(Rejection::internal)??;
        Ok((ongoing, upgrade))
    }

    /// Checks the hook's result.
    fn accept(self, ongoing: Ongoing, mut upgrade: Upgrade) -> Result<Accepted<H>, ClaimError> {
        if upgrade.is_pass() {
            return Err(ClaimError::NotHandled(Box::new(self.request)));
        }
        if self.hub.is_shutting_down() {
            return Err(Rejection::unavailable(SHUTTING_DOWN).into());
        }
        if let Some(take) = &upgrade.take {
            take.check(self.connection).map_err(Rejection::internal)?;
            if upgrade.expiry != Expiry::Never {
                // A peer is never admitted for longer than asked.
                return Err(Rejection::internal(ExpiryError::Unsupported).into());
            }
        }
        upgrade.id = upgrade.id.or(self.id);
        Ok(Accepted::new(
            ongoing,
            self.request,
            self.route,
            self.settings,
            upgrade,
        )?)
    }
}

crate::opaque_debug!([H: Hooks + ?Sized] Claim<H>, self =>
    (format_args!("{}", self.request.redacted())));

/// Why a request got no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// No hooks claim the request, which is returned unchanged.
    #[error("no hooks claim `{}`", .0.path())]
    NotHandled(Box<UpgradeRequest>),
    /// The request is refused with this response.
    #[error(transparent)]
    Rejected(#[from] Rejection),
}

/// The refusal where no other service takes the request: 404 if no hooks claim it.
impl From<ClaimError> for Rejection {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::NotHandled(_) => Self::from(StatusCode::NOT_FOUND),
            ClaimError::Rejected(rejection) => rejection,
        }
    }
}

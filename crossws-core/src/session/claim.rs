//! From a request to an accepted upgrade: everything before the 101.

use std::any::TypeId;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use http::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_PROTOCOL};

use crate::adapter::Snapshot;
use crate::error::{Error, HookKind, SubscribeError};
use crate::hooks::Hooks;
use crate::hooks::catch::catch_panic;
use crate::hooks::dyn_hooks::SharedHooks;
use crate::hub::capabilities::Capabilities;
use crate::hub::deflate::Deflate;
use crate::hub::labels::{LabelError, check_labels};
use crate::hub::limits::Limits;
use crate::hub::settings::Settings;
use crate::hub::{ClaimError, Hub};
use crate::message::close::{CloseCode, CloseFrame};
use crate::observe::{RejectReason, watch};
use crate::peer::Peer;
use crate::peer::context::ContextCell;
use crate::peer::expiry::{Expiry, ExpiryError, Moment, MomentCell};
use crate::peer::extensions::Extensions;
use crate::peer::id::PeerId;
use crate::peer::life::Life;
use crate::peer::membership::{
    Membership, Ongoing, SHUTTING_DOWN, TOO_MANY_PEERS, TOO_MANY_TOPICS,
};
use crate::peer::rare::RareCell;
use crate::peer::sleep::Sleepers;
use crate::peer::snapshot::PersistError;
use crate::peer::subscriptions::Subscriptions;
use crate::peer::tasks::Inbox;
use crate::peer::{Inner, credentials_expired};
use crate::session::OpeningPeer;
use crate::transport::Transport;
use crate::upgrade::Upgrade;
use crate::upgrade::origin::Origin;
use crate::upgrade::path::normal_path;
use crate::upgrade::rejection::Rejection;
use crate::upgrade::request::UpgradeRequest;
use crate::upgrade::resolve::BeforeUpgrade;
use crate::upgrade::resolve::route::Route;
use crate::upgrade::take::{Take, Taken};

/// A request with the hooks that claim it. The next step is [`upgrade`](Self::upgrade).
pub struct Claim<H: Hooks + ?Sized> {
    hub: Hub,
    hooks: Arc<H>,
    request: UpgradeRequest,
    namespace: Option<Arc<str>>,
    path_is_normal: bool,
    settings: Arc<Settings>,
    before: Option<Arc<dyn BeforeUpgrade>>,
    /// The type of connection that the adapter can pass to an upgrade that takes the stream.
    connection: Option<TypeId>,
    /// The peer's id, if its hook sets none.
    id: Option<PeerId>,
}

impl<H: Hooks + ?Sized> Claim<H> {
    pub(crate) fn new(hub: Hub, mut request: UpgradeRequest, route: Route<H>) -> Self {
        request.set_params(route.params);
        let settings = match route.settings {
            Some(settings) => settings.apply(hub.settings()),
            None => Arc::clone(hub.settings()),
        };
        Self {
            hub,
            hooks: route.hooks,
            request,
            namespace: route.namespace,
            path_is_normal: route.path_is_normal,
            settings,
            before: route.before,
            connection: None,
            id: None,
        }
    }

    /// Sets the peer's id, unless the `upgrade` hook sets one. By default it is random.
    pub fn with_id(mut self, id: PeerId) -> Self {
        self.id = Some(id);
        self
    }

    /// Lets the `upgrade` hook [take](Upgrade::take) the connection, which is a `C` of the
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
    /// [`ClaimError::NotHandled`] returns the request if the hook [passes](Upgrade::pass) it on.
    /// Otherwise the response to refuse with: the hook's own; 403 for a foreign origin; 503 in a
    /// shutdown or when the hub is full of peers, namespaces or topics; 409 for an id in use; 414
    /// for a namespace's name that is too long; 400 for a path that is not UTF-8 when it is
    /// percent-decoded; 500 if the hook panicked, chose a subprotocol that was not offered, or more
    /// topics or tags than a peer may have.
    ///
    /// # Cancel safety
    /// Dropping the future drops the hook; nothing was registered.
    pub async fn upgrade(self) -> Result<Accepted<H>, ClaimError> {
        // Without the query, which may hold a token.
        let is_told = self.hub.is_watched() || tracing::enabled!(tracing::Level::ERROR);
        let path = is_told.then(|| self.request.path().to_owned());
        let remote_addr = self.request.remote_addr();
        let hub = self.hub.clone();
        self.run().await.map_err(|error| match error {
            ClaimError::Rejected(rejection) => {
                let reason = RejectReason::of(&rejection);
                let path = path.as_deref().unwrap_or_default();
                hub.rejected(reason, &rejection, path, remote_addr);
                rejection.into()
            }
            other => other,
        })
    }

    async fn run(self) -> Result<Accepted<H>, ClaimError> {
        let Self {
            hub,
            hooks,
            mut request,
            mut namespace,
            path_is_normal,
            settings,
            before,
            connection,
            id,
        } = self;
        // Counted before the check for a shutdown: either the shutdown waits for this upgrade, or
        // this upgrade sees the shutdown.
        let ongoing = Ongoing::new(&hub);
        if hub.is_shutting_down() {
            return Err(Rejection::unavailable(SHUTTING_DOWN).into());
        }
        // Before the hook, so that a full server does no work for the peers that it refuses.
        if !hub.limits().max_peers.allows(hub.registry().len() + 1) {
            return Err(Rejection::unavailable(TOO_MANY_PEERS).into());
        }
        if !settings.origin.admits(&request) {
            return Err(Origin::refusal(&request).into());
        }
        if namespace.is_none() && !path_is_normal {
            let path = normal_path(request.path()).map_err(|error| {
                Rejection::new(StatusCode::BAD_REQUEST, error.to_string()).with_source(error)
            })?;
            // Most paths are their own normal form, and the namespace may exist already.
            if let Cow::Owned(path) = path {
                namespace = Some(Arc::from(path));
            }
        }
        let hooks_accept = async {
            if let Some(before) = before {
                before.run(&mut request).await?;
            }
            hooks.upgrade(&request).await
        };
        let mut upgrade = catch_panic(hooks_accept)
            .await
            .map_err(|message| Rejection::internal(Error::panic(HookKind::Upgrade, &message)))??;
        if upgrade.is_pass() {
            return Err(ClaimError::NotHandled(Box::new(request)));
        }
        if hub.is_shutting_down() {
            return Err(Rejection::unavailable(SHUTTING_DOWN).into());
        }
        if let Some(take) = &upgrade.take {
            take.check(connection).map_err(Rejection::internal)?;
            if upgrade.expiry != Expiry::Never {
                // A peer is never admitted for longer than asked.
                return Err(Rejection::internal(ExpiryError::Unsupported).into());
            }
        }
        upgrade.id = upgrade.id.or(id);
        Ok(Accepted::new(
            ongoing, hooks, request, namespace, settings, upgrade,
        )?)
    }
}

impl<H: Hooks + ?Sized> fmt::Debug for Claim<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claim({})", self.request.redacted())
    }
}

/// An upgrade that the hooks accepted. The adapter answers the client with
/// [`headers`](Self::headers), then calls [`join`](Self::join). Dropping it leaves no trace.
// A pointer, because it moves from future to future.
pub struct Accepted<H: Hooks + ?Sized>(Box<Settled<H>>);

/// The results of an upgrade.
struct Settled<H: Hooks + ?Sized> {
    ongoing: Ongoing,
    hooks: Arc<H>,
    request: UpgradeRequest,
    id: PeerId,
    namespace: Arc<str>,
    headers: HeaderMap,
    protocol: Option<String>,
    context: ContextCell,
    settings: Arc<Settings>,
    topics: Vec<Arc<str>>,
    identity: Option<Arc<str>>,
    tags: Vec<Arc<str>>,
    deflate: Option<Deflate>,
    expiry: Expiry,
    gives_extensions: bool,
    take: Option<Box<Take>>,
}

impl<H: Hooks + ?Sized> Accepted<H> {
    fn new(
        ongoing: Ongoing,
        hooks: Arc<H>,
        request: UpgradeRequest,
        by_path: Option<Arc<str>>,
        settings: Arc<Settings>,
        upgrade: Upgrade,
    ) -> Result<Self, Rejection> {
        let hub = ongoing.hub();
        let limits = &settings.limits;
        let gives_extensions = !upgrade.extensions.is_empty();
        request.volatile().extend(upgrade.extensions);
        let mut headers = upgrade.headers;
        let protocol = upgrade.protocol.unwrap_or_else(|| {
            let offered = |ours: &&String| request.protocols().any(|offered| offered == **ours);
            settings.protocols.iter().find(offered).cloned()
        });
        if let Some(protocol) = &protocol {
            let value = HeaderValue::try_from(protocol.as_str()).ok();
            let offered = request.protocols().any(|offered| offered == protocol);
            match value {
                Some(value) if offered => {
                    headers.insert(SEC_WEBSOCKET_PROTOCOL, value);
                }
                _ => return Err(Rejection::internal(NotOffered(protocol.clone()))),
            }
        }
        let is_path = upgrade.namespace.is_none();
        let asked = upgrade.namespace.or(by_path);
        let name = asked.as_deref().unwrap_or_else(|| request.path());
        if !limits.max_name_len.allows(name.len()) {
            return Err(NamespaceTooLong {
                is_path,
                len: name.len(),
                most: limits.max_name_len.get(),
            }
            .into_rejection());
        }
        let mut topics = settings.topics.clone();
        topics.extend(upgrade.topics);
        check_topics(&topics, limits).map_err(Rejection::internal)?;
        let identity = upgrade.identity.or_else(|| request.identity());
        check_labels(identity.as_ref(), upgrade.tags.iter(), limits)
            .map_err(Rejection::internal)?;
        let id = upgrade.id.unwrap_or_else(PeerId::random);
        if !hub.registry().has_room_for(name, &topics, hub.limits()) {
            return Err(Rejection::unavailable(TOO_MANY_TOPICS));
        }
        let shared = hub
            .registry()
            .check(id, name, limits)
            .map_err(|error| error.into_rejection(id))?;
        let namespace = shared
            .or_else(|| asked.clone())
            .unwrap_or_else(|| Arc::from(name));
        let deflate = match upgrade.take {
            // The code that takes the stream reads frames without extensions.
            Some(_) => None,
            None => upgrade.deflate.unwrap_or(settings.deflate),
        };
        Ok(Self(Box::new(Settled {
            ongoing,
            hooks,
            request,
            id,
            namespace,
            headers,
            protocol,
            context: upgrade.context,
            settings,
            topics,
            identity,
            tags: upgrade.tags,
            deflate,
            expiry: upgrade.expiry,
            gives_extensions,
            take: upgrade.take,
        })))
    }

    /// Returns the same upgrade, with the type of its hooks erased.
    pub(crate) fn erase(self) -> Accepted<SharedHooks> {
        let settled = *self.0;
        Accepted(Box::new(Settled {
            hooks: Arc::new(SharedHooks::new(settled.hooks)),
            ongoing: settled.ongoing,
            request: settled.request,
            id: settled.id,
            namespace: settled.namespace,
            headers: settled.headers,
            protocol: settled.protocol,
            context: settled.context,
            settings: settled.settings,
            topics: settled.topics,
            identity: settled.identity,
            tags: settled.tags,
            deflate: settled.deflate,
            expiry: settled.expiry,
            gives_extensions: settled.gives_extensions,
            take: settled.take,
        }))
    }

    /// Returns the code that [takes](Upgrade::take) the connection, if the `upgrade` hook set one:
    /// [`Taken::run`] follows the 101, and no peer is created. `None` for an upgrade that becomes a
    /// peer. An adapter that has called [`Claim::with_raw_streams`] must call it.
    pub fn taken<C: 'static>(&mut self) -> Option<Taken<C>> {
        match self.0.take.take()?.for_connection() {
            Ok(run) => {
                let ongoing = Ongoing::new(self.0.ongoing.hub());
                Some(Taken::new(run, self.0.request.path(), ongoing))
            }
            Err(take) => {
                self.0.take = Some(take);
                None
            }
        }
    }

    /// Returns the headers for the 101, including the chosen subprotocol.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// Returns the id that the peer will have.
    pub fn id(&self) -> PeerId {
        self.0.id
    }

    /// Returns the peer's future state, to be admitted where the peer will live: see
    /// [`Hub::admit`]. `now` is the time of the wall clock: an expiry relative to it becomes
    /// absolute.
    ///
    /// # Errors
    /// If the context does not convert to JSON.
    pub fn snapshot(&self, now: SystemTime) -> Result<Snapshot, PersistError> {
        let mut snapshot = Snapshot::new(self.0.id, &self.0.namespace, &self.0.request, |_| true);
        snapshot.set_route(&self.0.settings, self.hub().settings());
        snapshot.protocol.clone_from(&self.0.protocol);
        snapshot.context = self.0.context.to_stored()?;
        snapshot.expires = self.0.expiry.moment(now).millis();
        snapshot.topics = self
            .0
            .topics
            .iter()
            .map(|topic| (**topic).to_owned())
            .collect();
        let owned = |name: &Arc<str>| (**name).to_owned();
        snapshot.identity = self.0.identity.as_ref().map(owned);
        snapshot.tags = self.0.tags.iter().map(owned).collect();
        Ok(snapshot)
    }

    /// Returns the volatile values that the peer will have; a snapshot does not contain them.
    pub fn extensions(&self) -> &Extensions {
        self.0.request.volatile()
    }

    /// Returns whether the `upgrade` hook gave the peer volatile values, which a snapshot loses.
    /// Values that layers have attached do not count: the layers attach them again where the peer
    /// will live.
    pub fn gives_extensions(&self) -> bool {
        self.0.gives_extensions
    }

    /// Returns how messages are compressed if the client offers it; `None` if compression is off.
    pub fn deflate(&self) -> Option<&Deflate> {
        self.0.deflate.as_ref()
    }

    /// Returns the hub that the peer will join.
    pub fn hub(&self) -> &Hub {
        self.0.ongoing.hub()
    }

    /// Returns the settings of the connection: the route's, over the hub's.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.0.settings
    }

    /// Creates the peer. It is listed and can be sent to from here on; no hook has run.
    ///
    /// # Errors
    /// If the id is now in use, the hub is full of peers or topics, or a shutdown has begun since
    /// the upgrade was accepted; if the credentials have ended, or the transport cannot keep the
    /// time of their end. A server that has already answered 101 closes with the frame.
    pub fn join(self, transport: impl Transport) -> Result<OpeningPeer<H>, CloseFrame> {
        let accepted = *self.0;
        let ongoing = accepted.ongoing;
        let hub = ongoing.hub().clone();
        if let Some(take) = accepted.take {
            tracing::error!(
                ?take,
                "an adapter has not given away the stream that it offered"
            );
            return Err(CloseFrame::new(CloseCode::ERROR, "internal error"));
        }
        if accepted.expiry != Expiry::Never
            && !transport.capabilities().contains(Capabilities::EXPIRY)
        {
            // A peer is never admitted for longer than asked.
            tracing::error!(peer = %accepted.id, "credentials that expire, on a transport that keeps no time");
            return Err(CloseFrame::new(CloseCode::ERROR, "internal error"));
        }
        let deflate = accepted.deflate.as_ref();
        accepted
            .settings
            .check(deflate, accepted.id, transport.capabilities())?;
        let mut expiry = Moment::NEVER;
        // Most peers have no expiry, and need no clock.
        if accepted.expiry != Expiry::Never {
            let now = transport.now();
            expiry = accepted.expiry.moment(now);
            if expiry.is_past(now) {
                return Err(credentials_expired());
            }
        }
        let peer = Peer::new(Inner {
            id: accepted.id,
            namespace: accepted.namespace,
            request: accepted.request,
            context: accepted.context,
            expiry: MomentCell::new(expiry),
            settings: Arc::clone(&accepted.settings),
            rare: RareCell::new(accepted.protocol),
            sleepers: Sleepers::default(),
            transport: Box::new(transport),
            hub: hub.clone(),
            inbox: Inbox::default(),
            subscriptions: Subscriptions::default(),
            life: Life::default(),
        });
        let membership = Membership::begin(peer, ongoing, &accepted.settings.limits)?;
        for topic in accepted.topics {
            match membership.peer.subscribe(&topic) {
                Ok(_) | Err(SubscribeError::Closed) => {}
                // Other peers have taken the room since the upgrade was accepted.
                Err(SubscribeError::HubFull(_)) => {
                    return Err(CloseFrame::new(CloseCode::TRY_AGAIN, TOO_MANY_TOPICS));
                }
                // The other limits were checked with the upgrade; a transport may have no topics.
                Err(error) => tracing::error!(%error, %topic, "a topic from the upgrade hook"),
            }
        }
        let (peer, limits) = (&membership.peer, &accepted.settings.limits);
        match peer.label(accepted.identity, accepted.tags, limits) {
            Ok(()) | Err(LabelError::Closed) => {}
            // Checked with the upgrade.
            Err(error) => tracing::error!(%error, "a label from the upgrade hook"),
        }
        membership.peer.persist().map_err(|error| {
            tracing::error!(peer = %membership.peer, %error, "closing a peer at once");
            CloseFrame::new(CloseCode::ERROR, "internal error")
        })?;
        watch::connected(&membership.peer);
        Ok(OpeningPeer::new(accepted.hooks, membership))
    }
}

impl<H: Hooks + ?Sized> fmt::Debug for Accepted<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Accepted({})", self.0.id)
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "a namespace's name has {len} bytes, at most {most} are allowed (`Limits::max_name_len`): where paths are \
     longer, name the namespace with `Upgrade::namespace`"
)]
struct NamespaceTooLong {
    is_path: bool,
    len: usize,
    most: usize,
}

impl NamespaceTooLong {
    fn into_rejection(self) -> Rejection {
        let what = match self.is_path {
            true => "the path",
            false => "the namespace's name",
        };
        let Self { len, most, .. } = self;
        let body = format!("{what} is too long: {len} bytes, at most {most} are allowed");
        Rejection::new(StatusCode::URI_TOO_LONG, body).with_source(self)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the upgrade hook chose the subprotocol `{0}`, which the client did not offer")]
struct NotOffered(String);

/// Checks that a peer may be subscribed to all of these.
pub(crate) fn check_topics(topics: &[Arc<str>], limits: &Limits) -> Result<(), SubscribeError> {
    if topics.is_empty() {
        return Ok(());
    }
    for topic in topics {
        limits.check_name(topic)?;
    }
    let distinct: HashSet<_> = topics.iter().collect();
    if limits.max_topics.allows(distinct.len()) {
        Ok(())
    } else {
        Err(SubscribeError::TooMany(limits.max_topics.get()))
    }
}

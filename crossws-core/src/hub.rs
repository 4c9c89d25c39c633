use std::fmt;
use std::sync::Arc;

use http::HeaderName;

use crate::adapter::{Claim, RestoreError, RestoredPeer, Snapshot, Transport};
use crate::budget::Budget;
use crate::catch::catch_panic;
use crate::claim::check_topics;
use crate::context::ContextCell;
use crate::expiry::{Moment, MomentCell};
use crate::life::{End, Life};
use crate::membership::{Membership, Ongoing, SHUTTING_DOWN, TOO_MANY_TOPICS};
use crate::peer::{self, Protocol, SettingsCell};
use crate::publication::Publication;
use crate::registry::{self, Registry};
use crate::setters::settings_setters;
use crate::subscriptions::Subscriptions;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Event, Mutex};
use crate::tasks::Inbox;
use crate::{
    Capabilities, CloseFrame, Error, ExpiryError, Extensions, HookKind, Limit, Limits, Peer,
    PeerId, Published, Rejection, Resolution, Resolve, Scope, Settings, SubscribeError, Topics,
    UpgradeRequest,
};

/// Everything that is connected to one server: peers, namespaces, topics. A cheap handle that
/// HTTP handlers, timers and other tasks publish through.
///
/// ```
/// # use crossws_core::Hub;
/// async fn announce(hub: Hub, text: String) {
///     let told = hub.in_namespace("/rooms/lobby").publish("news", text);
///     println!("{told:?}");
/// }
/// ```
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    registry: Registry,
    settings: Arc<Settings>,
    kept_headers: Vec<HeaderName>,
    /// With what everyone is closed, once a shutdown has begun.
    shutdown: Mutex<Option<CloseFrame>>,
    sessions: AtomicUsize,
    idle: Event,
    extensions: Extensions,
    /// What all connections hold of [`Limits::max_unfinished`].
    unfinished: Budget,
    accepted: AtomicU64,
    published: AtomicU64,
    queued: AtomicU64,
    dropped: AtomicU64,
}

/// Counters of a hub since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Peers connected now.
    pub peers: usize,
    /// Connections with a hook still to end, upgrades in progress included.
    pub sessions: usize,
    /// Bytes that connections hold of what is unfinished: see
    /// [`Limits::max_unfinished`](field@Limits::max_unfinished).
    pub unfinished: usize,
    /// Connections ever opened.
    pub accepted: u64,
    /// Publications, from peers and from outside.
    pub published: u64,
    /// Copies of publications that a subscriber's queue took.
    pub queued: u64,
    /// Messages that full queues discarded because of a publication.
    pub dropped: u64,
}

/// What a [`Hub`] is made with.
#[derive(Debug, Clone, Default)]
#[must_use = "a builder makes nothing until `build`"]
pub struct HubBuilder {
    settings: Settings,
    kept_headers: Vec<HeaderName>,
}

impl HubBuilder {
    /// What holds for every connection whose route does not say otherwise. Replaces what was set
    /// before.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    settings_setters!(settings);

    /// Keeps these headers of a request, besides those that were named before: a peer still has them
    /// when it was restored, and drops them last where
    /// [`Limits::max_kept_head`](field@Limits::max_kept_head) has no room for all. None by default:
    /// they count against what a hibernating transport has room for.
    pub fn keep_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.kept_headers.extend(names);
        self
    }

    /// The headers that are [kept](Self::keep_headers).
    pub fn kept_headers(&self) -> &[HeaderName] {
        &self.kept_headers
    }

    /// The hub.
    pub fn build(self) -> Hub {
        Hub(Arc::new(Inner {
            registry: Registry::default(),
            settings: Arc::new(self.settings),
            kept_headers: self.kept_headers,
            shutdown: Mutex::new(None),
            sessions: AtomicUsize::new(0),
            idle: Event::new(),
            extensions: Extensions::default(),
            unfinished: Budget::default(),
            accepted: AtomicU64::new(0),
            published: AtomicU64::new(0),
            queued: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }))
    }
}

/// A hub with default limits and the same-origin policy.
impl Default for Hub {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl Hub {
    /// A builder for limits and the origin policy.
    pub fn builder() -> HubBuilder {
        HubBuilder::default()
    }

    /// What holds where a route does not say otherwise. Of a connection, ask
    /// [`Peer::settings`].
    pub fn settings(&self) -> &Arc<Settings> {
        &self.0.settings
    }

    /// The limits among the [`settings`](Self::settings).
    pub fn limits(&self) -> &Limits {
        &self.0.settings.limits
    }

    /// Which of a request's headers a restored peer still has.
    pub fn kept_headers(&self) -> &[HeaderName] {
        &self.0.kept_headers
    }

    /// Values of the whole application, one per type: what its parts share besides peers.
    pub fn extensions(&self) -> &Extensions {
        &self.0.extensions
    }

    pub(crate) fn unfinished(&self) -> &Budget {
        &self.0.unfinished
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// Asks the resolver for this request's hooks: the first step of an upgrade.
    ///
    /// # Errors
    /// [`ClaimError::NotHandled`] gives the request back when it is not for any hooks;
    /// [`ClaimError::Rejected`] refuses it, as the resolver says or because it panicked.
    ///
    /// # Cancel safety
    /// Nothing has happened if the future is dropped.
    pub async fn claim<R: Resolve + ?Sized>(
        &self,
        resolver: &Arc<R>,
        mut request: UpgradeRequest,
    ) -> Result<Claim<R::Hooks>, ClaimError> {
        match catch_panic(async { resolver.resolve(&mut request).await }).await {
            Ok(Resolution::Route(route)) => Ok(Claim::new(self.clone(), request, route)),
            Ok(Resolution::Pass) => Err(ClaimError::NotHandled(Box::new(request))),
            Ok(Resolution::Reject(rejection)) => {
                rejection.log(request.path());
                Err(ClaimError::Rejected(rejection))
            }
            Err(message) => {
                let error = Error::panic(HookKind::Resolve, &message);
                tracing::error!(%error, "refusing an upgrade");
                Err(ClaimError::Rejected(Rejection::internal(error)))
            }
        }
    }

    /// Makes the peer of an upgrade that was accepted elsewhere: see [`Accepted::snapshot`].
    ///
    /// # Errors
    /// The response to refuse with: 409 for an id in use, 503 when the hub is full or shuts down,
    /// 500 when the transport cannot store the peer, or not say when its credentials end.
    ///
    /// [`Accepted::snapshot`]: crate::adapter::Accepted::snapshot
    pub fn admit(
        &self,
        snapshot: &Snapshot,
        transport: impl Transport,
    ) -> Result<RestoredPeer, Rejection> {
        let topics = snapshot.topics_shared();
        check_topics(&topics, self.limits()).map_err(Rejection::internal)?;
        if snapshot.expires.is_some() && !transport.capabilities().contains(Capabilities::EXPIRY) {
            // Never let in for longer than asked.
            return Err(Rejection::internal(ExpiryError::Unsupported));
        }
        let peer = self.peer_of(snapshot, transport);
        let peer = peer.map_err(Rejection::internal)?;
        self.registry()
            .check(peer.id(), peer.namespace(), self.limits())
            .map_err(|error| error.into_rejection(peer.id()))?;
        // The check above has given every reason but a shutdown a response of its own.
        let membership =
            Membership::begin(peer, Ongoing::new(self), self.limits()).map_err(|frame| {
                Rejection::unavailable(SHUTTING_DOWN).with_source(frame.reason().to_string())
            })?;
        for topic in &topics {
            self.registry()
                .subscribe(&membership.peer, topic, self.limits())
                .map_err(|error| match error {
                    SubscribeError::HubFull(_) => Rejection::unavailable(TOO_MANY_TOPICS),
                    other => Rejection::internal(other),
                })?;
        }
        membership.peer.persist().map_err(Rejection::internal)?;
        self.count_accepted();
        Ok(RestoredPeer::new(membership))
    }

    /// Brings back a peer that was open when the memory was lost: it is listed and subscribed
    /// again as its transport has stored it. Limits are not checked again, nothing is stored, and
    /// no hook runs.
    ///
    /// # Errors
    /// When the snapshot's request is none, or its id is in use.
    pub fn restore(
        &self,
        snapshot: &Snapshot,
        transport: impl Transport,
    ) -> Result<RestoredPeer, RestoreError> {
        let limits = Limits::default()
            .max_peers(Limit::Unlimited)
            .max_namespaces(Limit::Unlimited)
            .max_topics(Limit::Unlimited)
            .max_hub_topics(Limit::Unlimited)
            .max_name_len(Limit::Unlimited);
        let peer = self.peer_of(snapshot, transport)?;
        let membership = Membership::begin(peer, Ongoing::new(self), &limits)
            .map_err(|frame| RestoreError::new(frame.reason().to_string()))?;
        for topic in snapshot.topics_shared() {
            self.registry()
                .subscribe(&membership.peer, &topic, &limits)
                .map_err(RestoreError::new)?;
        }
        Ok(RestoredPeer::new(membership))
    }

    fn peer_of(
        &self,
        snapshot: &Snapshot,
        transport: impl Transport,
    ) -> Result<Peer, RestoreError> {
        // Its limits hold at once. What the route says beyond them is known when it has been asked
        // for the hooks.
        let settings = snapshot.settings(self.settings());
        Ok(Peer::new(peer::Inner {
            id: snapshot.id,
            namespace: Arc::from(snapshot.namespace()),
            request: snapshot.request()?,
            protocol: Protocol::new(snapshot.protocol.clone()),
            context: ContextCell::stored(snapshot.context.clone()),
            expiry: MomentCell::new(Moment::from_millis(snapshot.expires)),
            settings: SettingsCell::new(settings, self),
            transport: Box::new(transport),
            hub: self.clone(),
            inbox: Inbox::default(),
            subscriptions: Subscriptions::default(),
            life: Life::default(),
        }))
    }

    /// Topics and peers of one namespace.
    pub fn in_namespace<'a>(&'a self, namespace: &'a str) -> Scope<'a> {
        Scope::new(self, Some(namespace))
    }

    /// Topics and peers of every namespace: said explicitly, because namespaces isolate.
    pub fn in_all_namespaces(&self) -> Scope<'_> {
        Scope::new(self, None)
    }

    /// One peer by its id.
    pub fn peer(&self, id: PeerId) -> Option<Peer> {
        self.registry().peer(id)
    }

    /// Every peer, namespace by namespace.
    pub fn peers(&self) -> Vec<Peer> {
        self.registry().peers(None)
    }

    /// The namespaces with peers in them, sorted by name.
    pub fn namespaces(&self) -> Vec<Arc<str>> {
        self.registry().namespaces()
    }

    /// The counters now.
    pub fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            peers: self.registry().len(),
            sessions: self.0.sessions.load(Ordering::Acquire),
            unfinished: self.0.unfinished.used(),
            accepted: read(&self.0.accepted),
            published: read(&self.0.published),
            queued: read(&self.0.queued),
            dropped: read(&self.0.dropped),
        }
    }

    /// Begins a shutdown: upgrades are refused with 503 from here on, and every peer is closed
    /// with `frame`. Await [`idle`](Self::idle) for the last `close` hook. Of several calls, the
    /// first one's frame stands. A hub that two servers share stops for both.
    pub fn shutdown(&self, frame: CloseFrame) {
        let frame = self.0.shutdown.lock().get_or_insert(frame).clone();
        Peer::close_all(self.peers(), &frame, End::Shutdown);
    }

    /// Whether a shutdown has begun.
    pub fn is_shutting_down(&self) -> bool {
        self.0.shutdown.lock().is_some()
    }

    pub(crate) fn shutdown_frame(&self) -> Option<CloseFrame> {
        self.0.shutdown.lock().clone()
    }

    /// Waits until no connection has a hook left to run.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn idle(&self) {
        loop {
            let listener = self.0.idle.listen();
            if self.0.sessions.load(Ordering::SeqCst) == 0 {
                return;
            }
            listener.await;
        }
    }

    pub(crate) fn session_begins(&self) {
        self.0.sessions.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn count_accepted(&self) {
        self.0.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn session_ends(&self) {
        if self.0.sessions.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.idle.notify_all();
        }
    }

    pub(crate) fn deliver(
        &self,
        namespace: Option<&str>,
        topic: Option<&str>,
        except: Option<&Peer>,
        publication: &Publication,
    ) -> Published {
        let published = self
            .registry()
            .publish(namespace, topic, except, publication);
        self.count_published(published)
    }

    /// As [`deliver`](Self::deliver), to the peers that are named and without those that are.
    pub(crate) fn deliver_to_each(
        &self,
        namespace: Option<&str>,
        to: (registry::To<'_, '_>, &Topics<'_>),
        except: Option<&Peer>,
        publication: &Publication,
    ) -> Published {
        let published = self
            .registry()
            .publish_to_each(namespace, to, except, publication);
        self.count_published(published)
    }

    fn count_published(&self, published: Published) -> Published {
        self.0.published.fetch_add(1, Ordering::Relaxed);
        self.0
            .queued
            .fetch_add(published.queued as u64, Ordering::Relaxed);
        self.0
            .dropped
            .fetch_add(published.dropped, Ordering::Relaxed);
        published
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// Why a request got no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// No hooks claim it: here it is back, untouched.
    #[error("no hooks claim `{}`", .0.path())]
    NotHandled(Box<UpgradeRequest>),
    /// It is refused with this response.
    #[error(transparent)]
    Rejected(#[from] Rejection),
}

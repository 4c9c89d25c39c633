pub(crate) mod behind;
pub(crate) mod budget;
pub(crate) mod builder;
pub(crate) mod capabilities;
pub(crate) mod deflate;
pub(crate) mod group;
pub(crate) mod labels;
pub(crate) mod limits;
pub(crate) mod refused;
pub(crate) mod roster;
pub(crate) mod route_members;
pub(crate) mod scope;
pub(crate) mod setters;
pub(crate) mod settings;
pub(crate) mod shutdown;
pub(crate) mod start;
pub(crate) mod stats;
pub(crate) mod topic_overflow;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderName, StatusCode};

use crate::adapter::{
    Background, Claim, HttpService, RestoreError, RestoredPeer, Snapshot, Transport,
};
use crate::bounds::MaybeSend;
use crate::error::{Error, HookKind, SubscribeError};
use crate::hooks::catch::catch_panic;
use crate::hub::budget::Budget;
use crate::hub::builder::HubBuilder;
use crate::hub::capabilities::Capabilities;
use crate::hub::group::{Group, GroupOf, Rosters};
use crate::hub::labels::check_labels;
use crate::hub::limits::{Limit, Limits};
use crate::hub::scope::Scope;
use crate::hub::settings::Settings;
use crate::hub::stats::{Counts, Stats};
use crate::hub::topic_overflow::TopicOverflows;
use crate::message::close::CloseFrame;
use crate::observe::{Audience, RejectReason, Watch, watch};
use crate::peer;
use crate::peer::Peer;
use crate::peer::context::ContextCell;
use crate::peer::expiry::{ExpiryError, Moment, MomentCell};
use crate::peer::extensions::Extensions;
use crate::peer::id::PeerId;
use crate::peer::life::{End, Life};
use crate::peer::membership::{Membership, Ongoing, SHUTTING_DOWN, TOO_MANY_TOPICS};
use crate::peer::rare::RareCell;
use crate::peer::sleep::Sleepers;
use crate::peer::subscriptions::Subscriptions;
use crate::peer::tasks::Inbox;
use crate::peer::timers::Timers;
use crate::pubsub::filter::Filter;
use crate::pubsub::publication::Publication;
use crate::pubsub::published::Published;
use crate::pubsub::registry::{self, Registry};
use crate::pubsub::to::Topics;
use crate::pubsub::topic::TopicKind;
use crate::service::api::{Api, ServiceRef};
use crate::session::claim::check_topics;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Event, Mutex};
use crate::upgrade::rejection::Rejection;
use crate::upgrade::request::UpgradeRequest;
use crate::upgrade::resolve::{Resolution, Resolve};

/// The registry of one application's peers, namespaces and topics. A cheap handle that HTTP
/// handlers, timers and other tasks publish through.
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
    partial: bool,
    lacks: Capabilities,
    topic_overflows: TopicOverflows,
    /// The frame that closes every peer, once a shutdown has begun.
    shutdown: Mutex<Option<CloseFrame>>,
    turns_away: AtomicBool,
    sessions: AtomicUsize,
    /// How many hooks wait for the end of a shutdown, which therefore does not wait for them.
    waiting: AtomicUsize,
    flushed: AtomicUsize,
    idle: Event,
    /// A shutdown has begun.
    stops: Event,
    extensions: Extensions,
    http: Mutex<Option<ServiceRef>>,
    background: Mutex<Option<Arc<dyn Background>>>,
    /// The sum of all connections' shares of [`Limits::max_unfinished`].
    unfinished: Budget,
    counts: Counts,
    /// The observers and counters. Boxed, because most hubs have none.
    watch: Option<Box<Watch>>,
}

/// A hub with default limits and the same-origin policy.
impl Default for Hub {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl Hub {
    /// Creates a builder for limits and the origin policy.
    ///
    /// ```
    /// # use crossws_core::*;
    /// let hub = Hub::builder()
    ///     .limits(Limits::default().max_peers(10_000))
    ///     .origin(Origin::listed(["https://app.example"]))
    ///     .build();
    /// assert_eq!(hub.limits().max_peers, Limit::At(10_000));
    /// ```
    pub fn builder() -> HubBuilder {
        HubBuilder::default()
    }

    /// Returns the settings of connections whose route has none of its own. For one connection, use
    /// [`Peer::settings`].
    pub fn settings(&self) -> &Arc<Settings> {
        &self.0.settings
    }

    /// Returns the limits among the [`settings`](Self::settings).
    pub fn limits(&self) -> &Limits {
        &self.0.settings.limits
    }

    /// Returns the names of the headers that a restored peer still has.
    pub fn kept_headers(&self) -> &[HeaderName] {
        &self.0.kept_headers
    }

    /// Returns whether connections of this hub may have these capabilities, before there is a
    /// connection: `false` if the adapter has declared that no connection has all of them. For one
    /// connection, use [`Peer::capabilities`].
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// assert!(hub.supports(Capabilities::PUBSUB));
    /// ```
    pub fn supports(&self, capabilities: Capabilities) -> bool {
        !self.0.lacks.intersects(capabilities)
    }

    /// Returns the values of the whole application, one per type, which its parts share besides
    /// peers.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// hub.extensions().insert("shared by all hooks".to_owned());
    /// ```
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
    /// [`ClaimError::NotHandled`] returns the request if no hooks claim it.
    /// [`ClaimError::Rejected`] refuses it, because the resolver does or panicked, and with 414 if
    /// its target is longer than [`Limits::max_target`](field@Limits::max_target).
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the hub.
    pub async fn claim<R: Resolve + ?Sized>(
        &self,
        resolver: &Arc<R>,
        mut request: UpgradeRequest,
    ) -> Result<Claim<R::Hooks>, ClaimError> {
        let len = request.target_len();
        if !self.limits().max_target.allows(len) {
            let most = self.limits().max_target.get();
            let body = format!(
                "the path and the query are too long: {len} bytes, at most {most} are allowed"
            );
            let rejection = Rejection::new(StatusCode::URI_TOO_LONG, body);
            return Err(self.refuse(rejection, &request).into());
        }
        match catch_panic(async { resolver.resolve(&mut request).await }).await {
            Ok(Resolution::Route(route)) => Ok(Claim::new(self.clone(), request, route)),
            Ok(Resolution::Pass) => Err(ClaimError::NotHandled(Box::new(request))),
            Ok(Resolution::Reject(rejection)) => Err(self.refuse(rejection, &request).into()),
            Err(message) => {
                let error = Error::panic(HookKind::Resolve, &message);
                let rejection = Rejection::internal(error);
                Err(self.refuse(rejection, &request).into())
            }
        }
    }

    /// Logs, counts and reports a refusal.
    fn refuse(&self, rejection: Rejection, request: &UpgradeRequest) -> Rejection {
        let reason = RejectReason::of(&rejection);
        self.rejected(reason, &rejection, request.path(), request.remote_addr());
        rejection
    }

    /// Logs, counts and reports a refusal of an adapter's own, of a request that never reached a
    /// [claim](Self::claim). `path` has no query, and is empty if there is none.
    pub fn rejected(
        &self,
        reason: RejectReason,
        rejection: &Rejection,
        path: &str,
        remote_addr: Option<SocketAddr>,
    ) {
        self.0.counts.refused.count(reason);
        watch::rejected(self, reason, rejection, (path, remote_addr));
    }

    /// Refuses a request with 503 whose claim or upgrade has taken longer than its
    /// [deadline](Claim::deadline), which an adapter keeps.
    pub fn upgrade_timed_out(&self) -> Rejection {
        let rejection = Rejection::unavailable("the upgrade took too long")
            .with_source("the upgrade took longer than `Limits::upgrade_timeout`");
        self.rejected(RejectReason::Unavailable, &rejection, "", None);
        rejection
    }

    /// Returns the observers and counters.
    #[inline]
    pub(crate) fn watch(&self) -> Option<&Watch> {
        self.0.watch.as_deref()
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// Creates the peer of an upgrade that was accepted elsewhere: see [`Accepted::snapshot`].
    ///
    /// # Errors
    /// The response to refuse with: 409 for an id in use, 503 when the hub is full or shuts down,
    /// 500 if the transport cannot store the peer, or cannot keep the time of its credentials' end.
    ///
    /// [`Accepted::snapshot`]: crate::adapter::Accepted::snapshot
    pub fn admit(
        &self,
        snapshot: &Snapshot,
        transport: impl Transport,
    ) -> Result<RestoredPeer, Rejection> {
        let topics = snapshot.topics_shared();
        check_topics(&topics, self.limits()).map_err(Rejection::internal)?;
        let (identity, tags) = snapshot.labels();
        check_labels(identity.as_ref(), tags.iter(), self.limits()).map_err(Rejection::internal)?;
        if snapshot.expires.is_some() && !transport.capabilities().contains(Capabilities::EXPIRY) {
            // A peer is never admitted for longer than asked.
            return Err(Rejection::internal(ExpiryError::Unsupported));
        }
        let peer = self.peer_of(snapshot, transport);
        let peer = peer.map_err(Rejection::internal)?;
        self.registry()
            .check(peer.id(), peer.namespace(), self.limits())
            .map_err(|error| error.into_rejection(peer.id()))?;
        // The check above has handled every reason except a shutdown.
        let membership =
            Membership::begin(peer, Ongoing::new(self), self.limits()).map_err(|frame| {
                Rejection::unavailable(SHUTTING_DOWN).with_source(frame.reason().to_string())
            })?;
        for topic in &topics {
            self.registry()
                .subscribe(&membership.peer, TopicKind::Topic, topic, self.limits())
                .map_err(|error| match error {
                    SubscribeError::HubFull(_) => Rejection::unavailable(TOO_MANY_TOPICS),
                    other => Rejection::internal(other),
                })?;
        }
        membership
            .peer
            .label(identity, tags, self.limits())
            .map_err(Rejection::internal)?;
        membership.peer.persist().map_err(Rejection::internal)?;
        watch::connected(&membership.peer);
        Ok(RestoredPeer::new(membership))
    }

    /// Restores a peer that was open when its memory was lost. It is listed and subscribed again as
    /// its transport has stored it. Limits are not checked again, nothing is stored, and no hook
    /// runs.
    ///
    /// # Errors
    /// If the snapshot's request is invalid, or its id is in use.
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
            .max_tags(Limit::Unlimited)
            .max_patterns(Limit::Unlimited)
            .max_name_len(Limit::Unlimited);
        let peer = self.peer_of(snapshot, transport)?;
        let membership = Membership::begin(peer, Ongoing::new(self), &limits)
            .map_err(|frame| RestoreError::new(frame.reason().to_string()))?;
        for topic in snapshot.topics_shared() {
            self.registry()
                .subscribe(&membership.peer, TopicKind::Topic, &topic, &limits)
                .map_err(RestoreError::new)?;
        }
        for pattern in &snapshot.patterns {
            self.registry()
                .subscribe(&membership.peer, TopicKind::Pattern, pattern, &limits)
                .map_err(RestoreError::new)?;
        }
        let (identity, tags) = snapshot.labels();
        membership
            .peer
            .label(identity, tags, &limits)
            .map_err(RestoreError::new)?;
        watch::restored(&membership.peer);
        Ok(RestoredPeer::new(membership))
    }

    fn peer_of(
        &self,
        snapshot: &Snapshot,
        transport: impl Transport,
    ) -> Result<Peer, RestoreError> {
        // The snapshot's limits hold at once. The route's further settings are known once the
        // resolver has returned it.
        let settings = snapshot.settings(self.settings());
        Ok(Peer::new(peer::Inner {
            id: snapshot.id,
            namespace: Arc::from(snapshot.namespace()),
            request: snapshot.request()?,
            context: ContextCell::stored(snapshot.context.clone()),
            expiry: MomentCell::new(Moment::from_millis(snapshot.expires)),
            sleepers: Sleepers::restored(Timers::from_stored(&snapshot.timers)),
            settings,
            rare: RareCell::new(snapshot.protocol.clone()),
            transport: Box::new(transport),
            hub: self.clone(),
            inbox: Inbox::default(),
            subscriptions: Subscriptions::default(),
            life: Life::default(),
        }))
    }

    /// Returns the topics and peers of one namespace.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// let lobby = hub.in_namespace("/rooms/lobby");
    /// lobby.publish("news", "hello")?;
    /// assert_eq!(lobby.peer_count(), 0);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn in_namespace<'a>(&'a self, namespace: &'a str) -> Scope<'a> {
        Scope::new(self, Some(namespace))
    }

    /// Returns the topics and peers of all namespaces. Namespaces isolate, so crossing them is
    /// explicit.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// hub.in_all_namespaces().broadcast("maintenance at 18:00")?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn in_all_namespaces(&self) -> Scope<'_> {
        Scope::new(self, None)
    }

    /// Returns the connections of a route, whatever their parameters and namespaces.
    ///
    /// With a leading slash it is the route's whole pattern, spelled in any of the three ways:
    /// `/rooms/{id}`, `/rooms/[id]`, `/rooms/:id`. Without, it is the route's name. The default
    /// name is the pattern without its leading slash; `""` is the root. A route file's name is its
    /// path below the folder, whatever the base: `rooms/[id]`.
    ///
    /// ```
    /// # use crossws_core::{Hub, PublishError};
    /// fn announce(hub: &Hub) -> Result<usize, PublishError> {
    ///     Ok(hub.route("chat").send("maintenance at 18:00")?.queued)
    /// }
    /// # assert_eq!(announce(&Hub::default()).unwrap(), 0);
    /// ```
    ///
    /// An unknown route is a group without connections. Hooks that are served without routes have
    /// none.
    pub fn route<'a>(&'a self, route: &'a str) -> Group<'a> {
        Group::new(self, GroupOf::Route, route)
    }

    /// Returns the connections of one [identity](crate::Upgrade::identity), such as a user's tabs
    /// and devices, in all namespaces. An unknown identity is a group without connections.
    ///
    /// ```
    /// # use crossws_core::{Hub, Json, PublishError};
    /// fn notify(hub: &Hub, user: &str, text: &str) -> Result<usize, PublishError> {
    ///     Ok(hub.identity(user).send(Json(text))?.queued)
    /// }
    /// # assert_eq!(notify(&Hub::default(), "ann", "hi").unwrap(), 0);
    /// ```
    pub fn identity<'a>(&'a self, identity: &'a str) -> Group<'a> {
        Group::new(self, GroupOf::Identity, identity)
    }

    /// Returns the connections with a [tag](crate::Upgrade::tag), in all namespaces.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// let reached = hub.tagged("beta").send("try the new editor")?.queued;
    /// assert_eq!(reached, 0);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn tagged<'a>(&'a self, tag: &'a str) -> Group<'a> {
        Group::new(self, GroupOf::Tag, tag)
    }

    #[inline]
    pub(crate) fn topic_overflows(&self) -> &TopicOverflows {
        &self.0.topic_overflows
    }

    pub(crate) fn is_partial(&self) -> bool {
        self.0.partial
    }

    /// Returns the application's own HTTP service, for hooks and tasks: see [`Api`].
    pub fn api(&self) -> Api {
        let service = self.0.http.lock().as_ref().and_then(ServiceRef::get);
        Api::new(service, self.clone())
    }

    /// Lends a server's HTTP service to the hub, which [`api`](Self::api) calls while the server
    /// holds it: a service may hold the hub. If several servers lend theirs, the last one counts.
    pub fn lend_http(&self, service: &Arc<dyn HttpService>) {
        let lent = ServiceRef::Lent(Arc::downgrade(service));
        let old = self.0.http.lock().replace(lent);
        // Dropped without the lock: it may be the last handle.
        drop(old);
    }

    /// Lends an adapter's time and tasks to the hub. If several adapters lend theirs, the last one
    /// counts.
    pub fn lend_background(&self, background: Arc<dyn Background>) {
        let old = self.0.background.lock().replace(background);
        // Dropped without the lock: the adapter's code runs then.
        drop(old);
    }

    /// Returns the time and the tasks of the adapter that serves this hub. `None` until one does.
    pub fn background(&self) -> Option<Arc<dyn Background>> {
        self.0.background.lock().clone()
    }

    /// Returns one peer by its id.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// assert!(hub.peer(PeerId::random()).is_none());
    /// ```
    pub fn peer(&self, id: PeerId) -> Option<Peer> {
        self.registry().peer(id)
    }

    /// Returns every peer, namespace by namespace.
    pub fn peers(&self) -> Vec<Peer> {
        self.registry().peers(None)
    }

    /// Returns the namespaces with peers in them, sorted by name.
    pub fn namespaces(&self) -> Vec<Arc<str>> {
        self.registry().namespaces()
    }

    /// Returns the current counters.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// let stats = hub.stats();
    /// println!("{} peers, {} of {} connections left", stats.peers, stats.closed.total(), stats.accepted);
    /// ```
    pub fn stats(&self) -> Stats {
        Stats {
            peers: self.registry().len(),
            sessions: self.0.sessions.load(Ordering::Acquire),
            unfinished: self.0.unfinished.used(),
            traffic: self.watch().map(Watch::traffic),
            ..self.0.counts.now()
        }
    }

    /// Begins a shutdown: upgrades are refused with 503 from here on, and every peer is closed with
    /// `frame`. Await [`idle`](Self::idle) for the last `close` hook. If it is called several
    /// times, the first frame counts. A hub that two servers share stops for both.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// hub.shutdown(CloseCode::RESTART.into());
    /// assert!(hub.is_shutting_down() && !hub.is_ready());
    /// ```
    pub fn shutdown(&self, frame: CloseFrame) {
        let frame = self.refuse_upgrades(frame);
        self.close_for_shutdown(&frame);
    }

    pub(crate) fn close_for_shutdown(&self, frame: &CloseFrame) {
        Peer::close_all(self.peers(), frame, End::Shutdown);
    }

    /// Refuses upgrades from here on. Returns the frame that closes every peer.
    pub(crate) fn refuse_upgrades(&self, frame: CloseFrame) -> CloseFrame {
        self.turn_away();
        let frame = self.0.shutdown.lock().get_or_insert(frame).clone();
        self.0.stops.notify_all();
        frame
    }

    /// Returns whether a load balancer should send new clients here: for a readiness check. False
    /// from the first moment of a shutdown, also during its
    /// [`delay`](field@crate::Shutdown::delay), in which everything else goes on as before.
    ///
    /// ```
    /// # use crossws_core::*;
    /// fn readiness(hub: &Hub) -> http::StatusCode {
    ///     if hub.is_ready() { http::StatusCode::OK } else { http::StatusCode::SERVICE_UNAVAILABLE }
    /// }
    /// ```
    pub fn is_ready(&self) -> bool {
        !self.0.turns_away.load(Ordering::Relaxed)
    }

    /// Makes [`is_ready`](Self::is_ready) false, and has no other effect: the first step of a
    /// [`Shutdown`](crate::Shutdown) with a delay.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// hub.turn_away();
    /// assert!(!hub.is_ready());
    /// ```
    pub fn turn_away(&self) {
        self.0.turns_away.store(true, Ordering::Relaxed);
    }

    /// Returns whether a shutdown has begun.
    pub fn is_shutting_down(&self) -> bool {
        self.0.shutdown.lock().is_some()
    }

    /// Waits until a shutdown has begun: for responses that would not end by themselves, such as
    /// event streams. The future holds the hub.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the hub.
    pub fn stopping(&self) -> impl Future<Output = ()> + MaybeSend + use<> {
        let hub = self.clone();
        async move {
            loop {
                let listener = hub.0.stops.listen();
                if hub.is_shutting_down() {
                    return;
                }
                listener.await;
            }
        }
    }

    pub(crate) fn shutdown_frame(&self) -> Option<CloseFrame> {
        self.0.shutdown.lock().clone()
    }

    /// Waits until no connection has a hook left to run.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the hub.
    pub async fn idle(&self) {
        self.idle_but(|| 0).await;
    }

    /// As [`idle`](Self::idle), except for this many connections, whose hooks wait for it.
    pub(crate) async fn idle_but(&self, own: impl Fn() -> usize) {
        loop {
            let listener = self.0.idle.listen();
            if self.0.sessions.load(Ordering::SeqCst) <= own() {
                return;
            }
            listener.await;
        }
    }

    /// Notes that a hook begins to wait for the end of a shutdown.
    pub(crate) fn hook_waits(&self) {
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        self.0.idle.notify_all();
    }

    /// Notes that a hook no longer waits.
    pub(crate) fn hook_goes_on(&self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    /// Returns how many hooks wait for the end of a shutdown.
    pub(crate) fn waiting_hooks(&self) -> usize {
        self.0.waiting.load(Ordering::SeqCst)
    }

    /// Returns an address that identifies the hub while it lives: for an adapter that must tell
    /// hubs apart without a handle.
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Returns how many connections have ended with both close frames exchanged.
    pub(crate) fn flushed(&self) -> usize {
        self.0.flushed.load(Ordering::Acquire)
    }

    pub(crate) fn count_flushed(&self) {
        self.0.flushed.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn session_begins(&self) {
        self.0.sessions.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn session_ends(&self) {
        let left = self.0.sessions.fetch_sub(1, Ordering::SeqCst) - 1;
        if left <= self.waiting_hooks() {
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
        let published = match self.watch() {
            None => self
                .registry()
                .publish(namespace, topic, except, publication),
            Some(watch) => self.deliver_watched(watch, namespace, topic, except, publication),
        };
        self.count_published(published)
    }

    // Out of line: most hubs have no watcher.
    #[cold]
    #[inline(never)]
    fn deliver_watched(
        &self,
        watch: &Watch,
        namespace: Option<&str>,
        topic: Option<&str>,
        except: Option<&Peer>,
        publication: &Publication,
    ) -> Published {
        let registry = self.registry();
        let (message, to) = (publication.message(), Audience::of(namespace, topic));
        if watch.says_messages() {
            let publish = || registry.publish(namespace, topic, except, publication);
            let recipients = || without(except, registry.members(namespace, topic));
            return watch.publish(message, to, publish, recipients);
        }
        let published = registry.publish(namespace, topic, except, publication);
        watch.published(message, to, published);
        published
    }

    pub(crate) fn deliver_to_rosters(
        &self,
        to: Audience<'_>,
        rosters: &Rosters,
        only: &Filter<'_>,
        publication: &Publication,
    ) -> Published {
        let registry = self.registry();
        let publish = || registry.publish_to_rosters(rosters, only, publication);
        let Some(watch) = self.watch() else {
            return self.count_published(publish());
        };
        let recipients = || {
            let mut peers = Vec::new();
            rosters
                .iter()
                .for_each(|roster| roster.peers_into(&mut peers));
            peers.retain(|peer| only.admits(peer));
            peers
        };
        self.count_published(watch.publish(publication.message(), to, publish, recipients))
    }

    /// As [`deliver`](Self::deliver), to the named peers and without the excluded ones.
    pub(crate) fn deliver_to_each(
        &self,
        namespace: Option<&str>,
        to: (registry::To<'_, '_>, &Topics<'_>, &Filter<'_>),
        except: Option<&Peer>,
        publication: &Publication,
    ) -> Published {
        let registry = self.registry();
        let publish = || registry.publish_to_each(namespace, to, except, publication);
        let Some(watch) = self.watch() else {
            return self.count_published(publish());
        };
        let recipients = || without(except, registry.members_of_each(namespace, to));
        let to = Audience::Several(namespace);
        self.count_published(watch.publish(publication.message(), to, publish, recipients))
    }

    /// As [`deliver_to_each`](Self::deliver_to_each), with a message of its own for each.
    pub(crate) fn deliver_each<E>(
        &self,
        namespace: Option<&str>,
        to: (registry::To<'_, '_>, &Topics<'_>, &Filter<'_>),
        except: Option<&Peer>,
        make: impl FnMut(&Peer) -> Result<Option<Publication>, E>,
    ) -> Result<Published, E> {
        let watch = self.watch();
        let registry = self.registry();
        let publish = || registry.publish_each(namespace, to, except, make, watch.is_some());
        let published = match watch {
            None => publish().1,
            Some(watch) => watch.publish_each(Audience::Several(namespace), publish),
        };
        published.map(|published| self.count_published(published))
    }

    fn count_published(&self, published: Published) -> Published {
        let counts = &self.0.counts;
        counts.published.fetch_add(1, Ordering::Relaxed);
        counts
            .queued
            .fetch_add(published.queued as u64, Ordering::Relaxed);
        published
    }
}

fn without(except: Option<&Peer>, mut peers: Vec<Peer>) -> Vec<Peer> {
    peers.retain(|peer| Some(peer) != except);
    peers
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
    /// No hooks claim the request, which is returned unchanged.
    #[error("no hooks claim `{}`", .0.path())]
    NotHandled(Box<UpgradeRequest>),
    /// The request is refused with this response.
    #[error(transparent)]
    Rejected(#[from] Rejection),
}

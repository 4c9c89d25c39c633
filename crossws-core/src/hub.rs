pub(crate) mod admission;
pub(crate) mod budget;
pub(crate) mod builder;
mod delivery;
pub(crate) mod group;
pub(crate) mod scope;
pub(crate) mod settings;
pub(crate) mod shutdown;
pub(crate) mod start;
pub(crate) mod stats;

use std::sync::Arc;

use http::HeaderName;

use crate::hub::budget::Budget;
use crate::hub::settings::Settings;
use crate::hub::settings::limits::Limits;
use crate::hub::settings::topic_overflow::TopicOverflows;
use crate::hub::stats::{Counts, Stats};
use crate::message::close::CloseFrame;
use crate::observe::{HubTraffic, Watch};
use crate::peer::Peer;
use crate::peer::extensions::Extensions;
use crate::peer::id::PeerId;
use crate::pubsub::registry::Registry;
use crate::service::background::Background;
use crate::service::http_service::{HttpService, ServiceRef};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Event, Mutex};
use crate::transport::capabilities::Capabilities;

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
pub struct Hub(Arc<HubInner>);

struct HubInner {
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

    /// Returns the observers and counters.
    #[inline]
    pub(crate) fn watch(&self) -> Option<&Watch> {
        self.0.watch.as_deref()
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.0.counts
    }

    #[inline]
    pub(crate) fn topic_overflows(&self) -> &TopicOverflows {
        &self.0.topic_overflows
    }

    pub(crate) fn is_partial(&self) -> bool {
        self.0.partial
    }

    /// Returns the application's own HTTP service, while a server lends it.
    pub(crate) fn http_service(&self) -> Option<Arc<dyn HttpService>> {
        self.0.http.lock().as_ref().and_then(ServiceRef::get)
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
    #[doc(alias = "pendingWebSockets")]
    pub fn stats(&self) -> Stats {
        let counts = &self.0.counts;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (published, queued) = self.watch().map_or((0, 0), Watch::publications);
        let refused = *counts.refused.lock();
        Stats {
            peers: self.registry().len(),
            sessions: self.0.sessions.load(Ordering::Acquire),
            unfinished: self.0.unfinished.used(),
            retained: self.registry().retained_bytes(),
            accepted: read(&counts.accepted),
            closed: counts.closed.total(),
            refused,
            published: read(&counts.published) + published,
            queued: read(&counts.queued) + queued,
            dropped: read(&counts.dropped),
            slow: read(&counts.slow),
            traffic: self.counters().as_ref().map(HubTraffic::from),
        }
    }

    /// Returns an address that identifies the hub while it lives: for an adapter that must tell
    /// hubs apart without a handle.
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

crate::opaque_debug!([] Hub, self => stats: self.stats());

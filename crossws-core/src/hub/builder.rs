use std::sync::Arc;

use http::HeaderName;

use super::{Hub, HubInner};
use crate::hub::budget::Budget;
use crate::hub::settings::Settings;
use crate::hub::settings::topic_overflow::{TopicOverflow, TopicOverflows};
use crate::hub::stats::Counts;
use crate::observe::{Observer, Trace, Watch};
use crate::peer::extensions::Extensions;
use crate::pubsub::registry::Registry;
use crate::pubsub::retained::RetainedStore;
use crate::service::http_service::{HttpService, ServiceRef};
use crate::settings_setters;
use crate::sync::atomic::{AtomicBool, AtomicUsize};
use crate::sync::{Event, Mutex};
use crate::transport::capabilities::Capabilities;

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
}

/// What a [`Hub`] is made with.
#[derive(Clone, Default)]
#[must_use = "a builder makes nothing until `build`"]
pub struct HubBuilder {
    pub(super) settings: Settings,
    kept_headers: Vec<HeaderName>,
    partial: bool,
    lacks: Capabilities,
    topic_overflows: TopicOverflows,
    retained_store: Option<Arc<dyn RetainedStore>>,
    http: Option<Arc<dyn HttpService>>,
    counters: bool,
    observers: Vec<Arc<dyn Observer>>,
    trace: Option<Trace>,
}

impl HubBuilder {
    /// What holds for every connection whose route does not say otherwise. Replaces what was set
    /// before.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    settings_setters!(self, _setter => self.settings);

    /// Keeps these headers of a request, besides those that were named before: a peer still has them
    /// when it was restored, and drops them last where
    /// [`Limits::max_kept_head`](field@crate::Limits::max_kept_head) has no room for all. None by default:
    /// they count against what a hibernating transport has room for.
    pub fn keep_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.kept_headers.extend(names);
        self
    }

    /// The HTTP service that [`Peer::api`](crate::Peer::api) calls, kept as long as the hub. A server lends its own to the
    /// hub instead: see [`Hub::lend_http`].
    pub fn http(mut self, service: Arc<dyn HttpService>) -> Self {
        self.http = Some(service);
        self
    }

    /// Says that other hubs hold further connections of the application, as in Durable Objects:
    /// [`Hub::route`] then fails unless it is asked for those [here](crate::Group::here).
    pub fn partial(mut self) -> Self {
        self.partial = true;
        self
    }

    /// Keeps retained messages in this store as well, from which the adapter returns them to the hub when
    /// its memory was lost. None by default.
    pub fn retained_store(mut self, store: impl RetainedStore) -> Self {
        self.retained_store = Some(Arc::new(store));
        self
    }

    /// Tells this observer what happens on the hub, besides those that were installed before. Counts as
    /// [`counters`](Self::counters) does, too. None by default.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Counts messages and bytes in both directions: [`Stats::traffic`](field@crate::Stats::traffic) and
    /// [`Hub::counters`]. Off by default.
    pub fn counters(mut self) -> Self {
        self.counters = true;
        self
    }

    /// Logs connections, messages and HTTP requests with `tracing`, at this level: see [`Trace`]. By
    /// default connections alone are logged, at `DEBUG`.
    pub fn trace(mut self, trace: impl Into<Trace>) -> Self {
        self.trace = Some(trace.into());
        self
    }

    /// Says what no connection of this hub can do, so that [`Hub::supports`] knows it before there is
    /// one: for an adapter. Nothing by default.
    pub fn lacks(mut self, capabilities: Capabilities) -> Self {
        self.lacks = capabilities;
        self
    }

    /// Says what becomes of messages to these topics where they would have to wait for a slow client: of
    /// one topic's name, or a [`TopicPattern`](crate::TopicPattern), as in
    /// [`Peer::subscribe_pattern`](crate::Peer::subscribe_pattern). Of several that match a topic, the one that was named first counts.
    /// A pattern that is none keeps the server from starting.
    ///
    /// ```
    /// # use crossws_core::{Hub, TopicOverflow};
    /// let hub = Hub::builder()
    ///     .topic_overflow("cursor/*", TopicOverflow::DropNewest)
    ///     .topic_overflow("price/**", TopicOverflow::KeepLatest)
    ///     .build();
    /// ```
    ///
    /// A message to several topics is sent as the first of them says that has a policy; options of its own
    /// stay. Publishing to such a topic takes as long as sending the message to each subscriber.
    /// A platform that does not tell what waits
    /// ([`Capabilities::DRAIN`] is absent, as on Workers) sends each message.
    pub fn topic_overflow(mut self, topics: impl Into<Arc<str>>, overflow: TopicOverflow) -> Self {
        self.topic_overflows.add(topics.into(), overflow);
        self
    }

    /// The headers that are [kept](Self::keep_headers).
    pub fn kept_headers(&self) -> &[HeaderName] {
        &self.kept_headers
    }

    /// The hub.
    pub fn build(self) -> Hub {
        let watch = Watch::new(self.observers, self.trace);
        let is_watched = self.counters || watch.has_watcher();
        Hub(Arc::new(HubInner {
            watch: is_watched.then(|| Box::new(watch)),
            registry: Registry::with_store(self.retained_store),
            settings: Arc::new(self.settings),
            kept_headers: self.kept_headers,
            partial: self.partial,
            lacks: self.lacks,
            topic_overflows: self.topic_overflows,
            shutdown: Mutex::new(None),
            turns_away: AtomicBool::new(false),
            sessions: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            flushed: AtomicUsize::new(0),
            idle: Event::new(),
            stops: Event::new(),
            extensions: Extensions::default(),
            http: Mutex::new(self.http.map(ServiceRef::Kept)),
            background: Mutex::new(None),
            unfinished: Budget::default(),
            counts: Counts::default(),
        }))
    }
}

crate::opaque_debug!([] HubBuilder, self =>
    settings: self.settings, kept_headers: self.kept_headers);

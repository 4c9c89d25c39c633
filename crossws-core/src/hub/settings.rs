pub(crate) mod deflate;
pub(crate) mod invalid;
pub(crate) mod limits;
pub(crate) mod setters;
pub(crate) mod topic_overflow;

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::bounds::{Function, MaybeSend, MaybeSync};
use crate::hub::group::route_members::{MembersCell, RouteNames};
use crate::hub::settings::deflate::Deflate;
use crate::hub::settings::limits::Limits;
use crate::message::close::CloseFrame;
use crate::peer::id::PeerId;
use crate::settings_setters;
use crate::transport::capabilities::Capabilities;
use crate::upgrade::origin::Origin;

/// The configuration of a connection: the hub's, changed by its route's [`RouteSettings`]. One
/// value per route and hub, shared by the route's peers.
///
/// [`Peer::settings`](crate::Peer::settings) returns a peer's,
/// [`Accepted::settings`](crate::adapter::Accepted::settings) an accepted upgrade's.
///
/// ```
/// # use crossws_core::{Hub, Limits, Origin, Settings};
/// let settings = Settings::default()
///     .limits(Limits::default().max_message_size(64 << 10))
///     .origin(Origin::listed(["https://app.example"]))
///     .protocols(["chat.v2", "chat.v1"]);
/// let hub = Hub::builder().settings(settings).build();
/// assert_eq!(hub.settings().protocols, ["chat.v2", "chat.v1"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "settings do nothing until a hub has them"]
#[non_exhaustive]
pub struct Settings {
    /// The bounds and times of every connection.
    pub limits: Limits,
    /// Which origins may connect. Default: only those with the same host.
    pub origin: Origin,
    /// How messages are compressed with clients that offer it. Default `None`, which turns
    /// compression off.
    pub deflate: Option<Deflate>,
    /// The subprotocols of the server, the preferred one first. Unless the `upgrade` hook
    /// [chooses](crate::Upgrade::protocol), the first that the client offers too is selected, and
    /// none if they have none in common. Default empty.
    pub protocols: Vec<String>,
    /// The topics that every peer is subscribed to before its `open` hook. Default empty.
    pub topics: Vec<Arc<str>>,
    pub(crate) names: RouteNames,
    pub(crate) members: MembersCell,
}

impl Settings {
    settings_setters!(self, _setter => self);

    /// Returns the pattern of the route that these settings belong to, such as `/rooms/{room}`.
    pub fn route(&self) -> Option<&Arc<str>> {
        self.names.pattern.as_ref()
    }

    /// Returns the name of the route that these settings belong to.
    pub fn route_name(&self) -> Option<&Arc<str>> {
        self.names.name.as_ref()
    }

    /// Checks that a transport has the capabilities that these settings require.
    pub(crate) fn check(
        &self,
        deflate: Option<&Deflate>,
        peer: PeerId,
        transport: Capabilities,
    ) -> Result<(), CloseFrame> {
        let lacks = |capability| !transport.contains(capability);
        let missing = if !self.limits.auto_pong && lacks(Capabilities::PING) {
            "pongs that hooks send, where the platform answers pings"
        } else if deflate.is_some_and(|deflate| deflate.required)
            && lacks(Capabilities::COMPRESSION)
        {
            "compression, which the transport does not have"
        } else {
            return Ok(());
        };
        tracing::error!(%peer, "closing a peer that was promised {missing}");
        Err(CloseFrame::internal_error())
    }

    /// Copies these settings for a route of which only the pattern and the name are known.
    pub(crate) fn on_route(&self, pattern: Option<Arc<str>>, name: Option<Arc<str>>) -> Self {
        Self {
            names: RouteNames { pattern, name },
            ..self.clone()
        }
    }
}

/// The settings of a route that differ from the hub's.
///
/// Create one per route, together with the routes, and pass it to every [`Route`](crate::Route):
/// the route's peers then share one [`Settings`].
///
/// Each limit has a setter of its own here, named as in [`Limits`]. `max_peers`, `max_namespaces`,
/// `max_hub_topics`, `max_retained`, `max_target` and `max_unfinished` bound the hub, and keep the hub's values.
///
/// ```
/// # use std::{sync::Arc, time::Duration};
/// # use crossws_core::{Route, RouteSettings, hooks};
/// let settings = Arc::new(
///     RouteSettings::new()
///         .route("/rooms/{room}")
///         .ping_interval(Duration::from_secs(10))
///         .max_message_size(64 << 10)
///         .protocols(["chat.v2", "chat.v1"])
///         .topic("general"),
/// );
/// let route = Route::new(Arc::new(hooks())).settings(&settings);
/// ```
#[derive(Clone, Default)]
pub struct RouteSettings {
    route: Option<Arc<str>>,
    name: Option<Arc<str>>,
    /// What the route changes of the hub's settings, in this order.
    changes: Vec<Arc<Change>>,
    /// The first hub's settings to which the changes were applied, and the result. An application
    /// has one hub.
    resolved: OnceLock<(Arc<Settings>, Arc<Settings>)>,
}

impl RouteSettings {
    /// Creates settings without changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the route's pattern, such as `/rooms/{room}`.
    #[must_use]
    pub fn route(mut self, pattern: impl Into<Arc<str>>) -> Self {
        self.route = Some(pattern.into());
        self.changed()
    }

    /// Sets the route's name, in addition to its pattern.
    #[must_use]
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self.changed()
    }

    /// Sets which origins may connect.
    #[must_use]
    pub fn origin(self, origin: Origin) -> Self {
        self.change(move |settings: &mut Settings| settings.origin = origin.clone())
    }

    /// Sets how messages are compressed; `None` turns compression off.
    #[must_use]
    pub fn deflate(self, deflate: impl Into<Option<Deflate>>) -> Self {
        let deflate = deflate.into();
        self.change(move |settings: &mut Settings| settings.deflate = deflate)
    }

    /// Sets the subprotocols of the route, the preferred one first: see
    /// [`Settings::protocols`](field@Settings::protocols).
    #[must_use]
    pub fn protocols<P: Into<String>>(self, protocols: impl IntoIterator<Item = P>) -> Self {
        let protocols: Vec<String> = protocols.into_iter().map(Into::into).collect();
        self.change(move |settings: &mut Settings| settings.protocols.clone_from(&protocols))
    }

    /// Subscribes the route's peers to a topic before their `open` hook, in addition to the hub's
    /// and the parent's topics.
    #[must_use]
    pub fn topic(self, topic: impl Into<Arc<str>>) -> Self {
        let topic = topic.into();
        self.change(move |settings: &mut Settings| settings.topics.push(Arc::clone(&topic)))
    }

    /// Takes from `parent` what was not set here, for a route in a group. Topics add up, the
    /// parent's first. Pattern and name are the route's own.
    #[must_use]
    pub fn inherit(mut self, parent: &Self) -> Self {
        self.changes.splice(..0, parent.changes.iter().cloned());
        self.changed()
    }

    pub(crate) fn change(
        mut self,
        change: impl Fn(&mut Settings) + MaybeSend + MaybeSync + 'static,
    ) -> Self {
        self.changes.push(Arc::new(change));
        self.changed()
    }

    /// Returns the pattern, if it was set.
    pub fn pattern(&self) -> Option<&Arc<str>> {
        self.route.as_ref()
    }

    /// Returns the name, if it was set.
    pub fn route_name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }

    /// Returns the settings of the route's connections on a hub with these `defaults`.
    pub fn apply(&self, defaults: &Arc<Settings>) -> Arc<Settings> {
        let (known, resolved) = self
            .resolved
            .get_or_init(|| (Arc::clone(defaults), Arc::new(self.changed_from(defaults))));
        match Arc::ptr_eq(known, defaults) {
            true => Arc::clone(resolved),
            false => Arc::new(self.changed_from(defaults)),
        }
    }

    fn changed_from(&self, defaults: &Settings) -> Settings {
        let mut settings = defaults.on_route(self.route.clone(), self.name.clone());
        for change in &self.changes {
            change.apply(&mut settings);
        }
        // A route cannot change the hub's bounds.
        let (limits, hub) = (&mut settings.limits, &defaults.limits);
        limits.max_peers = hub.max_peers;
        limits.max_namespaces = hub.max_namespaces;
        limits.max_hub_topics = hub.max_hub_topics;
        limits.max_unfinished = hub.max_unfinished;
        limits.max_retained = hub.max_retained;
        limits.max_target = hub.max_target;
        settings
    }

    /// Discards the cached result of earlier changes.
    fn changed(mut self) -> Self {
        self.resolved = OnceLock::new();
        self
    }
}

impl fmt::Debug for RouteSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteSettings")
            .field("route", &self.route)
            .field("name", &self.name)
            .field(
                "over the defaults",
                &self.changed_from(&Settings::default()),
            )
            .finish_non_exhaustive()
    }
}

/// A change of a hub's settings for one route.
type Change = dyn for<'a> Function<&'a mut Settings, ()>;

mod described;

use std::sync::Arc;
use std::time::Duration;

use crossws_core::{
    Deflate, Hooks, MaybeSend, MaybeSync, Origin, Rejection, RouteSettings, SharedHooks,
    UpgradeRequest, opaque_debug, wrap,
};
use serde::de::DeserializeOwned;

use crate::auth::authenticate::{Authenticate, AuthenticateFn};
use crate::auth::identity::identity;
use crate::description::About;
use crate::layers::layer::{Attaching, Before, BeforeFn, Layer, SharedLayer, Wrap};
use crate::layers::reply_errors::reply_errors;
use crate::request::RequestExt;
use crate::routes::namespace::Named;

/// Creates a route with settings of its own, for [`Router::route`](crate::Router::route): hooks,
/// and the settings of their connections that differ from the hub's.
///
/// ```
/// use std::time::Duration;
/// use crossws_app::{Router, route};
/// # use crossws_core::Hooks;
/// # struct Chat; impl Hooks for Chat {}
///
/// let app = Router::new().route(
///     "/chat",
///     route(Chat)
///         .name("chat")
///         .topic("general")
///         .heartbeat(Duration::from_secs(30))
///         .protocols(["chat.v2", "chat.v1"])
///         .limits(|limits| limits.max_message_size(64 << 10)),
/// );
/// # app.check().unwrap();
/// ```
pub fn route(hooks: impl IntoRoute) -> RouteBuilder {
    hooks.into_route()
}

/// See [`route`].
#[derive(Clone)]
#[must_use = "a route does nothing until a router has it"]
pub struct RouteBuilder {
    pub(crate) hooks: SharedHooks,
    /// The outermost first.
    pub(crate) layers: Vec<SharedLayer>,
    pub(crate) settings: RouteSettings,
    /// Most routes say nothing.
    pub(crate) about: Option<Box<About>>,
}

impl RouteBuilder {
    fn new(hooks: impl Hooks) -> Self {
        Self {
            hooks: SharedHooks::new(hooks),
            layers: Vec::new(),
            settings: RouteSettings::new(),
            about: None,
        }
    }

    /// Gives the route a name, by which `hub.route(..)` finds its connections. Two routes of one
    /// name are an error of the router.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let app = Router::new().route("/rooms/{room}", route(hooks()).name("rooms"));
    /// ```
    pub fn name(self, name: impl Into<Arc<str>>) -> Self {
        self.set(|settings| settings.name(name))
    }

    /// Gives the route this name if it has none. Generated routes call it.
    pub fn default_name(self, name: impl Into<Arc<str>>) -> Self {
        if self.settings.route_name().is_some() {
            return self;
        }
        self.name(name)
    }

    /// Subscribes every peer to a topic before its `open` hook. Topics of the hub and of the router
    /// come first.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let app = Router::new().route("/chat", route(hooks()).topic("news"));
    /// ```
    pub fn topic(self, topic: impl Into<Arc<str>>) -> Self {
        self.set(|settings| settings.topic(topic))
    }

    /// Sets the subprotocols of the route, the preferred one first. The response names the first
    /// that the client offers too, and none if they have none in common. A protocol that the
    /// `upgrade` hook chooses takes precedence.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let app = Router::new().route("/chat", route(hooks()).protocols(["chat.v2", "chat.v1"]));
    /// ```
    pub fn protocols<P: Into<String>>(self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.set(|settings| settings.protocols(protocols))
    }

    /// Sends a ping this often and closes a peer that does not answer: the limit `ping_interval`.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// use std::time::Duration;
    /// let app = Router::new().route("/chat", route(hooks()).heartbeat(Duration::from_secs(10)));
    /// ```
    pub fn heartbeat(self, interval: Duration) -> Self {
        self.set(|settings| settings.ping_interval(Some(interval)))
    }

    /// Leaves the answers to a client's pings to the `ping` hook, which sends them with
    /// [`Peer::pong`](crossws_core::Peer::pong): the limit `auto_pong`. Needs
    /// [`Capabilities::PING`](crossws_core::Capabilities::PING).
    pub fn manual_pong(self) -> Self {
        self.set(|settings| settings.auto_pong(false))
    }

    /// Closes a peer that sends no message for this long, even if it responds to pings: the limit
    /// `inactivity_timeout`.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// use std::time::Duration;
    /// let app = Router::new().route("/chat", route(hooks()).inactivity(Duration::from_secs(600)));
    /// ```
    pub fn inactivity(self, timeout: Duration) -> Self {
        self.set(|settings| settings.inactivity_timeout(Some(timeout)))
    }

    /// Bounds how long the `upgrade` hook and the layers before it may take: the limit
    /// `upgrade_timeout`.
    pub fn upgrade_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.upgrade_timeout(timeout))
    }

    /// Changes any limit of the route's connections. Limits that are not set are the hub's.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let small = route(hooks()).limits(|limits| limits.max_message_size(4 << 10));
    /// ```
    pub fn limits(self, limits: impl FnOnce(RouteSettings) -> RouteSettings) -> Self {
        self.set(limits)
    }

    /// Sets which origins may connect.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let open = route(hooks()).origin(Origin::Any);
    /// ```
    pub fn origin(self, origin: Origin) -> Self {
        self.set(|settings| settings.origin(origin))
    }

    /// Sets how messages are compressed with clients that offer it; `None` turns compression off.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let compressed = route(hooks()).deflate(Deflate::default());
    /// ```
    pub fn deflate(self, deflate: impl Into<Option<Deflate>>) -> Self {
        self.set(|settings| settings.deflate(deflate))
    }

    /// Replaces all settings that were set before.
    pub fn settings(self, settings: RouteSettings) -> Self {
        self.set(|_| settings)
    }

    /// Adds a layer, inside those of the router and those that the route has.
    pub fn layer(mut self, layer: impl Layer) -> Self {
        self.layers.push(Arc::new(layer));
        self
    }

    /// Runs a function before the `upgrade` hook: see [`Router::before`](crate::Router::before).
    pub fn before<F>(self, before: F) -> Self
    where
        F: for<'a> BeforeFn<'a> + MaybeSend + MaybeSync + 'static,
    {
        self.layer(Before(before))
    }

    /// Identifies the client with a function: see
    /// [`Router::authenticate`](crate::Router::authenticate).
    pub fn authenticate<F>(self, authenticate: F) -> Self
    where
        F: for<'a> AuthenticateFn<'a> + MaybeSend + MaybeSync + 'static,
    {
        self.layer(Authenticate(authenticate))
    }

    /// Sets each peer's identity: see [`Router::identity`](crate::Router::identity).
    pub fn identity<T, F, N>(self, name: F) -> Self
    where
        T: MaybeSend + MaybeSync + 'static,
        F: Fn(&T) -> N + MaybeSend + MaybeSync + 'static,
        N: Into<Arc<str>> + 'static,
    {
        self.layer(identity(name))
    }

    /// Wraps the hooks: see [`Router::wrap`](crate::Router::wrap).
    pub fn wrap<F, H>(self, wrap: F) -> Self
    where
        F: Fn(SharedHooks) -> H + MaybeSend + MaybeSync + 'static,
        H: Hooks,
    {
        self.layer(Wrap(wrap))
    }

    /// Tells the client `{"type":"error","message":TEXT}` when a hook returns an error, and keeps the
    /// connection: see [`reply_errors`](crate::reply_errors()).
    pub fn reply_errors(self) -> Self {
        self.wrap(reply_errors)
            .tell(|about| about.reports_errors = true)
    }

    /// Sets the namespace of each peer whose `upgrade` hook does not: for routes that are published
    /// to from outside.
    ///
    /// The default namespace is the path in its [normal form](crossws_core::normal_path), in which
    /// `/orders/7` and `/orders/%37` are one, and `/orders/07` is another. A name built from typed
    /// parameters is the same for all three. An error refuses the request; a parameter that does
    /// not convert is a 400.
    ///
    /// Clients choose the parameters. If a name consists of two of them, the first must not contain
    /// the separator, or two different pairs have one name.
    ///
    /// ```
    /// use crossws_app::{RequestExt, Router, route};
    /// use crossws_core::{Hub, hooks};
    ///
    /// fn order(id: u64) -> String {
    ///     format!("order:{id}")
    /// }
    ///
    /// let app = Router::new().route(
    ///     "/orders/{id}",
    ///     route(hooks()).namespace(|request| Ok(order(request.path_as()?))),
    /// );
    ///
    /// fn notify(hub: &Hub, id: u64) -> Result<(), crossws_core::PublishError> {
    ///     hub.in_namespace(&order(id)).broadcast("shipped").map(drop)
    /// }
    /// ```
    pub fn namespace<F, N>(self, name: F) -> Self
    where
        F: Fn(&UpgradeRequest) -> Result<N, Rejection> + MaybeSend + MaybeSync + 'static,
        N: Into<Arc<str>> + 'static,
    {
        let name = Arc::new(name);
        self.wrap(move |hooks| {
            let name = Arc::clone(&name);
            wrap(Named { name, hooks })
        })
    }

    /// Attaches the value of this type that HTTP middleware has stored in the request's extensions,
    /// such as a session's user. Every hook reads it with `peer.attached::<T>()`.
    pub fn adopt<T: Clone + Send + Sync + 'static>(self) -> Self {
        self.layer(Attaching(|request| {
            request.adopt::<T>();
            Ok(())
        }))
    }

    /// Refuses requests whose path has other parameters than this type with a 400 that names the
    /// parameter. Every hook reads the value with `peer.attached::<T>()`.
    pub fn path<T: DeserializeOwned + MaybeSend + MaybeSync + 'static>(self) -> Self {
        self.layer(Attaching(|request| {
            let path: T = request.path_as()?;
            request.attach(path);
            Ok(())
        }))
    }

    /// Refuses requests whose query does not convert to this type with a 400 that names the field.
    /// Every hook reads the value with `peer.attached::<T>()`.
    pub fn query<T: DeserializeOwned + MaybeSend + MaybeSync + 'static>(self) -> Self {
        self.layer(Attaching(|request| {
            let query: T = request.query_as()?;
            request.attach(query);
            Ok(())
        }))
    }

    fn set(mut self, change: impl FnOnce(RouteSettings) -> RouteSettings) -> Self {
        self.settings = change(self.settings);
        self
    }
}

opaque_debug!([] RouteBuilder, self => settings: self.settings);

/// The argument of [`Router::route`](crate::Router::route): hooks, or [`route`]`(hooks)` with
/// settings.
///
/// ```
/// # use crossws_core::*;
/// # use crossws_app::*;
/// fn app(chat: impl IntoRoute) -> Router {
///     Router::new().route("/chat", chat)
/// }
///
/// app(hooks()).check()?;
/// app(route(hooks()).name("chat")).check()?;
/// # Ok::<_, RouterError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot handle a route",
    label = "expected hooks, or `route(hooks)` with settings",
    note = "implement `Hooks`, or make hooks of closures with `hooks()`; a router goes below a path with `nest`"
)]
pub trait IntoRoute {
    /// Converts into a route.
    fn into_route(self) -> RouteBuilder;
}

impl<H: Hooks> IntoRoute for H {
    fn into_route(self) -> RouteBuilder {
        RouteBuilder::new(self)
    }
}

impl IntoRoute for RouteBuilder {
    fn into_route(self) -> RouteBuilder {
        self
    }
}

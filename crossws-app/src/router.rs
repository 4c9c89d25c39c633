mod table;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crossws_core::http::StatusCode;
use crossws_core::{
    HookResult, Hooks, Hub, MaybeSend, MaybeSync, Rejection, Resolution, Resolve, RouteSettings,
    SharedHooks, UpgradeRequest,
};

use self::table::Table;
use crate::authenticate::{Authenticate, AuthenticateFn};
use crate::calls::pending::Starting;
use crate::global::Global;
use crate::identity::Identity;
use crate::layer::{Before, BeforeFn, Layer, SharedLayer, Wrap};
use crate::{Description, IntoRoute, Pattern, PatternError, RouteBuilder};

/// A set of routes: it maps paths to hooks, and resolves a server's requests, as hooks alone do.
///
/// ```
/// use crossws_app::{Router, route};
/// use crossws_core::http::StatusCode;
/// use crossws_core::{Rejection, UpgradeRequest, hooks};
///
/// async fn admin_only(request: &mut UpgradeRequest) -> Result<(), Rejection> {
///     match request.header("x-admin") {
///         Some("yes") => Ok(()),
///         _ => Err(StatusCode::FORBIDDEN.into()),
///     }
/// }
///
/// let echo = || hooks().on_message(|peer, message| async move { peer.send(message) });
/// let app = Router::new()
///     .route("/chat", route(echo()).name("chat").topic("general"))
///     .route("/rooms/{room}", echo())
///     .nest("/admin", Router::new().before(admin_only).route("/logs", echo()));
/// app.check()?;
/// # Ok::<_, crossws_app::RouterError>(())
/// ```
///
/// # Which route a path has
/// A [`Pattern`] is matched with the whole path, percent-decoded segment by segment. The rules are
/// those of axum: in each segment a literal comes before a parameter or a catch-all, whatever the
/// order of the calls. Two patterns of which neither comes first, such as `/{id}` and `/{name}` or
/// `/{*rest}`, are a [conflict](RouterError::Conflict).
///
/// A path without a route passes on to the server's HTTP service, unless a
/// [fallback](Self::fallback) takes it. A path that is not UTF-8 when it is percent-decoded is a 400.
///
/// # Layers
/// A layer holds for all routes of its router and of the routers in it, whatever the order of the
/// calls. Before an upgrade the layers run from the outside in: those of the outer router first, in
/// a router in the order in which they were added, then the route's own, then the `upgrade` hook.
/// The first refusal ends the upgrade. Hooks are wrapped in the same order, so that the hooks of
/// the outermost layer are called first.
///
/// # Errors in routes
/// The calls that build a router never fail. [`check`](Self::check) returns their first error, and
/// so does the `start` of the application: a server does not serve a router with an error.
#[derive(Default)]
#[must_use = "a router does nothing until a server has it"]
pub struct Router {
    routes: Vec<Entry>,
    fallbacks: Vec<Entry>,
    /// The outermost first.
    layers: Vec<SharedLayer>,
    /// Including those of the nested routers.
    globals: Vec<SharedHooks>,
    settings: RouteSettings,
    trailing_slash: Option<TrailingSlash>,
    error: Option<RouterError>,
    /// For the description of its routes.
    reports_errors: bool,
    switch: Switch,
    table: OnceLock<Result<Table, RouterError>>,
}

/// A route below the router's root.
struct Entry {
    pattern: Pattern,
    route: RouteBuilder,
    trailing_slash: Option<TrailingSlash>,
}

impl Router {
    /// Creates a router without routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route: hooks, or [`route`](crate::route)`(hooks)` with settings. See [`Pattern`] for
    /// the syntax; `""` is the root of this router.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let app = Router::new().route("/chat", hooks()).route("/rooms/{room}", hooks());
    /// assert_eq!(app.routes().count(), 2);
    /// ```
    pub fn route(self, pattern: &str, route: impl IntoRoute) -> Self {
        let route = route.into_route();
        self.change(|router| {
            router.routes.push(Entry {
                pattern: Pattern::parse(pattern)?,
                route,
                trailing_slash: None,
            });
            Ok(())
        })
    }

    /// Adds the routes of another router below a path, which may have parameters. The root of the
    /// other router is the path itself. Layers and settings of this router hold for them, outside of
    /// those of the other one.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let rooms = Router::new().route("/{room}", hooks());
    /// let app = Router::new().nest("/rooms", rooms);
    /// assert_eq!(app.routes().next().unwrap().pattern.to_string(), "/rooms/{room}");
    /// ```
    pub fn nest(self, path: &str, router: Self) -> Self {
        let Self {
            routes,
            fallbacks,
            layers,
            globals,
            settings,
            trailing_slash,
            error,
            reports_errors,
            // A router that was nested is a part of this one, and turned off with it.
            switch: _,
            table: _,
        } = router;
        self.change(|outer| {
            if let Some(error) = error {
                return Err(error);
            }
            outer.globals.extend(globals);
            let path = Pattern::parse(path)?;
            let below = |entry: Entry| -> Result<Entry, RouterError> {
                let mut route = inside(entry.route, &layers, &settings);
                if reports_errors {
                    route = route.tell(|about| about.reports_errors = true);
                }
                Ok(Entry {
                    pattern: path.join(&entry.pattern)?,
                    route,
                    trailing_slash: entry.trailing_slash.or(trailing_slash),
                })
            };
            for entry in routes {
                outer.routes.push(below(entry)?);
            }
            for entry in fallbacks {
                outer.fallbacks.push(below(entry)?);
            }
            Ok(())
        })
    }

    /// Adds the routes of another router, as [`nest`](Self::nest) does at the root.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let app = Router::new().route("/a", hooks()).merge(Router::new().route("/b", hooks()));
    /// assert_eq!(app.routes().count(), 2);
    /// ```
    pub fn merge(self, router: Self) -> Self {
        self.nest("", router)
    }

    /// Handles the requests without a route, below the path where this router is nested. Without a
    /// fallback they pass on to the HTTP service. If several fallbacks match, the one with the
    /// longest path handles the request.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let app = Router::new().route("/chat", hooks()).fallback(hooks());
    /// assert!(app.check().is_ok());
    /// ```
    pub fn fallback(self, route: impl IntoRoute) -> Self {
        let route = route.into_route();
        self.change(|router| {
            router.fallbacks.push(Entry {
                pattern: Pattern::root(),
                route,
                trailing_slash: None,
            });
            Ok(())
        })
    }

    /// Adds a layer to all routes of this router, inside the layers that it has.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let app = Router::new().layer(behind_proxies(1)).route("/chat", hooks());
    /// ```
    pub fn layer(self, layer: impl Layer) -> Self {
        self.change(|router| {
            router.layers.push(SharedLayer::new(layer));
            Ok(())
        })
    }

    /// Runs a function before the `upgrade` hook of each route: an `async fn(&mut UpgradeRequest)
    /// -> Result<(), E>`. An error refuses the request, with the response that it converts into.
    /// Every hook can read a value that the function [attaches](UpgradeRequest::attach) to the
    /// request.
    pub fn before<F>(self, before: F) -> Self
    where
        F: for<'a> BeforeFn<'a> + MaybeSend + MaybeSync + 'static,
    {
        self.layer(Before(before))
    }

    /// Identifies the client with a function, before the `upgrade` hook of each route. `Some(user)`
    /// admits the client, and every hook reads the user with `peer.attached::<User>()`; `true`
    /// admits it without a user. With `false`, `None` or an error the request is refused with 401,
    /// and the error is logged.
    ///
    /// ```
    /// use crossws_app::{NoToken, RequestExt, Router};
    /// use crossws_core::{UpgradeRequest, hooks};
    ///
    /// struct User(String);
    ///
    /// async fn user(request: &UpgradeRequest) -> Result<Option<User>, NoToken> {
    ///     let token = request.query_token("token")?;
    ///     Ok((token == "good").then(|| User("ann".to_owned())))
    /// }
    ///
    /// let app = Router::new()
    ///     .authenticate(user)
    ///     .route("/private", hooks().on_open(|peer| async move {
    ///         let user = peer.attached::<User>()?;
    ///         peer.send(format!("welcome, {}", user.0))?;
    ///         Ok::<_, crossws_core::BoxError>(())
    ///     }));
    /// ```
    pub fn authenticate<F>(self, authenticate: F) -> Self
    where
        F: for<'a> AuthenticateFn<'a> + MaybeSend + MaybeSync + 'static,
    {
        self.layer(Authenticate(authenticate))
    }

    /// Sets the [identity](crossws_core::Upgrade::identity) of each peer to which an earlier layer
    /// has attached such a value, as [`authenticate`](Self::authenticate) does. A request without
    /// the value gets no identity.
    ///
    /// ```
    /// use crossws_app::{NoToken, Router};
    /// use crossws_core::{Hub, UpgradeRequest, hooks};
    ///
    /// struct User { name: String }
    ///
    /// async fn user(_: &UpgradeRequest) -> Result<Option<User>, NoToken> {
    ///     Ok(Some(User { name: "ann".to_owned() }))
    /// }
    ///
    /// let app = Router::new()
    ///     .authenticate(user)
    ///     .identity(|user: &User| user.name.clone())
    ///     .route("/", hooks());
    ///
    /// fn notify(hub: &Hub) -> Result<usize, crossws_core::PublishError> {
    ///     Ok(hub.identity("ann").send("for all of ann's connections")?.queued)
    /// }
    /// ```
    pub fn identity<T, F, N>(self, name: F) -> Self
    where
        T: MaybeSend + MaybeSync + 'static,
        F: Fn(&T) -> N + MaybeSend + MaybeSync + 'static,
        N: Into<Arc<str>> + 'static,
    {
        self.layer(Identity::new(name))
    }

    /// Adds hooks that run before those of each route, for every event except `error`, which only
    /// the route's hook handles.
    ///
    /// - `upgrade`: the first refusal decides. If both accept, headers, topics and tags add up, and
    ///   the route's namespace, subprotocol, context, identity and id take precedence over the
    ///   global ones.
    /// - An error of a global hook goes to the route's `error` hook, and the route's hook for the
    ///   event does not run. Only `close` always runs both.
    /// - `start` of the global hooks runs once, before those of the routes.
    pub fn global(self, hooks: impl Hooks) -> Self {
        let hooks = SharedHooks::new(hooks);
        self.change(|router| {
            router.globals.push(hooks.clone());
            router.layers.push(SharedLayer::new(Global(hooks)));
            Ok(())
        })
    }

    /// Wraps the hooks of each route in others, once, when the router is built.
    pub fn wrap<F, H>(self, wrap: F) -> Self
    where
        F: Fn(SharedHooks) -> H + MaybeSend + MaybeSync + 'static,
        H: Hooks,
    {
        self.layer(Wrap(wrap))
    }

    /// Tells the clients of each route `{"type":"error","message":TEXT}` when a hook returns an error,
    /// and keeps their connections: see [`reply_errors`](crate::reply_errors()).
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let app = Router::new().reply_errors().route("/chat", hooks());
    /// ```
    pub fn reply_errors(mut self) -> Self {
        self.reports_errors = true;
        self.wrap(crate::reply_errors)
    }

    /// Sets the defaults of all routes. Topics add up. A pattern and a name in it are ignored.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let app = Router::new().settings(RouteSettings::new().max_topics(8)).route("/chat", hooks());
    /// ```
    pub fn settings(self, settings: RouteSettings) -> Self {
        self.change(|router| {
            router.settings = settings;
            Ok(())
        })
    }

    /// Sets whether a slash at the end of a path matters. Default [`TrailingSlash::Matters`]. It
    /// holds for nested routers without a setting of their own.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let app = Router::new().trailing_slash(TrailingSlash::Optional).route("/chat", hooks());
    /// ```
    pub fn trailing_slash(self, trailing_slash: TrailingSlash) -> Self {
        self.change(|router| {
            router.trailing_slash = Some(trailing_slash);
            Ok(())
        })
    }

    /// Returns a switch that turns all routes off and on while the server runs.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let app = Router::new().route("/chat", hooks());
    /// let switch = app.switch();
    /// switch.set(false);
    /// assert!(!switch.is_on());
    /// ```
    pub fn switch(&self) -> Switch {
        self.switch.clone()
    }

    /// Returns the routes, in the order in which they were added.
    pub fn routes(&self) -> impl Iterator<Item = RouteInfo<'_>> {
        self.routes.iter().map(|entry| RouteInfo {
            pattern: &entry.pattern,
            settings: entry.route.settings.clone().inherit(&self.settings),
        })
    }

    /// Describes the routes, for generated clients and documents.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let app = Router::new().route("/rooms/{room}", hooks());
    /// let description = app.describe()?;
    /// assert_eq!(description.routes[0].pattern.to_string(), "/rooms/{room}");
    /// # Ok::<_, RouterError>(())
    /// ```
    ///
    /// # Errors
    /// [`RouterError`], as [`check`](Self::check).
    pub fn describe(&self) -> Result<Description, RouterError> {
        self.check()?;
        let about = self.routes.iter().map(|entry| entry.route.about.as_deref());
        let mut description = Description::of(self.routes().zip(about));
        for route in &mut description.routes {
            route.reports_errors |= self.reports_errors;
        }
        Ok(description)
    }

    /// Checks the routes.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let app = Router::new().route("/{id}", hooks()).route("/{name}", hooks());
    /// assert!(matches!(app.check(), Err(RouterError::Conflict { .. })));
    /// ```
    ///
    /// # Errors
    /// [`RouterError`] names the patterns that are wrong.
    pub fn check(&self) -> Result<(), RouterError> {
        self.table().map(drop).map_err(Clone::clone)
    }

    fn table(&self) -> Result<&Table, &RouterError> {
        let table = self.table.get_or_init(|| self.build());
        table.as_ref()
    }

    fn build(&self) -> Result<Table, RouterError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let inside = |entry: &Entry| inside(entry.route.clone(), &self.layers, &self.settings);
        let mut table = Table::default();
        for entry in &self.routes {
            table.insert(&entry.pattern, inside(entry))?;
        }
        for entry in &self.routes {
            let slash = entry.trailing_slash.or(self.trailing_slash);
            if slash == Some(TrailingSlash::Optional) {
                table.insert_other_slash(&entry.pattern);
            }
        }
        for entry in &self.fallbacks {
            table.insert_fallback(&entry.pattern, inside(entry))?;
        }
        Ok(table)
    }

    /// Applies a change, and keeps the first error. Does nothing after an error.
    fn change(mut self, change: impl FnOnce(&mut Self) -> Result<(), RouterError>) -> Self {
        if self.error.is_none() {
            self.error = change(&mut self).err();
        }
        self.table = OnceLock::new();
        self
    }
}

impl Resolve for Router {
    type Hooks = SharedHooks;

    async fn start(self: &Arc<Self>, hub: &Hub) -> HookResult {
        let table = self.table().map_err(Clone::clone)?;
        for hooks in &self.globals {
            hooks.start(hub).await?;
        }
        for (pattern, hooks) in table.hooks() {
            Starting::set(hub, Some(pattern));
            hooks.start(hub).await?;
        }
        Starting::set(hub, None);
        Ok(())
    }

    async fn resolve(self: &Arc<Self>, request: &mut UpgradeRequest) -> Resolution<SharedHooks> {
        if !self.switch.is_on() {
            return Resolution::Pass;
        }
        let table = match self.table() {
            Ok(table) => table,
            Err(error) => return Rejection::internal(error.clone()).into(),
        };
        match table.find(request.path()) {
            Ok(Some(route)) => route.into(),
            Ok(None) => Resolution::Pass,
            Err(error) => Rejection::new(StatusCode::BAD_REQUEST, error.to_string())
                .with_source(error)
                .into(),
        }
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.routes()).finish()
    }
}

/// Wraps a route in the layers and settings of its router.
fn inside(
    mut route: RouteBuilder,
    layers: &[SharedLayer],
    settings: &RouteSettings,
) -> RouteBuilder {
    route.layers.splice(..0, layers.iter().cloned());
    route.settings = route.settings.inherit(settings);
    route
}

/// A route as its router knows it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RouteInfo<'r> {
    /// The pattern of the whole path, below this router.
    pub pattern: &'r Pattern,
    /// The settings from this route and from the routers that contain it, with its name.
    pub settings: RouteSettings,
}

impl RouteInfo<'_> {
    /// Returns the name.
    pub fn name(&self) -> Option<&Arc<str>> {
        self.settings.route_name()
    }
}

/// Whether a slash at the end of a path matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum TrailingSlash {
    /// `/chat` and `/chat/` are different paths.
    #[default]
    Matters,
    /// A route for one of them is for the other too, unless that has a route of its own.
    Optional,
}

/// Turns the routes of a router off and on while the server runs. Clones share it.
///
/// While the switch is off, every request passes on to the HTTP service, as if there were no
/// routes. Connected peers stay.
#[derive(Debug, Clone)]
pub struct Switch(Arc<AtomicBool>);

impl Switch {
    /// Turns the routes on or off.
    pub fn set(&self, on: bool) {
        self.0.store(on, Ordering::Release);
    }

    /// Returns whether the routes are on. They are on initially.
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Default for Switch {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

/// An error of the routes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouterError {
    /// A pattern that cannot be parsed or nested.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// Two patterns that match the same paths, neither of which takes precedence.
    #[error("the route `{pattern}` conflicts with the route `{existing}`")]
    Conflict {
        /// The pattern that was added later.
        pattern: Pattern,
        /// The pattern that it conflicts with.
        existing: Pattern,
    },
    /// Two fallbacks for one path.
    #[error("there are two fallbacks below `{0}`")]
    TwoFallbacks(Pattern),
    /// Two routes of one name.
    #[error("the routes `{pattern}` and `{existing}` both have the name `{name}`")]
    DuplicateName {
        /// The name.
        name: Arc<str>,
        /// The pattern of the route that was added later.
        pattern: Pattern,
        /// The pattern of the other route.
        existing: Pattern,
    },
}

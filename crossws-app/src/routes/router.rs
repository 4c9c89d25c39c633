pub(crate) mod error;
pub(crate) mod info;
mod layering;
mod resolving;
pub(crate) mod switch;
mod table;
pub(crate) mod trailing_slash;

use std::fmt;
use std::sync::OnceLock;

use crossws_core::{RouteSettings, SharedHooks};

use crate::description::Description;
use crate::layers::layer::SharedLayer;
use crate::routes::pattern::Pattern;
use crate::routes::route::{IntoRoute, RouteBuilder};
use crate::routes::router::error::RouterError;
use crate::routes::router::info::RouteInfo;
use crate::routes::router::switch::Switch;
use crate::routes::router::table::Table;
use crate::routes::router::trailing_slash::TrailingSlash;

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

impl Entry {
    fn new(pattern: Pattern, route: RouteBuilder) -> Self {
        Self {
            pattern,
            route,
            trailing_slash: None,
        }
    }
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
            let pattern = Pattern::parse(pattern)?;
            router.routes.push(Entry::new(pattern, route));
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
            // It has no effect: the other router is a part of this one.
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
        let entry = Entry::new(Pattern::root(), route.into_route());
        self.change(|router| {
            router.fallbacks.push(entry);
            Ok(())
        })
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
        for (index, entry) in self.routes.iter().enumerate() {
            let slash = entry.trailing_slash.or(self.trailing_slash);
            if slash == Some(TrailingSlash::Optional) {
                table.insert_other_slash(index);
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

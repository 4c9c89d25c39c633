use std::fmt;
use std::sync::Arc;

use crossws_core::adapter::sync::Mutex;
use crossws_core::{
    BeforeUpgrade, BoxFuture, HookResult, Hooks, Hub, Params, Rejection, Route, RouteSettings,
    SharedHooks, UpgradeRequest,
};

use crate::layers::layer::SharedLayer;
use crate::routes::route::RouteBuilder;

/// A route for a framework that matches paths itself: [`RouteBuilder::prepare`] returns it. Cheap to
/// clone; clones are one route.
///
/// ```
/// # use crossws_core::*;
/// # use crossws_app::*;
/// let prepared = route(hooks()).prepare();
/// let route = prepared.route("/rooms/{room}", [("room", "7")].into_iter().collect());
/// ```
#[derive(Clone)]
pub struct PreparedRoute(Arc<Inner>);

struct Inner {
    hooks: Arc<SharedHooks>,
    before: Option<Arc<dyn BeforeUpgrade>>,
    settings: RouteSettings,
    /// One for each pattern under which the framework has the route: few, and all known after the
    /// first requests.
    patterns: Mutex<Vec<Arc<RouteSettings>>>,
}

impl RouteBuilder {
    /// Returns the route for a framework that matches paths itself, such as axum.
    pub fn prepare(self) -> PreparedRoute {
        PreparedRoute::new(self)
    }
}

impl PreparedRoute {
    fn new(route: RouteBuilder) -> Self {
        let (hooks, before, settings) = layered(route);
        Self(Arc::new(Inner {
            hooks: Arc::new(hooks),
            before,
            settings,
            patterns: Mutex::default(),
        }))
    }

    /// Runs the `start` hook. Must be called once, before the first connection.
    ///
    /// # Errors
    /// The error that the hook returned, or the [`SettingsError`](crossws_core::SettingsError) of the route.
    pub async fn start(&self, hub: &Hub) -> HookResult {
        self.0.settings.validate_on(hub.settings())?;
        self.0.hooks.start(hub).await
    }

    /// Returns the route of a request, for the framework's pattern and its parameters. The
    /// connections of one pattern share their settings.
    pub fn route(&self, pattern: &str, params: Params) -> Route<SharedHooks> {
        let inner = &self.0;
        let route = Route::new(Arc::clone(&inner.hooks)).params(params);
        let route = route.settings(&self.settings(pattern));
        match &inner.before {
            Some(before) => route.before(Arc::clone(before)),
            None => route,
        }
    }

    fn settings(&self, pattern: &str) -> Arc<RouteSettings> {
        let mut patterns = self.0.patterns.lock();
        let known =
            |settings: &&Arc<RouteSettings>| settings.pattern().is_some_and(|it| **it == *pattern);
        if let Some(settings) = patterns.iter().find(known) {
            return Arc::clone(settings);
        }
        let settings = Arc::new(self.0.settings.clone().route(pattern));
        patterns.push(Arc::clone(&settings));
        settings
    }
}

impl fmt::Debug for PreparedRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedRoute")
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}

/// Returns the parts of a route: its hooks inside of its layers, the layers that run before them,
/// its settings.
pub(crate) fn layered(
    route: RouteBuilder,
) -> (SharedHooks, Option<Arc<dyn BeforeUpgrade>>, RouteSettings) {
    let RouteBuilder {
        mut hooks,
        layers,
        settings,
        // The framework's own table knows the pattern.
        about: _,
    } = route;
    for layer in layers.iter().rev() {
        hooks = layer.wrap(hooks);
    }
    let before = (!layers.is_empty()).then(|| Arc::new(Layers(layers)) as _);
    (hooks, before, settings)
}

/// The layers of a route, the outermost first.
struct Layers(Vec<SharedLayer>);

impl BeforeUpgrade for Layers {
    fn run<'a>(&'a self, request: &'a mut UpgradeRequest) -> BoxFuture<'a, Result<(), Rejection>> {
        Box::pin(async move {
            for layer in &self.0 {
                if !(request.is_admitted() && layer.decides_who()) {
                    layer.before(request).await?;
                }
            }
            Ok(())
        })
    }
}

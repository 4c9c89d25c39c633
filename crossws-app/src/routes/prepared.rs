use std::sync::Arc;

use crossws_core::adapter::sync::Mutex;
use crossws_core::{
    BeforeUpgrade, BoxFuture, HookResult, Hooks, Hub, Params, Rejection, Route, RouteSettings,
    SharedHooks, UpgradeRequest, opaque_debug,
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
pub struct PreparedRoute(Arc<RouteParts>);

struct RouteParts {
    layered: Layered,
    settings: RouteSettings,
    /// One for each pattern under which the framework has the route: few, and all known after the
    /// first requests.
    patterns: Mutex<Vec<Arc<RouteSettings>>>,
}

impl RouteBuilder {
    /// Returns the route for a framework that matches paths itself, such as axum.
    pub fn prepare(self) -> PreparedRoute {
        let (layered, settings) = Layered::new(self);
        PreparedRoute(Arc::new(RouteParts {
            layered,
            settings,
            patterns: Mutex::default(),
        }))
    }
}

impl PreparedRoute {
    /// Runs the `start` hook. Must be called once, before the first connection.
    ///
    /// # Errors
    /// The error that the hook returned, or the [`SettingsError`](crossws_core::SettingsError) of the route.
    pub async fn start(&self, hub: &Hub) -> HookResult {
        self.0.settings.validate_on(hub.settings())?;
        self.0.layered.hooks.start(hub).await
    }

    /// Returns the route of a request, for the framework's pattern and its parameters. The
    /// connections of one pattern share their settings.
    pub fn route(&self, pattern: &str, params: Params) -> Route<SharedHooks> {
        self.0.layered.route(params, &self.settings(pattern))
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

opaque_debug!([] PreparedRoute, self => settings: self.0.settings);

/// The hooks of a route inside of its layers, ready for any number of connections.
pub(crate) struct Layered {
    pub(crate) hooks: Arc<SharedHooks>,
    before: Option<Arc<dyn BeforeUpgrade>>,
}

impl Layered {
    /// Returns the hooks of a route, and its settings.
    pub(crate) fn new(route: RouteBuilder) -> (Self, RouteSettings) {
        let RouteBuilder {
            mut hooks,
            layers,
            settings,
            // The framework's own table knows the pattern.
            about: _,
        } = route;
        for layer in layers.iter().rev() {
            hooks = layer.wrap_dyn(hooks);
        }
        let layered = Self {
            hooks: Arc::new(hooks),
            before: (!layers.is_empty()).then(|| Arc::new(Layers(layers)) as _),
        };
        (layered, settings)
    }

    /// Returns the route of a connection.
    pub(crate) fn route(
        &self,
        params: Params,
        settings: &Arc<RouteSettings>,
    ) -> Route<SharedHooks> {
        let route = Route::new(Arc::clone(&self.hooks));
        let route = route.params(params).settings(settings);
        match &self.before {
            Some(before) => route.before(Arc::clone(before)),
            None => route,
        }
    }
}

/// The layers of a route, the outermost first.
struct Layers(Vec<SharedLayer>);

impl BeforeUpgrade for Layers {
    fn run<'a>(&'a self, request: &'a mut UpgradeRequest) -> BoxFuture<'a, Result<(), Rejection>> {
        Box::pin(async move {
            for layer in &self.0 {
                if !(request.is_admitted() && layer.decides_who_dyn()) {
                    layer.before_dyn(request).await?;
                }
            }
            Ok(())
        })
    }
}

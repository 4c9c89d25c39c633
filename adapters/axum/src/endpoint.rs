use std::fmt;
use std::sync::Arc;

use crossws_app::{IntoRoute, PreparedRoute};
use crossws_core::{HookResult, Hub, Params, Resolution, Resolve, SharedHooks, UpgradeRequest};
use tokio::sync::OnceCell;

/// The hooks of [`WebSockets::upgrade`](crate::WebSockets::upgrade), or
/// [`route`](crossws_app::route)`(hooks)` with settings. Cheap to clone: create it once and keep it
/// in the app's state: see [`WebSockets`](crate::WebSockets).
///
/// The `start` hook runs before the first upgrade, because axum has no event for the start of an
/// app. If the hook fails, that upgrade is refused with 503, and the next one runs it again.
#[derive(Clone)]
pub struct Endpoint {
    pub(crate) route: PreparedRoute,
    pub(crate) started: Arc<OnceCell<()>>,
}

impl Endpoint {
    /// Creates an endpoint.
    pub fn new(route: impl IntoRoute) -> Self {
        Self {
            route: route.into_route().prepare(),
            started: Arc::default(),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.route.fmt(f)
    }
}

/// The route that axum matched.
pub(crate) struct Matched {
    pub(crate) route: PreparedRoute,
    pub(crate) pattern: String,
    pub(crate) params: Params,
}

impl Resolve for Matched {
    type Hooks = SharedHooks;

    async fn resolve(self: &Arc<Self>, _: &mut UpgradeRequest) -> Resolution<SharedHooks> {
        self.route.route(&self.pattern, self.params.clone()).into()
    }

    async fn start(self: &Arc<Self>, hub: &Hub) -> HookResult {
        self.route.start(hub).await
    }
}

use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use crossws_app::{IntoRoute, PreparedRoute};
use crossws_core::{
    HookResult, Hub, Params, Rejection, Resolution, Resolve, SharedHooks, UpgradeRequest,
};
use crossws_tokio::Acceptor;
use tokio::sync::OnceCell;

/// The hooks of [`WebSockets::upgrade`](crate::WebSockets::upgrade), or
/// [`route`](crossws_app::route)`(hooks)` with settings. Cheap to clone: create it once and keep it
/// in the app's state: see [`WebSockets`](crate::WebSockets).
///
/// The `start` hook runs before the first upgrade, because axum has no event for the start of an
/// app. If the hook fails, that upgrade is refused with 503, and the next one runs it again.
#[derive(Clone)]
pub struct Endpoint {
    route: PreparedRoute,
    started: Arc<OnceCell<()>>,
}

impl Endpoint {
    /// Creates an endpoint.
    pub fn new(route: impl IntoRoute) -> Self {
        Self {
            route: route.into_route().prepare(),
            started: Arc::default(),
        }
    }

    pub(crate) async fn upgrade(
        &self,
        hub: Hub,
        request: Request<()>,
        pattern: String,
        params: Params,
    ) -> Response<Body> {
        let matched = Matched {
            route: self.route.clone(),
            pattern,
            params,
        };
        let acceptor = Acceptor::sharing_hub(matched, hub);
        // The error has already been logged.
        if self
            .started
            .get_or_try_init(|| acceptor.start())
            .await
            .is_err()
        {
            let rejection = Rejection::unavailable("the application has not started");
            return rejection.into_response().map(Body::from);
        }
        match acceptor.handle_upgrade(request).await {
            Ok(response) => response.into_response(),
            // The hooks passed the request on, but no service follows.
            Err(_) => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.route.fmt(f)
    }
}

/// The route that axum matched.
struct Matched {
    route: PreparedRoute,
    pattern: String,
    params: Params,
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

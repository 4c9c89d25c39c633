//! The requests of a router, once a server has it.

use std::sync::Arc;

use crossws_core::http::StatusCode;
use crossws_core::{
    HookResult, Hooks, Hub, Rejection, Resolution, Resolve, SharedHooks, UpgradeRequest,
};

use crate::calls::connection::Starting;
use crate::routes::router::Router;

impl Resolve for Router {
    type Hooks = SharedHooks;

    async fn start(self: &Arc<Self>, hub: &Hub) -> HookResult {
        let table = self.table().map_err(Clone::clone)?;
        table.check_on(hub)?;
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

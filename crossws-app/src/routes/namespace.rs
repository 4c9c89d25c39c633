use std::sync::Arc;

use crossws_core::{
    Hooks, MaybeSend, MaybeSync, Rejection, SharedHooks, Upgrade, UpgradeRequest, Wrap,
};

/// Hooks of a route whose peers have a namespace of this name: see
/// [`RouteBuilder::namespace`](crate::RouteBuilder::namespace).
pub(crate) struct Named<F> {
    pub(crate) name: Arc<F>,
    pub(crate) hooks: SharedHooks,
}

impl<F, N> Wrap for Named<F>
where
    F: Fn(&UpgradeRequest) -> Result<N, Rejection> + MaybeSend + MaybeSync + 'static,
    N: Into<Arc<str>>,
{
    type Inner = SharedHooks;

    fn inner(&self) -> &SharedHooks {
        &self.hooks
    }

    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        let name: Arc<str> = (self.name)(request)?.into();
        let upgrade = self.hooks.upgrade(request).await?;
        Ok(upgrade.inherit(Upgrade::new().namespace(name)))
    }
}

use std::sync::Arc;

use crossws_core::{
    Hooks, MaybeSend, MaybeSync, Rejection, SharedHooks, Upgrade, UpgradeRequest, Wrap, wrap,
};

use crate::layers::layer::Layer;

/// Names the namespace of a route's peers: see
/// [`RouteBuilder::namespace`](crate::RouteBuilder::namespace).
pub(crate) struct Namespace<F>(Arc<F>);

impl<F> Namespace<F> {
    pub(crate) fn new(name: F) -> Self {
        Self(Arc::new(name))
    }
}

impl<F, N> Layer for Namespace<F>
where
    F: Fn(&UpgradeRequest) -> Result<N, Rejection> + MaybeSend + MaybeSync + 'static,
    N: Into<Arc<str>>,
{
    fn wrap(&self, hooks: SharedHooks) -> SharedHooks {
        let name = Arc::clone(&self.0);
        SharedHooks::new(wrap(Named { name, hooks }))
    }
}

struct Named<F> {
    name: Arc<F>,
    hooks: SharedHooks,
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

use std::sync::Arc;

use crate::bounds::{MaybeSend, MaybeSync};
use crate::{Hooks, Params, UpgradeRequest};

/// Chooses the hooks for a request, once per connection. `None` claims nothing: the request goes
/// back untouched to the caller's HTTP service.
///
/// All hooks resolve to themselves, so that a single app is passed as it is. Of several apps of
/// different types, resolve to [`SharedHooks`](crate::SharedHooks).
pub trait Resolve: MaybeSend + MaybeSync + 'static {
    /// The hooks this resolves to.
    type Hooks: Hooks + ?Sized;

    /// The hooks for this request, or `None`.
    fn resolve(
        self: &Arc<Self>,
        request: &UpgradeRequest,
    ) -> impl Future<Output = Option<Route<Self::Hooks>>> + MaybeSend;
}

impl<H: Hooks> Resolve for H {
    type Hooks = H;

    async fn resolve(self: &Arc<Self>, _: &UpgradeRequest) -> Option<Route<H>> {
        Some(Route::new(Arc::clone(self)))
    }
}

/// The hooks chosen for a request, with what the route's pattern matched.
#[derive(Debug)]
pub struct Route<H: ?Sized> {
    pub(crate) hooks: Arc<H>,
    pub(crate) params: Params,
}

impl<H: ?Sized> Route<H> {
    /// A route to these hooks.
    pub fn new(hooks: Arc<H>) -> Self {
        Self {
            hooks,
            params: Params::default(),
        }
    }

    /// Adds route parameters, which every hook then reads with `UpgradeRequest::params`.
    #[must_use]
    pub fn params(mut self, params: Params) -> Self {
        self.params = params;
        self
    }
}

impl<H: ?Sized> From<Arc<H>> for Route<H> {
    fn from(hooks: Arc<H>) -> Self {
        Self::new(hooks)
    }
}

/// A resolver from a function: `resolve_with(|req| (req.path() == "/ws").then(|| chat.clone()))`.
///
/// For a choice that awaits, implement [`Resolve`].
pub fn resolve_with<F, H>(choose: F) -> ResolveWith<F>
where
    F: Fn(&UpgradeRequest) -> Option<Arc<H>> + MaybeSend + MaybeSync + 'static,
    H: Hooks + ?Sized,
{
    ResolveWith(choose)
}

/// See [`resolve_with`].
#[derive(Clone)]
pub struct ResolveWith<F>(F);

impl<F> std::fmt::Debug for ResolveWith<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResolveWith(..)")
    }
}

impl<F, H> Resolve for ResolveWith<F>
where
    F: Fn(&UpgradeRequest) -> Option<Arc<H>> + MaybeSend + MaybeSync + 'static,
    H: Hooks + ?Sized,
{
    type Hooks = H;

    async fn resolve(self: &Arc<Self>, request: &UpgradeRequest) -> Option<Route<H>> {
        (self.0)(request).map(Route::new)
    }
}

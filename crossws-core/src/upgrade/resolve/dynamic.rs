use std::sync::Arc;

use crate::bounds::{BoxFuture, MaybeSend, MaybeSync};
use crate::hooks::dyn_hooks::{DynHooks, SharedHooks};
use crate::hooks::output::HookResult;
use crate::hub::Hub;
use crate::opaque_debug;
use crate::upgrade::request::UpgradeRequest;
use crate::upgrade::resolve::{Resolution, Resolve};

/// A resolver with an erased type: `Arc<dyn DynResolve>` is itself a [`Resolve`].
///
/// Implemented for all resolvers, and cannot be implemented by hand. Its future is boxed once per
/// connection, and each hook's with every call: see [`DynHooks`].
///
/// ```
/// # use std::sync::Arc;
/// # use crossws_core::{DynResolve, Resolve, hooks};
/// fn app(maintenance: bool) -> Arc<dyn DynResolve> {
///     match maintenance {
///         true => Arc::new(hooks().on_open(|peer| async move { peer.send("back soon") })),
///         false => Arc::new(hooks().on_message(|peer, message| async move { peer.send(message) })),
///     }
/// }
/// fn serve(_: impl Resolve) {}
/// serve(app(true));
/// ```
pub trait DynResolve: MaybeSend + MaybeSync + 'static {
    /// [`Resolve::resolve`], boxed.
    fn resolve_dyn<'a>(
        self: Arc<Self>,
        request: &'a mut UpgradeRequest,
    ) -> BoxFuture<'a, Resolution<dyn DynHooks>>;

    /// [`Resolve::start`], boxed.
    fn start_dyn<'a>(self: Arc<Self>, hub: &'a Hub) -> BoxFuture<'a, HookResult>;
}

impl<R: Resolve> DynResolve for R {
    fn resolve_dyn<'a>(
        self: Arc<Self>,
        request: &'a mut UpgradeRequest,
    ) -> BoxFuture<'a, Resolution<dyn DynHooks>> {
        Box::pin(async move { self.resolve(request).await.map(SharedHooks::erase) })
    }

    fn start_dyn<'a>(self: Arc<Self>, hub: &'a Hub) -> BoxFuture<'a, HookResult> {
        Box::pin(async move { Resolve::start(&self, hub).await })
    }
}

impl Resolve for Arc<dyn DynResolve> {
    type Hooks = dyn DynHooks;

    async fn start(self: &Arc<Self>, hub: &Hub) -> HookResult {
        Arc::clone(&**self).start_dyn(hub).await
    }

    async fn resolve(self: &Arc<Self>, request: &mut UpgradeRequest) -> Resolution<dyn DynHooks> {
        Arc::clone(&**self).resolve_dyn(request).await
    }
}

/// A shared resolver with an erased type, as a named type: for an acceptor in an app's state.
///
/// Inside generic futures the compiler can prove less about `Arc<dyn DynResolve>` than about this
/// type, as with [`SharedHooks`] and `dyn DynHooks`.
///
/// ```
/// # use crossws_core::*;
/// struct AppState {
///     sockets: SharedResolver,
/// }
///
/// let state = AppState { sockets: SharedResolver::new(hooks()) };
/// ```
#[derive(Clone)]
pub struct SharedResolver(Arc<dyn DynResolve>);

impl SharedResolver {
    /// Erases the type of this resolver, or of these hooks.
    pub fn new(resolver: impl Resolve) -> Self {
        Self(Arc::new(resolver))
    }
}

impl From<Arc<dyn DynResolve>> for SharedResolver {
    fn from(resolver: Arc<dyn DynResolve>) -> Self {
        Self(resolver)
    }
}

opaque_debug!(SharedResolver);

impl Resolve for SharedResolver {
    type Hooks = SharedHooks;

    async fn start(self: &Arc<Self>, hub: &Hub) -> HookResult {
        Arc::clone(&self.0).start_dyn(hub).await
    }

    async fn resolve(self: &Arc<Self>, request: &mut UpgradeRequest) -> Resolution<SharedHooks> {
        let resolution = Arc::clone(&self.0).resolve_dyn(request).await;
        resolution.map(|hooks| Arc::new(SharedHooks::from(hooks)))
    }
}

use std::sync::Arc;

use crate::hooks::output::HookResult;
use crate::hub::Hub;
use crate::opaque_debug;
use crate::sync::Mutex;
use crate::upgrade::request::UpgradeRequest;
use crate::upgrade::resolve::{Resolution, Resolve};

/// A resolver that can be replaced while the server runs: to reload routes, or turn sockets off. A
/// cheap handle; keep a clone and pass the other to the server.
///
/// Peers keep their hooks; upgrades that begin after [`set`](Self::set) get the new ones. For
/// resolvers of different types swap an `Arc<dyn DynResolve>` ([`DynResolve`](crate::DynResolve)).
///
/// ```
/// # use std::sync::Arc;
/// # use crossws_core::{DynResolve, Swap, hooks, resolve_with, Route, HooksBuilder};
/// let app: Arc<dyn DynResolve> = Arc::new(hooks());
/// let app = Swap::new(app);
/// let for_the_server = app.clone();
/// // Later: no more sockets, every request goes to the HTTP service.
/// app.set(Arc::new(resolve_with(|_| None::<Route<HooksBuilder>>)));
/// ```
pub struct Swap<R>(Arc<Mutex<Arc<R>>>);

impl<R: Resolve> Swap<R> {
    /// Creates a swap with its first resolver.
    pub fn new(resolver: R) -> Self {
        Self(Arc::new(Mutex::new(Arc::new(resolver))))
    }

    /// Replaces the resolver. Requests that are being resolved stay with the old one. Runs no
    /// `start` hook: for hooks that have one, await [`Resolve::start`] before.
    pub fn set(&self, resolver: R) {
        let new = Arc::new(resolver);
        // Dropped without the lock: its destructor is user code.
        let _old = std::mem::replace(&mut *self.0.lock(), new);
    }

    /// Returns the current resolver.
    pub fn get(&self) -> Arc<R> {
        Arc::clone(&self.0.lock())
    }
}

impl<R: Resolve> Resolve for Swap<R> {
    type Hooks = R::Hooks;

    async fn start(self: &Arc<Self>, hub: &Hub) -> HookResult {
        let resolver = self.get();
        Resolve::start(&resolver, hub).await
    }

    async fn resolve(self: &Arc<Self>, request: &mut UpgradeRequest) -> Resolution<R::Hooks> {
        let resolver = self.get();
        resolver.resolve(request).await
    }
}

impl<R> Clone for Swap<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

opaque_debug!(Swap<R>);

use std::borrow::Cow;
use std::sync::Arc;

use crate::hub::settings::RouteSettings;
use crate::upgrade::request::Params;
use crate::upgrade::resolve::BeforeUpgrade;

/// The hooks chosen for a request, with the parameters that the route's pattern matched and the
/// route's settings.
///
/// ```
/// # use std::sync::Arc;
/// # use crossws_core::{Hooks, Params, Route, UpgradeRequest};
/// /// The room of `/rooms/7`, which hooks read as `peer.params().get("room")`.
/// fn room<H: Hooks>(rooms: &Arc<H>, request: &UpgradeRequest) -> Option<Route<H>> {
///     let room = request.path().strip_prefix("/rooms/")?;
///     Some(Route::new(Arc::clone(rooms)).params(Params::from_iter([("room", room)])))
/// }
/// ```
pub struct Route<H: ?Sized> {
    pub(crate) hooks: Arc<H>,
    pub(crate) params: Params,
    pub(crate) namespace: Option<Arc<str>>,
    /// Whether the path is its own normal form, and so the default namespace.
    pub(crate) path_is_normal: bool,
    pub(crate) settings: Option<Arc<RouteSettings>>,
    pub(crate) before: Option<Arc<dyn BeforeUpgrade>>,
}

impl<H: ?Sized> Route<H> {
    /// Creates a route to these hooks, without parameters, with the hub's settings.
    pub fn new(hooks: Arc<H>) -> Self {
        Self {
            hooks,
            params: Params::default(),
            namespace: None,
            path_is_normal: false,
            settings: None,
            before: None,
        }
    }

    /// Adds route parameters, which every hook then reads with [`UpgradeRequest::params`](crate::UpgradeRequest::params).
    #[must_use]
    pub fn params(mut self, params: Params) -> Self {
        self.params = params;
        self
    }

    /// Sets the default namespace, in place of the path in its [normal form](crate::normal_path).
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<Arc<str>>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Sets the [normal form](crate::normal_path) of the request's path, for a resolver that knows
    /// it: it is not computed again.
    #[must_use]
    pub fn normal_path(mut self, path: Cow<'_, str>) -> Self {
        match path {
            Cow::Borrowed(_) => self.path_is_normal = true,
            Cow::Owned(path) => self.namespace = Some(Arc::from(path)),
        }
        self
    }

    /// Adds the route's pattern, name and settings. Create them once per route, so that its peers
    /// share them.
    #[must_use]
    pub fn settings(mut self, settings: &Arc<RouteSettings>) -> Self {
        self.settings = Some(Arc::clone(settings));
        self
    }

    /// Adds the code that runs before the `upgrade` hook, such as a router's layers.
    #[must_use]
    pub fn before(mut self, before: Arc<dyn BeforeUpgrade>) -> Self {
        self.before = Some(before);
        self
    }

    /// Returns the hooks.
    pub fn hooks(&self) -> &Arc<H> {
        &self.hooks
    }

    /// Returns this route with other hooks: for wrappers.
    pub fn map<W: ?Sized>(self, wrap: impl FnOnce(Arc<H>) -> Arc<W>) -> Route<W> {
        Route {
            hooks: wrap(self.hooks),
            params: self.params,
            namespace: self.namespace,
            path_is_normal: self.path_is_normal,
            settings: self.settings,
            before: self.before,
        }
    }
}

impl<H: ?Sized> From<Arc<H>> for Route<H> {
    fn from(hooks: Arc<H>) -> Self {
        Self::new(hooks)
    }
}

crate::opaque_debug!([H: ?Sized] Route<H>, self => params: self.params, settings: self.settings);

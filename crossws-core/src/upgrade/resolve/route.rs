use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::hub::settings::RouteSettings;
use crate::upgrade::request::Params;
use crate::upgrade::resolve::BeforeUpgrade;

/// The hooks chosen for a request, with what the route's pattern matched and what is configured
/// for the route.
pub struct Route<H: ?Sized> {
    pub(crate) hooks: Arc<H>,
    pub(crate) params: Params,
    pub(crate) namespace: Option<Arc<str>>,
    /// Without another one the path is the namespace, as it is.
    pub(crate) path_is_normal: bool,
    pub(crate) settings: Option<Arc<RouteSettings>>,
    pub(crate) before: Option<Arc<dyn BeforeUpgrade>>,
}

impl<H: ?Sized> Route<H> {
    /// A route to these hooks, without parameters, with the hub's settings.
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

    /// Names the default namespace, in place of the path in its [normal form](crate::normal_path).
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<Arc<str>>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Says what the [normal form](crate::normal_path) of the request's path is, for a resolver that knows
    /// it: it is not computed again.
    #[must_use]
    pub fn normal_path(mut self, path: Cow<'_, str>) -> Self {
        match path {
            Cow::Borrowed(_) => self.path_is_normal = true,
            Cow::Owned(path) => self.namespace = Some(Arc::from(path)),
        }
        self
    }

    /// Adds the route's pattern, name and settings. Made once per route, so that its peers share
    /// them.
    #[must_use]
    pub fn settings(mut self, settings: &Arc<RouteSettings>) -> Self {
        self.settings = Some(Arc::clone(settings));
        self
    }

    /// Adds what runs before the `upgrade` hook, such as a router's layers.
    #[must_use]
    pub fn before(mut self, before: Arc<dyn BeforeUpgrade>) -> Self {
        self.before = Some(before);
        self
    }

    /// The hooks.
    pub fn hooks(&self) -> &Arc<H> {
        &self.hooks
    }

    /// This route to other hooks: for what wraps them.
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

impl<H: ?Sized> fmt::Debug for Route<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("params", &self.params)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

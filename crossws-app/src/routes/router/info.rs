use std::sync::Arc;

use crossws_core::RouteSettings;

use crate::routes::pattern::Pattern;

/// A route as its router knows it.
///
/// ```
/// # use crossws_core::*;
/// # use crossws_app::*;
/// fn shown(route: RouteInfo<'_>) -> String {
///     let name = route.name().map_or("unnamed", |name| name);
///     format!("{} {name}", route.pattern)
/// }
///
/// let app = Router::new().route("/chat", route(hooks()).name("chat"));
/// assert_eq!(app.routes().next().map(shown).as_deref(), Some("/chat chat"));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RouteInfo<'r> {
    /// The pattern of the whole path, below this router.
    pub pattern: &'r Pattern,
    /// The settings from this route and from the routers that contain it, with its name.
    pub settings: RouteSettings,
}

impl RouteInfo<'_> {
    /// Returns the name.
    pub fn name(&self) -> Option<&Arc<str>> {
        self.settings.route_name()
    }
}

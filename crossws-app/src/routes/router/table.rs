//! The routes of a router in the form for matching.

use std::collections::HashMap;
use std::sync::Arc;

use crossws_core::{Hub, Params, PathNotUtf8, Route, RouteSettings, SharedHooks};

use crate::request::path::{decode, normalize};
use crate::routes::pattern::Pattern;
use crate::routes::prepared::Layered;
use crate::routes::route::RouteBuilder;
use crate::routes::router::error::RouterError;

/// The name of the parameter that matches the rest of a fallback's path. A pattern cannot have it.
const REST: &str = ".rest";

#[derive(Default)]
pub(super) struct Table {
    routes: Vec<Found>,
    matcher: matchit::Router<Target>,
    fallbacks: Vec<Found>,
    /// Separate, because a catch-all may be a route of its own.
    fallback_matcher: matchit::Router<usize>,
    /// By the names that `Hub::route` takes: a route's own, or its pattern.
    names: HashMap<String, usize>,
}

/// The target of a pattern.
#[derive(Clone, Copy)]
struct Target {
    index: usize,
    /// The path has the other slash than the route's own pattern.
    other_slash: bool,
}

/// A route, ready for any number of connections.
struct Found {
    pattern: Pattern,
    layered: Layered,
    settings: Arc<RouteSettings>,
}

impl Table {
    pub(super) fn insert(
        &mut self,
        pattern: &Pattern,
        route: RouteBuilder,
    ) -> Result<(), RouterError> {
        let index = self.routes.len();
        let other_slash = false;
        let target = Target { index, other_slash };
        if self.matcher.insert(pattern.to_matchit(), target).is_err() {
            return Err(RouterError::Conflict {
                pattern: pattern.clone(),
                existing: self.conflicting(pattern).clone(),
            });
        }
        let name = route.settings.route_name();
        // The name in one spelling, if it is spelled like a pattern.
        let spelled = name.and_then(|name| Pattern::parse(name).ok());
        let key = match (&spelled, name) {
            (None, Some(name)) => name.to_string(),
            (Some(spelled), _) => spelled.to_string(),
            (None, None) => pattern.to_string(),
        };
        if let Some(existing) = self.names.insert(key.clone(), index) {
            return Err(RouterError::DuplicateName {
                name: name.cloned().unwrap_or_else(|| Arc::from(&key[1..])),
                pattern: pattern.clone(),
                existing: self.routes[existing].pattern.clone(),
            });
        }
        self.routes.push(Found::new(pattern.clone(), route)?);
        Ok(())
    }

    /// Returns the route that a pattern conflicts with.
    fn conflicting<'a>(&'a self, pattern: &'a Pattern) -> &'a Pattern {
        let conflicts = |existing: &&Pattern| {
            let mut two = matchit::Router::new();
            let inserted = two.insert(existing.to_matchit(), ());
            inserted.is_ok() && two.insert(pattern.to_matchit(), ()).is_err()
        };
        let mut existing = self.routes.iter().map(|route| &route.pattern);
        // A pattern that conflicts with several together conflicts with one of them.
        existing.find(conflicts).unwrap_or(pattern)
    }

    /// Adds a route's path with the other slash, unless another route takes it.
    pub(super) fn insert_other_slash(&mut self, index: usize) {
        if let Some(other) = self.routes[index].pattern.other_slash() {
            let other_slash = true;
            let target = Target { index, other_slash };
            // An error means that another route has it.
            let _ = self.matcher.insert(other.to_matchit(), target);
        }
    }

    pub(super) fn insert_fallback(
        &mut self,
        below: &Pattern,
        route: RouteBuilder,
    ) -> Result<(), RouterError> {
        let index = self.fallbacks.len();
        let path = below.to_matchit();
        let path = path.trim_end_matches('/');
        for pattern in [
            path.to_owned(),
            format!("{path}/"),
            format!("{path}/{{*{REST}}}"),
        ] {
            if !pattern.is_empty() && self.fallback_matcher.insert(pattern, index).is_err() {
                return Err(RouterError::TwoFallbacks(below.clone()));
            }
        }
        self.fallbacks.push(Found::new(below.clone(), route)?);
        Ok(())
    }

    /// Returns the hooks of each route and fallback, and the pattern by which their peers know the route.
    pub(super) fn hooks(&self) -> impl Iterator<Item = (Arc<str>, &SharedHooks)> {
        let all = self.routes.iter().chain(&self.fallbacks);
        all.map(|route| (route.pattern.to_string().into(), &*route.layered.hooks))
    }

    /// Checks the settings of each route and fallback on this hub.
    pub(super) fn check_on(&self, hub: &Hub) -> Result<(), RouterError> {
        let mut all = self.routes.iter().chain(&self.fallbacks);
        all.try_for_each(|route| {
            let checked = route.settings.validate_on(hub.settings());
            checked.map_err(|error| RouterError::Settings {
                pattern: route.pattern.clone(),
                error,
            })
        })
    }

    /// Returns the route of a path as it was sent.
    pub(super) fn find(&self, path: &str) -> Result<Option<Route<SharedHooks>>, PathNotUtf8> {
        let path = normalize(path)?;
        let found = match self.matcher.at(&path) {
            Ok(found) => {
                let route = self.routes[found.value.index].route(&found.params);
                if found.value.other_slash {
                    // Both paths are one, and so is their namespace.
                    return Ok(Some(route.namespace(other_slash(&path))));
                }
                route
            }
            Err(_) => match self.fallback_matcher.at(&path) {
                Ok(found) => self.fallbacks[*found.value].route(&found.params),
                Err(_) => return Ok(None),
            },
        };
        Ok(Some(found.normal_path(path)))
    }
}

/// Returns a path without the slash at its end, or with one.
fn other_slash(path: &str) -> Arc<str> {
    match path.strip_suffix('/') {
        Some(path) => Arc::from(path),
        None => Arc::from(format!("{path}/")),
    }
}

impl Found {
    fn new(pattern: Pattern, route: RouteBuilder) -> Result<Self, RouterError> {
        let (layered, settings) = Layered::new(route);
        if let Err(error) = settings.validate() {
            return Err(RouterError::Settings { pattern, error });
        }
        let settings = settings.route(pattern.to_string());
        Ok(Self {
            pattern,
            layered,
            settings: Arc::new(settings),
        })
    }

    fn route(&self, matched: &matchit::Params<'_, '_>) -> Route<SharedHooks> {
        let params: Params = matched
            .iter()
            .filter(|(name, _)| *name != REST)
            .map(|(name, value)| (name, decode(value)))
            .collect();
        self.layered.route(params, &self.settings)
    }
}

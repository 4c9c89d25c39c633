//! The connections of each route, so that a message to a route does not visit all peers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use smallvec::SmallVec;

use crate::hub::group::roster::Roster;
use crate::hub::settings::Settings;
use crate::observe::RouteSnapshot;
use crate::sort::sort_by;
use crate::sync::Mutex;

/// The connections of one route on one hub, in all namespaces.
pub(crate) struct RouteMembers {
    pattern: Option<Arc<str>>,
    name: Option<Arc<str>>,
    roster: Roster,
}

impl RouteMembers {
    fn new(settings: &Settings) -> Self {
        Self {
            pattern: settings.route().cloned(),
            name: settings.route_name().cloned(),
            roster: Roster::default(),
        }
    }

    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Returns the keys by which the route is found: that of its pattern, which begins with a
    /// slash, and that of its name, which is the pattern without the slash if it has none.
    fn keys(&self) -> impl Iterator<Item = String> {
        let pattern = self.pattern.as_deref().map(key);
        let own = self.name.as_deref().map(|name| key(name).into_owned());
        let name = own.or_else(|| Some(pattern.as_deref()?.trim_start_matches('/').to_owned()));
        [pattern.map(Cow::into_owned), name].into_iter().flatten()
    }

    fn is_of(&self, settings: &Settings) -> bool {
        self.pattern.as_ref() == settings.route() && self.name.as_ref() == settings.route_name()
    }
}

/// The routes of a hub, by their keys.
#[derive(Default)]
pub(crate) struct Routes(Mutex<State>);

#[derive(Default)]
struct State {
    by_key: HashMap<String, SmallVec<[Weak<RouteMembers>; 1]>>,
    /// How many keys there are when those without a route are removed.
    sweep_at: usize,
}

impl Routes {
    /// Returns the connections of the route with these settings; `None` if they belong to no route.
    pub(crate) fn of(&self, settings: &Settings) -> Option<Arc<RouteMembers>> {
        if settings.route().is_none() && settings.route_name().is_none() {
            return None;
        }
        let members = settings.members.0.get_or_init(|| self.register(settings));
        Some(Arc::clone(members))
    }

    fn register(&self, settings: &Settings) -> Arc<RouteMembers> {
        const FEW: usize = 64;
        let new = Arc::new(RouteMembers::new(settings));
        let mut state = self.0.lock();
        if state.by_key.len() >= state.sweep_at.max(FEW) {
            state.by_key.retain(|_, routes| {
                routes.retain(|route| route.strong_count() > 0);
                !routes.is_empty()
            });
            state.sweep_at = state.by_key.len() * 2;
        }
        for key in new.keys() {
            let routes = state.by_key.entry(key).or_default();
            routes.retain(|route| route.strong_count() > 0);
            let mut known = routes.iter().filter_map(Weak::upgrade);
            // The same route with settings that were created again: of a restored peer.
            if let Some(known) = known.find(|route| route.is_of(settings)) {
                return known;
            }
            routes.push(Arc::downgrade(&new));
        }
        new
    }

    /// Returns the connections of the routes with this pattern or name.
    pub(crate) fn find(&self, route: &str) -> SmallVec<[Arc<RouteMembers>; 1]> {
        let state = self.0.lock();
        let found = state.by_key.get(&*key(route));
        found.map_or_else(SmallVec::new, |found| {
            found.iter().filter_map(Weak::upgrade).collect()
        })
    }

    /// Returns the routes with connections, and how many each has.
    pub(crate) fn survey(&self) -> Vec<RouteSnapshot> {
        let state = self.0.lock();
        let mut routes: Vec<_> = state
            .by_key
            .values()
            .flatten()
            .filter_map(Weak::upgrade)
            .collect();
        drop(state);
        // Each is listed by its pattern and by its name.
        sort_by(&mut routes, |one, other| {
            Arc::as_ptr(one).cmp(&Arc::as_ptr(other))
        });
        routes.dedup_by(|one, other| Arc::ptr_eq(one, other));
        let counted = routes.iter().map(|route| RouteSnapshot {
            pattern: route.pattern.clone(),
            name: route.name.clone(),
            peers: route.roster().len(),
        });
        let mut counted: Vec<_> = counted.filter(|route| route.peers > 0).collect();
        sort_by(&mut counted, Ord::cmp);
        counted
    }
}

/// Caches the connections of a route in its settings, so that a new connection finds them without a
/// look-up. A copy of the settings starts with an empty cache.
#[derive(Default)]
pub(crate) struct MembersCell(OnceLock<Arc<RouteMembers>>);

impl Clone for MembersCell {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for MembersCell {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for MembersCell {}

impl fmt::Debug for MembersCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

/// Returns a pattern or a name in one spelling: `[id]` and `:id` as `{id}`, `[...rest]` as
/// `{*rest}`.
fn key(text: &str) -> Cow<'_, str> {
    if !text.contains(['[', ':']) {
        return Cow::Borrowed(text);
    }
    let mut key = String::with_capacity(text.len());
    for (number, segment) in text.split('/').enumerate() {
        if number > 0 {
            key.push('/');
        }
        let of_colon = segment.strip_prefix(':').map(|rest| {
            let is_name = |c: char| c.is_alphanumeric() || c == '_';
            rest.split_at(rest.find(|c| !is_name(c)).unwrap_or(rest.len()))
        });
        match of_colon {
            Some((name, suffix)) => key.extend(["{", name, "}", suffix]),
            None => key.push_str(
                &segment
                    .replace("[...", "{*")
                    .replace('[', "{")
                    .replace(']', "}"),
            ),
        }
    }
    Cow::Owned(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_spellings_of_a_pattern_are_one_key() {
        for (text, same) in [
            ("", ""),
            ("/", "/"),
            ("chat", "chat"),
            ("rooms/[id]", "rooms/{id}"),
            ("/rooms/:id", "/rooms/{id}"),
            ("/img-[id].png", "/img-{id}.png"),
            ("/:file.json/x", "/{file}.json/x"),
            ("files/[...rest]", "files/{*rest}"),
        ] {
            assert_eq!(key(text), same);
        }
    }

    #[test]
    fn routes_without_connections_are_forgotten() {
        let routes = Routes::default();
        for number in 0..1_000 {
            let pattern = Arc::from(format!("/rooms/{number}"));
            let settings = Settings::default().on_route(Some(pattern), None);
            routes.of(&settings);
        }
        assert!(routes.0.lock().by_key.len() < 200);
    }
}

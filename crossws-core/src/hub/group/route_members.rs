//! The connections of each route, so that a message to a route does not visit all peers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use smallvec::SmallVec;

use crate::peer::roster::{Roster, Rosters};
use crate::sort::sort_by;
use crate::sync::Mutex;

/// What a route is called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RouteNames {
    pub(crate) pattern: Option<Arc<str>>,
    pub(crate) name: Option<Arc<str>>,
}

/// The connections of one route on one hub, in all namespaces.
pub(crate) struct RouteMembers {
    pub(crate) names: RouteNames,
    pub(crate) roster: Arc<Roster>,
}

impl RouteNames {
    /// Returns the keys by which the route is found: that of its pattern, which begins with a
    /// slash, and that of its name, which is the pattern without the slash if it has none.
    fn keys(&self) -> impl Iterator<Item = String> {
        let pattern = self.pattern.as_deref().map(key);
        let own = self.name.as_deref().map(|name| key(name).into_owned());
        let name = own.or_else(|| Some(pattern.as_deref()?.trim_start_matches('/').to_owned()));
        [pattern.map(Cow::into_owned), name].into_iter().flatten()
    }
}

/// The routes of a hub, by their keys.
#[derive(Default)]
pub(crate) struct Routes(Mutex<RoutesByKey>);

#[derive(Default)]
struct RoutesByKey {
    by_key: HashMap<String, SmallVec<[Weak<RouteMembers>; 1]>>,
    /// How many keys there are when those without a route are removed.
    sweep_at: usize,
}

impl Routes {
    /// Returns the connections of this route, which may be known already; `None` if it has no names.
    pub(crate) fn of(&self, names: &RouteNames, known: &MembersCell) -> Option<Arc<RouteMembers>> {
        if *names == RouteNames::default() {
            return None;
        }
        let members = known.0.get_or_init(|| self.register(names));
        Some(Arc::clone(members))
    }

    fn register(&self, names: &RouteNames) -> Arc<RouteMembers> {
        const FEW: usize = 64;
        let new = Arc::new(RouteMembers {
            names: names.clone(),
            roster: Arc::default(),
        });
        let mut state = self.0.lock();
        if state.by_key.len() >= state.sweep_at.max(FEW) {
            state.by_key.retain(|_, routes| {
                routes.retain(|route| route.strong_count() > 0);
                !routes.is_empty()
            });
            state.sweep_at = state.by_key.len() * 2;
        }
        for key in names.keys() {
            let routes = state.by_key.entry(key).or_default();
            routes.retain(|route| route.strong_count() > 0);
            let mut known = routes.iter().filter_map(Weak::upgrade);
            // The same route with settings that were created again: of a restored peer.
            if let Some(known) = known.find(|route| route.names == *names) {
                return known;
            }
            routes.push(Arc::downgrade(&new));
        }
        new
    }

    /// Returns the connections of the routes with this pattern or name.
    pub(crate) fn find(&self, route: &str) -> Rosters {
        let state = self.0.lock();
        let found = state.by_key.get(&*key(route)).into_iter().flatten();
        let found = found.filter_map(Weak::upgrade);
        found.map(|route| Arc::clone(&route.roster)).collect()
    }

    /// Returns all routes, each once.
    pub(crate) fn all(&self) -> Vec<Arc<RouteMembers>> {
        let state = self.0.lock();
        let known = state.by_key.values().flatten();
        let mut routes: Vec<_> = known.filter_map(Weak::upgrade).collect();
        drop(state);
        // Each is listed by its pattern and by its name.
        sort_by(&mut routes, |one, other| {
            Arc::as_ptr(one).cmp(&Arc::as_ptr(other))
        });
        routes.dedup_by(|one, other| Arc::ptr_eq(one, other));
        routes
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
            let names = RouteNames {
                pattern: Some(Arc::from(format!("/rooms/{number}"))),
                name: None,
            };
            routes.of(&names, &MembersCell::default());
        }
        assert!(routes.0.lock().by_key.len() < 200);
    }
}

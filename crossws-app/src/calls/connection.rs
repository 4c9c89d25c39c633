//! What a peer and a hub keep of calls.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crossws_core::adapter::sync::Mutex;
use crossws_core::{Hub, Peer};

use crate::calls::pending::PendingCalls;
use crate::calls::wire::WireForm;

/// The state that a connection with calls keeps in its peer's extensions.
pub(super) struct Connection {
    pub(super) settings: Settings,
    pub(super) pending: PendingCalls,
}

/// The settings of a route's calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) form: WireForm,
    pub(super) max_pending: usize,
}

/// Stored in a peer's extensions.
#[derive(Default)]
struct Kept(OnceLock<Arc<Connection>>);

/// Stored in a hub's extensions: the routes with calls, by their patterns. With it a peer that has
/// slept, and of which no hook has run since, is known to have calls: from the hooks' start, or
/// after a hook of another peer has run.
#[derive(Default)]
struct RoutesWithCalls(Mutex<HashMap<Arc<str>, Settings>>);

/// Stored in a hub's extensions: the route whose hooks are being started. A router sets it, so that
/// peers which have slept are known to have calls before any of their hooks runs.
#[derive(Default)]
pub(crate) struct Starting(Mutex<Option<Arc<str>>>);

impl Starting {
    /// Sets the route whose hooks are started next; `None` for no route.
    pub(crate) fn set(hub: &Hub, route: Option<Arc<str>>) {
        let starting = hub.extensions().get_or_default::<Self>();
        *starting.0.lock() = route;
    }
}

/// Notes that the route whose hooks are being started has calls.
pub(super) fn started(hub: &Hub, settings: Settings) {
    let route = hub
        .extensions()
        .get::<Starting>()
        .and_then(|starting| starting.0.lock().clone());
    if let Some(route) = route {
        let known = hub.extensions().get_or_default::<RoutesWithCalls>();
        known.0.lock().insert(route, settings);
    }
}

impl Connection {
    /// Returns the state of a peer whose route has calls.
    pub(super) fn of(peer: &Peer, settings: Settings) -> Arc<Self> {
        let kept = peer.extensions().get_or_default::<Kept>();
        let connection = kept.0.get_or_init(|| {
            if let Some(route) = peer.route() {
                let known = peer.hub().extensions().get_or_default::<RoutesWithCalls>();
                known.0.lock().insert(route, settings);
            }
            Arc::new(Self {
                settings,
                pending: PendingCalls::default(),
            })
        });
        Arc::clone(connection)
    }

    /// Returns the state of a peer; `None` if its route has no calls.
    pub(super) fn find(peer: &Peer) -> Option<Arc<Self>> {
        if let Some(kept) = peer.extensions().get::<Kept>()
            && let Some(connection) = kept.0.get()
        {
            return Some(Arc::clone(connection));
        }
        let (route, known) = (
            peer.route()?,
            peer.hub().extensions().get::<RoutesWithCalls>()?,
        );
        let settings = known.0.lock().get(&route).copied()?;
        Some(Self::of(peer, settings))
    }
}

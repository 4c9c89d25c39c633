//! Calls to a client that wait for their answers.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use crossws_core::adapter::sync::Mutex;
use crossws_core::{Hub, Peer};
use serde_json::Value;

use crate::calls::error::{CallError, Failure};
use crate::calls::wire::WireForm;

type Answer = Result<Value, Failure>;

/// The state that a connection with calls keeps in its peer's extensions.
pub(super) struct Connection {
    pub(super) settings: Settings,
    state: Mutex<State>,
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

#[derive(Default)]
struct State {
    last_id: u64,
    waiting: HashMap<u64, CallSlot>,
}

enum CallSlot {
    Waiting(Option<Waker>),
    Answered(Answer),
}

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
                state: Mutex::default(),
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

    /// Reserves a place for the answer to a new call.
    pub(super) fn begin(self: &Arc<Self>) -> Result<CallPlace, CallError> {
        let mut state = self.state.lock();
        let most = self.settings.max_pending;
        if state.waiting.len() >= most {
            return Err(CallError::TooMany(most));
        }
        state.last_id += 1;
        let id = state.last_id;
        state.waiting.insert(id, CallSlot::Waiting(None));
        drop(state);
        let connection = Arc::clone(self);
        Ok(CallPlace { connection, id })
    }

    /// Handles the client's answer. Returns whether a call waits for it: answers may be late, or to
    /// calls that were never made.
    pub(super) fn answered(&self, id: &Value, answer: Answer) -> bool {
        let Some(id) = id.as_u64() else {
            return false;
        };
        let mut state = self.state.lock();
        let Some(slot @ CallSlot::Waiting(_)) = state.waiting.get_mut(&id) else {
            return false;
        };
        let old = std::mem::replace(slot, CallSlot::Answered(answer));
        drop(state);
        if let CallSlot::Waiting(Some(waker)) = old {
            waker.wake();
        }
        true
    }
}

/// Where the answer to one call arrives. Dropping it ends the wait.
pub(super) struct CallPlace {
    connection: Arc<Connection>,
    pub(super) id: u64,
}

impl CallPlace {
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Answer> {
        let mut state = self.connection.state.lock();
        match state.waiting.get_mut(&self.id) {
            Some(CallSlot::Waiting(waker)) => {
                let old = waker.replace(cx.waker().clone());
                drop(state);
                drop(old);
                Poll::Pending
            }
            _ => match state.waiting.remove(&self.id) {
                Some(CallSlot::Answered(answer)) => Poll::Ready(answer),
                // The answer was taken before.
                _ => Poll::Pending,
            },
        }
    }
}

impl Drop for CallPlace {
    fn drop(&mut self) {
        let slot = self.connection.state.lock().waiting.remove(&self.id);
        drop(slot);
    }
}

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use event_listener::Event;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing that a hook saw or did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The connection: the `who` of its request.
    pub who: String,
    /// What: a hook's name when it begins, with `.end` when it ends; or what a command notes.
    pub what: String,
    /// What the hook was told.
    pub detail: Value,
}

/// What the hooks saw, in order; and the gates at which they wait.
#[derive(Debug, Default)]
pub struct Journal {
    state: Mutex<State>,
    changed: Event,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    open_gates: HashSet<String>,
}

impl Journal {
    fn state(&self) -> MutexGuard<'_, State> {
        // Panicking hooks are part of the suite; what they leave here is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an entry.
    pub fn record(&self, who: &str, what: &str, detail: Value) {
        self.state().entries.push(Entry {
            who: who.to_owned(),
            what: what.to_owned(),
            detail,
        });
        self.changed.notify(usize::MAX);
    }

    /// Everything so far, of one connection or of all.
    pub fn entries(&self, who: Option<&str>) -> Vec<Entry> {
        let state = self.state();
        let of = |entry: &&Entry| who.is_none_or(|who| entry.who == who);
        state.entries.iter().filter(of).cloned().collect()
    }

    /// Waits until `count` entries of this kind are there, and gives them all.
    pub async fn wait(&self, who: &str, what: &str, count: usize) -> Vec<Entry> {
        loop {
            let listener = self.changed.listen();
            let mut found = self.entries(Some(who));
            found.retain(|entry| entry.what == what);
            if found.len() >= count {
                return found;
            }
            listener.await;
        }
    }

    /// Opens a gate for good.
    pub fn release(&self, gate: &str) {
        self.state().open_gates.insert(gate.to_owned());
        self.changed.notify(usize::MAX);
    }

    /// Waits until a gate is open.
    pub async fn pass(&self, gate: &str) {
        loop {
            let listener = self.changed.listen();
            if self.state().open_gates.contains(gate) {
                return;
            }
            listener.await;
        }
    }
}

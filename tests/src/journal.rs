use std::collections::HashSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crossws_core::{BoxFuture, MaybeSend, MaybeSync};
use event_listener::Event;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A record of something that a hook received or did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The connection: the `who` of its request.
    pub who: String,
    /// A hook's name when it begins, with `.end` when it ends; or what a command notes.
    pub what: String,
    /// The hook's arguments.
    pub detail: Value,
}

/// The storage of a journal. Memory, unless the hooks' memory may be lost while a case runs.
pub trait Notebook: fmt::Debug + MaybeSend + MaybeSync + 'static {
    /// Adds an entry.
    fn record(&self, entry: Entry);

    /// Returns every entry so far, in order.
    fn entries(&self) -> Vec<Entry>;

    /// Opens a gate permanently.
    fn open(&self, gate: &str);

    /// Returns whether a gate is open.
    fn is_open(&self, gate: &str) -> bool;

    /// Waits until there may be something new since this was called. It may end early.
    fn changed(&self) -> BoxFuture<'static, ()>;
}

/// What the hooks received, in order, and the gates at which they wait.
#[derive(Debug)]
pub struct Journal(Box<dyn Notebook>);

/// A journal in memory.
impl Default for Journal {
    fn default() -> Self {
        Self::new(Memory::default())
    }
}

impl Journal {
    /// Creates a journal in this notebook.
    pub fn new(notebook: impl Notebook) -> Self {
        Self(Box::new(notebook))
    }

    /// Adds an entry.
    pub fn record(&self, who: &str, what: &str, detail: Value) {
        self.0.record(Entry {
            who: who.to_owned(),
            what: what.to_owned(),
            detail,
        });
    }

    /// Returns all entries so far, of one connection or of all.
    pub fn entries(&self, who: Option<&str>) -> Vec<Entry> {
        let mut entries = self.0.entries();
        entries.retain(|entry| who.is_none_or(|who| entry.who == who));
        entries
    }

    /// Waits until there are `count` entries of this kind. Returns all of them.
    pub async fn wait(&self, who: &str, what: &str, count: usize) -> Vec<Entry> {
        loop {
            let changed = self.0.changed();
            let mut found = self.entries(Some(who));
            found.retain(|entry| entry.what == what);
            if found.len() >= count {
                return found;
            }
            changed.await;
        }
    }

    /// Opens a gate permanently.
    pub fn release(&self, gate: &str) {
        self.0.open(gate);
    }

    /// Waits until a gate is open.
    pub async fn pass(&self, gate: &str) {
        loop {
            let changed = self.0.changed();
            if self.0.is_open(gate) {
                return;
            }
            changed.await;
        }
    }
}

#[derive(Debug, Default)]
struct Memory {
    state: Mutex<State>,
    changed: Event,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    open_gates: HashSet<String>,
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        // Panicking hooks are part of the suite, and leave this state complete.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notebook for Memory {
    fn record(&self, entry: Entry) {
        self.state().entries.push(entry);
        self.changed.notify(usize::MAX);
    }

    fn entries(&self) -> Vec<Entry> {
        self.state().entries.clone()
    }

    fn open(&self, gate: &str) {
        self.state().open_gates.insert(gate.to_owned());
        self.changed.notify(usize::MAX);
    }

    fn is_open(&self, gate: &str) -> bool {
        self.state().open_gates.contains(gate)
    }

    fn changed(&self) -> BoxFuture<'static, ()> {
        Box::pin(self.changed.listen())
    }
}

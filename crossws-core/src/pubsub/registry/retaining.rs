//! Where a hub's retained messages are accounted for and stored.

use std::sync::Arc;

use super::Registry;
use crate::hub::budget::Budget;
use crate::pubsub::retained::{Kept, RetainedMessage, RetainedStore};
use crate::sync::{Mutex, MutexGuard};

/// What all namespaces of a hub have in common for their retained messages.
#[derive(Default)]
pub(crate) struct Retaining {
    pub(super) budget: Arc<Budget>,
    store: Option<Store>,
}

/// A store, and the order of its calls. This lock is taken before all others, and only for changes of
/// what is retained: the store is called under no lock that another operation waits for.
struct Store {
    store: Arc<dyn RetainedStore>,
    order: Mutex<()>,
}

/// The right to change what is retained, and to tell the store of it in the order of the changes.
pub(super) struct Turn<'a>(Option<(&'a dyn RetainedStore, MutexGuard<'a, ()>)>);

impl Retaining {
    pub(super) fn store(&self) -> Option<&dyn RetainedStore> {
        Some(&*self.store.as_ref()?.store)
    }

    pub(super) fn turn(&self) -> Turn<'_> {
        let store = self.store.as_ref();
        Turn(store.map(|it| (&*it.store, it.order.lock())))
    }
}

impl Turn<'_> {
    pub(super) fn put(&self, namespace: &str, topic: &str, kept: &Kept) {
        if let Some((store, _)) = &self.0 {
            store.put(RetainedMessage {
                others: kept.others.clone(),
                ..RetainedMessage::new(namespace, topic, kept.message.clone(), kept.by)
            });
        }
    }

    pub(super) fn remove(&self, namespace: &str, topic: &str) {
        if let Some((store, _)) = &self.0 {
            store.remove(namespace, topic);
        }
    }
}

impl Registry {
    pub(crate) fn with_store(store: Option<Arc<dyn RetainedStore>>) -> Self {
        Self {
            retaining: Retaining {
                store: store.map(|store| Store {
                    store,
                    order: Mutex::default(),
                }),
                ..Retaining::default()
            },
            ..Self::default()
        }
    }

    /// Returns how many bytes the retained messages count for.
    pub(crate) fn retained_bytes(&self) -> usize {
        self.retaining.budget.used()
    }
}

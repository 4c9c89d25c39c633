use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use event_listener::Event;

/// The stop flag of a server or of the process, and the count of watches that a shutdown waits for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<Flag>);

#[derive(Debug, Default)]
struct Flag {
    stopping: AtomicBool,
    watches: AtomicUsize,
    changed: Event,
}

impl Stop {
    /// Returns whether this is the first call.
    pub(crate) fn stop(&self) -> bool {
        let is_first = !self.0.stopping.swap(true, Ordering::SeqCst);
        self.0.changed.notify(usize::MAX);
        is_first
    }

    pub(crate) fn watch(&self) -> Watch {
        self.0.watches.fetch_add(1, Ordering::SeqCst);
        Watch(Arc::clone(&self.0))
    }

    /// Resolves when every watch has been dropped.
    pub(crate) async fn heeded(&self) {
        self.0
            .until(|shared| shared.watches.load(Ordering::SeqCst) == 0)
            .await;
    }
}

impl Flag {
    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        while !holds(self) {
            let changed = self.changed.listen();
            // Checked again: it may have changed before the listener existed.
            if holds(self) {
                return;
            }
            changed.await;
        }
    }
}

/// Held by every task that must end before the server has stopped.
#[derive(Debug)]
pub(crate) struct Watch(Arc<Flag>);

impl Watch {
    /// Resolves when the server stops.
    pub(crate) async fn stopping(&self) {
        self.0
            .until(|shared| shared.stopping.load(Ordering::SeqCst))
            .await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.0.watches.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.changed.notify(usize::MAX);
        }
    }
}

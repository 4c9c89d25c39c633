use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

/// The connections of one server, so that a shutdown can force the last of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that ended since the last one came are let go here.
        while let Some(ended) = tasks.try_join_next() {
            if let Err(error) = ended
                && error.is_panic()
            {
                tracing::error!(%error, "a connection's task panicked");
            }
        }
        tasks.spawn(future);
    }

    /// Drops every connection at its next await.
    pub(crate) fn abort_all(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .abort_all();
    }
}

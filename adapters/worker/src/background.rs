use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crossws_core::BoxFuture;
use crossws_core::adapter::Background;
use worker::send::SendFuture;
use worker::wasm_bindgen_futures::spawn_local;

use crate::link::deadline;
use crate::sleep::Sleep;
use crate::tasks::Tasks;

/// Returns the platform's time and tasks, for responses such as event streams. Time stands still
/// while code runs: the platform moves it at events.
///
/// Its tasks end with the event of their request, unless the platform is told to wait for them.
pub fn background() -> Arc<dyn Background> {
    Arc::new(Platform { tasks: None })
}

/// Returns the same, with tasks that end with their object.
pub(crate) fn of_object(tasks: &Tasks) -> Arc<dyn Background> {
    Arc::new(Platform {
        tasks: Some(tasks.clone()),
    })
}

/// Runs a future for at most this time. Returns `None` when the time is over.
#[cfg(feature = "sse")]
pub(crate) async fn within<F: Future>(time: Duration, future: F) -> Option<F::Output> {
    crossws_core::adapter::within(&*background(), time, future).await
}

struct Platform {
    tasks: Option<Tasks>,
}

impl Background for Platform {
    fn now(&self) -> Duration {
        Duration::from_millis(deadline::now())
    }

    fn wall_clock(&self) -> SystemTime {
        deadline::wall_clock()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(SendFuture::new(Sleep::new(time)))
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        match &self.tasks {
            Some(tasks) => tasks.spawn(future),
            None => spawn_local(future),
        }
    }
}

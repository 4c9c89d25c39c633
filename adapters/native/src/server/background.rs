use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crossws_core::adapter::Background;
use crossws_core::{BoxFuture, Hub};

use crate::driver::stage::Stage;
use crate::driver::task_handle::steady;
use crate::runtime::ServerRuntime;
use crate::server::tasks::Tasks;

/// The runtime's time, and tasks that end with the server's connections at the latest.
struct Lent<T> {
    runtime: T,
    began: Instant,
    tasks: Tasks,
}

impl<T: ServerRuntime> Background for Lent<T> {
    fn now(&self) -> Duration {
        self.runtime.now().saturating_duration_since(self.began)
    }

    fn steady_clock(&self) -> SystemTime {
        steady()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        // Created at its first poll: the runtime may not be entered here.
        let runtime = self.runtime.clone();
        Box::pin(async move { runtime.sleep(time).await })
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        let stage = Stage::last(future);
        self.tasks.spawn(&self.runtime, stage);
    }
}

/// Lends the runtime to a hub, instead of one that it may have.
pub(crate) fn lend<T: ServerRuntime>(runtime: &T, hub: &Hub, tasks: &Tasks) {
    hub.lend_background(Arc::new(Lent {
        runtime: runtime.clone(),
        began: runtime.now(),
        tasks: tasks.clone(),
    }));
}

/// Lends this runtime's time and tasks to a hub that has none: for event streams in a foreign
/// server. A [`Server`](crate::Server) and an [`Acceptor`](crate::Acceptor) lend theirs themselves.
pub fn lend_background<T: ServerRuntime>(hub: &Hub) {
    if hub.background().is_none() {
        lend(&T::default(), hub, &Tasks::of(hub));
    }
}

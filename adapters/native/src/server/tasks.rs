use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;
use crossws_core::Hub;
use pin_project_lite::pin_project;
use slab::Slab;

use crate::driver::stage::Stage;
use crate::runtime::ServerRuntime;
use crossws_proto::sync::Mutex;

/// The connections of one server, so that a shutdown can force the last of them. Some runtimes
/// cannot abort a task, so each task checks a switch of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks(Arc<Mutex<Switches>>);

type Switches = Slab<Arc<Switch>>;

#[derive(Debug)]
struct Switch {
    task: AtomicWaker,
    off: AtomicBool,
    /// Its index in the list. A process has fewer tasks than this can count.
    key: u32,
    list: Tasks,
}

impl Tasks {
    /// Returns the connections of all acceptors that share a hub.
    pub(crate) fn of(hub: &Hub) -> Self {
        Self::clone(&hub.extensions().get_or_default::<Self>())
    }

    pub(crate) fn spawn<T: ServerRuntime>(&self, runtime: &T, connection: Stage) {
        runtime.spawn(Spawned {
            task: self.run(connection),
        });
    }

    /// Runs a future inside the caller's. Returns `None` if the future was dropped early, by
    /// [`abort_all`](Self::abort_all) or because it panicked.
    pub(crate) fn run<F: Future>(&self, future: F) -> Task<F> {
        Task {
            entry: self.enter(),
            future,
        }
    }

    fn enter(&self) -> TaskEntry {
        let mut switches = self.0.lock();
        let vacant = switches.vacant_entry();
        let switch = Arc::new(Switch {
            off: AtomicBool::new(false),
            task: AtomicWaker::new(),
            key: vacant.key() as u32,
            list: self.clone(),
        });
        vacant.insert(Arc::clone(&switch));
        TaskEntry(switch)
    }

    /// Drops every connection at its next await.
    pub(crate) fn abort_all(&self) {
        let switches: Vec<_> = self
            .0
            .lock()
            .iter()
            .map(|(_, switch)| Arc::clone(switch))
            .collect();
        for switch in switches {
            switch.off.store(true, Ordering::Release);
            switch.task.wake();
        }
    }
}

/// A task's place in the list, until it ends. One pointer: together with a [`Stage`], a tokio task
/// then has its minimal size.
struct TaskEntry(Arc<Switch>);

impl Drop for TaskEntry {
    fn drop(&mut self) {
        let _ended = self.0.list.0.lock().try_remove(self.0.key as usize);
    }
}

pin_project! {
    /// See [`Tasks::run`].
    pub(crate) struct Task<F> {
        entry: TaskEntry,
        #[pin]
        future: F,
    }
}

pin_project! {
    /// A task whose end is not awaited. An `async` block would store the future twice.
    struct Spawned {
        #[pin]
        task: Task<Stage>,
    }
}

impl Future for Spawned {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().task.poll(cx).map(drop)
    }
}

impl<F: Future> Future for Task<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let this = self.project();
        let TaskEntry(switch) = this.entry;
        switch.task.register(cx.waker());
        if switch.off.load(Ordering::Acquire) {
            return Poll::Ready(None);
        }
        // Some runtimes end the process, or their thread, on a panic; core has already caught the
        // panics of hooks. No code uses the future after this.
        match catch_unwind(AssertUnwindSafe(|| this.future.poll(cx))) {
            Ok(polled) => polled.map(Some),
            Err(panic) => {
                tracing::error!(message = said(&*panic), "a connection's task panicked");
                Poll::Ready(None)
            }
        }
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_three_pointers() {
        // tokio's allocation for a task has room for this in any case. With one word more, each
        // connection's takes 256 bytes instead of 128.
        assert_eq!(size_of::<Spawned>(), 3 * size_of::<usize>());
    }
}

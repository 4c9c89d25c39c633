//! A minimal executor, whose clock stands still.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use crossws::BoxFuture;
use crossws_core::adapter::Background;

use crate::memory::lock;

/// The tasks of one thread, which run only in [`settle`](Self::settle).
#[derive(Default)]
pub(crate) struct Tasks {
    spawned: Arc<Spawned>,
    tasks: Vec<Task>,
    free: Vec<usize>,
    queue: Queue,
}

type Queue = Arc<Mutex<VecDeque<usize>>>;

struct Task {
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    woken: Arc<Woken>,
}

impl Tasks {
    /// Returns where running tasks spawn others.
    pub(crate) fn spawned(&self) -> Arc<Spawned> {
        Arc::clone(&self.spawned)
    }

    pub(crate) fn spawn(&mut self, future: Pin<Box<dyn Future<Output = ()>>>) {
        let at = self.free.pop().unwrap_or(self.tasks.len());
        let woken = Arc::new(Woken {
            task: at,
            queued: AtomicBool::new(false),
            queue: Arc::clone(&self.queue),
        });
        woken.wake_by_ref();
        let task = Task {
            future: Some(future),
            woken,
        };
        match self.tasks.get_mut(at) {
            Some(place) => *place = task,
            None => self.tasks.push(task),
        }
    }

    /// Runs all tasks until every one of them waits.
    pub(crate) fn settle(&mut self) {
        loop {
            let spawned = std::mem::take(&mut *lock(&self.spawned.0));
            for future in spawned {
                self.spawn(future);
            }
            let next = lock(&self.queue).pop_front();
            let Some(task) = next.and_then(|at| self.tasks.get_mut(at)) else {
                return;
            };
            task.woken.queued.store(false, Ordering::Release);
            let waker = Waker::from(Arc::clone(&task.woken));
            let Some(future) = &mut task.future else {
                continue;
            };
            if future
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
            {
                task.future = None;
                self.free.push(task.woken.task);
            }
        }
    }

    /// Returns the number of tasks that have not ended.
    pub(crate) fn open(&self) -> usize {
        self.tasks.len() - self.free.len()
    }
}

/// What tasks have spawned since the last time that all of them waited.
#[derive(Default)]
pub(crate) struct Spawned(Mutex<Vec<BoxFuture<'static, ()>>>);

/// No timer ever ends.
impl Background for Spawned {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        lock(&self.0).push(future);
    }
}

struct Woken {
    task: usize,
    queued: AtomicBool,
    queue: Queue,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            lock(&self.queue).push_back(self.task);
        }
    }
}

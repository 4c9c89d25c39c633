//! Runs the connections' futures whenever a caller awaits anything of the toolkit.
//!
//! There is no thread and no runtime: the first caller that polls a future of a client or the
//! server runs all connections until none can go on. Only one caller does so at a time. A hook that
//! awaits the toolkit already runs inside that caller, and only waits to be woken. No lock is held
//! while a future runs.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};

use crossws_core::BoxFuture;
use crossws_core::adapter::sync::Mutex;

use crate::time::chance::Chance;

/// After this many polls the caller's own task gets a turn, because a hook that only yields must
/// not keep it away indefinitely.
const BUDGET: usize = 1000;

type TaskId = u64;

pub(crate) struct Executor {
    queue: Arc<Queue>,
    tasks: Mutex<Tasks>,
}

#[derive(Default)]
struct Tasks {
    /// All but the one that is polled.
    waiting: HashMap<TaskId, Task>,
    /// How often all were cancelled.
    cancelled: u64,
}

struct Task {
    future: BoxFuture<'static, ()>,
    waker: Arc<TaskWaker>,
}

impl Executor {
    pub(crate) fn new(chance: Chance) -> Self {
        let queue = Queue {
            chance,
            ..Queue::default()
        };
        Self {
            queue: Arc::new(queue),
            tasks: Mutex::default(),
        }
    }

    /// Adds a future. It is polled when a caller next awaits the toolkit.
    pub(crate) fn spawn(&self, future: BoxFuture<'static, ()>) {
        let waker = Arc::new(TaskWaker {
            id: self.queue.next_id(),
            queue: Arc::clone(&self.queue),
            queued: AtomicBool::new(false),
        });
        let task = Task {
            future,
            waker: Arc::clone(&waker),
        };
        self.tasks.lock().waiting.insert(waker.id, task);
        waker.wake();
    }

    /// Drops every future. A future that is being polled is dropped after its poll.
    pub(crate) fn cancel_all(&self) {
        let mut tasks = self.tasks.lock();
        tasks.cancelled += 1;
        let waiting = std::mem::take(&mut tasks.waiting);
        drop(tasks);
        drop(waiting);
    }

    /// A place for one caller's waker.
    pub(crate) fn waiter(&self) -> Waiter {
        Waiter {
            id: self.queue.next_id(),
            queue: Arc::clone(&self.queue),
        }
    }

    /// Runs the futures that are ready. Afterwards the caller is woken whenever a future becomes
    /// ready.
    pub(crate) fn drive(&self, waiter: &Waiter, cx: &mut Context<'_>) {
        let _ = self.try_drive(waiter, cx);
    }

    /// As [`drive`](Self::drive). Ready when no future is ready any more.
    pub(crate) fn poll_quiet(&self, waiter: &Waiter, cx: &mut Context<'_>) -> Poll<()> {
        match self.try_drive(waiter, cx) {
            Drove::UntilQuiet => Poll::Ready(()),
            Drove::OutOfBudget => Poll::Pending,
            Drove::InsideAlready | Drove::ElsewhereAlready => {
                let mut queue = self.queue.state.lock();
                if queue.driving == Some(thread::current().id()) && queue.ready.is_empty() {
                    return Poll::Ready(());
                }
                if queue.driving.is_none() {
                    // The futures became quiet in between: check again.
                    cx.waker().wake_by_ref();
                } else {
                    queue.wait_for_quiet.push(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }

    fn try_drive(&self, waiter: &Waiter, cx: &mut Context<'_>) -> Drove {
        let me = thread::current().id();
        let (old, elsewhere) = {
            let mut queue = self.queue.state.lock();
            if queue.driving == Some(me) {
                return Drove::InsideAlready;
            }
            let old = queue.waiting.insert(waiter.id, cx.waker().clone());
            let elsewhere = queue.driving.is_some();
            queue.driving.get_or_insert(me);
            (old, elsewhere)
        };
        let _driving = (!elsewhere).then(|| Driving(&self.queue));
        // Dropped outside the lock: it may be the last handle to a task, whose destructors run
        // here.
        drop(old);
        if elsewhere {
            return Drove::ElsewhereAlready;
        }
        // With a seed a test has its turns in between, as a client elsewhere has.
        let budget = self.queue.chance.turns().unwrap_or(BUDGET);
        for _ in 0..budget {
            match self.queue.next_ready() {
                Next::Task(id) => self.poll(id),
                Next::Others(wakers) => wakers.into_iter().for_each(Waker::wake),
                Next::Quiet => return Drove::UntilQuiet,
            }
        }
        cx.waker().wake_by_ref();
        Drove::OutOfBudget
    }

    fn poll(&self, id: TaskId) {
        let mut tasks = self.tasks.lock();
        let (taken, cancelled) = (tasks.waiting.remove(&id), tasks.cancelled);
        drop(tasks);
        let Some(mut task) = taken else {
            return;
        };
        task.waker.queued.store(false, Ordering::Release);
        let waker = Waker::from(Arc::clone(&task.waker));
        let polled = task.future.as_mut().poll(&mut Context::from_waker(&waker));
        let mut tasks = self.tasks.lock();
        // One that was cancelled meanwhile, or has ended, is dropped after the lock is released.
        if polled.is_pending() && tasks.cancelled == cancelled {
            tasks.waiting.insert(id, task);
        }
    }
}

enum Drove {
    UntilQuiet,
    OutOfBudget,
    InsideAlready,
    ElsewhereAlready,
}

/// Marks that a caller runs the futures, until it is dropped.
struct Driving<'a>(&'a Queue);

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        let wakers = {
            let mut state = self.0.state.lock();
            state.driving = None;
            let mut wakers = std::mem::take(&mut state.wait_for_quiet);
            if !state.ready.is_empty() {
                // The budget is used up, a future panicked, or one was just woken: another caller
                // must go on.
                wakers.extend(state.waiting.drain().map(|(_, waker)| waker));
            }
            wakers
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// The state that wakers reach from any thread. It does not contain the futures.
#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    /// Decides who is next.
    chance: Chance,
}

#[derive(Default)]
struct QueueState {
    ready: VecDeque<TaskId>,
    driving: Option<ThreadId>,
    /// Callers from outside: woken to run futures that have become ready.
    waiting: HashMap<u64, Waker>,
    /// Callers, hooks among them, that go on when no future is ready any more.
    wait_for_quiet: Vec<Waker>,
    last_id: u64,
}

enum Next {
    Task(TaskId),
    Others(Vec<Waker>),
    Quiet,
}

impl Queue {
    fn next_id(&self) -> u64 {
        let mut state = self.state.lock();
        state.last_id += 1;
        state.last_id
    }

    fn next_ready(&self) -> Next {
        let mut state = self.state.lock();
        let next = self.chance.pick(state.ready.len());
        match state.ready.remove(next) {
            Some(id) => Next::Task(id),
            None if !state.wait_for_quiet.is_empty() => {
                Next::Others(std::mem::take(&mut state.wait_for_quiet))
            }
            None => Next::Quiet,
        }
    }

    fn push(&self, id: TaskId) {
        let wakers = {
            let mut state = self.state.lock();
            state.ready.push_back(id);
            if state.driving.is_some() {
                // The driving caller checks the queue again before it stops.
                return;
            }
            std::mem::take(&mut state.waiting)
        };
        wakers.into_values().for_each(Waker::wake);
    }
}

struct TaskWaker {
    id: TaskId,
    queue: Arc<Queue>,
    queued: AtomicBool,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.queue.push(self.id);
        }
    }
}

/// One caller of the toolkit. Dropping it removes its waker.
pub(crate) struct Waiter {
    id: u64,
    queue: Arc<Queue>,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let waker = self.queue.state.lock().waiting.remove(&self.id);
        drop(waker);
    }
}

//! Tasks: a queue, and a few threads that poll what is in it.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

static QUEUE: LazyLock<Queue> = LazyLock::new(|| {
    let threads = thread::available_parallelism().map_or(2, usize::from);
    for _ in 0..threads {
        thread::spawn(work);
    }
    Queue::default()
});

#[derive(Default)]
struct Queue {
    tasks: Mutex<VecDeque<Arc<Task>>>,
    more: Condvar,
}

struct Task {
    /// `None` when it has ended.
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    /// It waits in the queue: however often it is woken, it is there once.
    queued: AtomicBool,
}

/// Runs a future on its own, to its end.
pub fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    let task = Arc::new(Task {
        future: Mutex::new(Some(Box::pin(future))),
        queued: AtomicBool::new(false),
    });
    task.wake();
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            lock(&QUEUE.tasks).push_back(self);
            QUEUE.more.notify_one();
        }
    }
}

/// What each of the threads does.
fn work() {
    loop {
        let task = {
            let tasks = lock(&QUEUE.tasks);
            let waited = QUEUE.more.wait_while(tasks, |tasks| tasks.is_empty());
            waited.unwrap_or_else(PoisonError::into_inner).pop_front()
        };
        let Some(task) = task else { continue };
        // Before the poll: a wake-up from now on queues it again.
        task.queued.store(false, Ordering::Release);
        let waker = Waker::from(Arc::clone(&task));
        let mut future = lock(&task.future);
        if let Some(running) = &mut *future
            && running
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
        {
            *future = None;
        }
    }
}

/// Runs a future on this thread, and sleeps while it waits.
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Nothing that could panic runs under these locks but a task's own future, which does not.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

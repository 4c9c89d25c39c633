//! How other threads reach a connection's task.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime};

use atomic_waker::AtomicWaker;
use crossws_core::Limits;
use crossws_proto::frame::ServerFrame;
use crossws_proto::outbox::{Clock, Outbox};
use futures_task::ArcWake;

/// What a connection's task shares with a peer's handles: its outbox, and how the task is woken.
pub(crate) struct TaskHandle {
    outbox: Outbox<ServerFrame, ProcessClock>,
    task: AtomicWaker,
}

/// Frames that were taken out of a server's outbox.
pub(crate) type Batch = crossws_proto::outbox::Batch<ServerFrame>;

/// The time since the process first asked for it.
#[derive(Debug)]
pub(crate) struct ProcessClock;

impl Clock for ProcessClock {
    /// A model has no time.
    #[cfg(all(test, crossws_shuttle))]
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    #[cfg(not(all(test, crossws_shuttle)))]
    fn now(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }
}

/// Returns the time that the wall clock showed when the process first asked for it, plus the time
/// since.
pub(crate) fn steady() -> SystemTime {
    static BEGAN: OnceLock<(SystemTime, Instant)> = OnceLock::new();
    let (wall, began) = BEGAN.get_or_init(|| (SystemTime::now(), Instant::now()));
    wall.checked_add(began.elapsed()).unwrap_or(*wall)
}

impl TaskHandle {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            outbox: Outbox::new(limits, ProcessClock),
            task: AtomicWaker::new(),
        })
    }

    /// Notes that the task is being polled: it will look at everything by itself.
    pub(crate) fn attend(&self, waker: &Waker) {
        self.task.register(waker);
        self.outbox.stay_awake();
    }

    /// Wakes the task.
    pub(crate) fn wake(&self) {
        self.task.wake();
    }
}

impl Deref for TaskHandle {
    type Target = Outbox<ServerFrame, ProcessClock>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.outbox
    }
}

/// The stream's waker: notes that there is something to read, then wakes the task. It does not use
/// `Wake`, for which a read would have to count one more handle, or the link keep one.
impl ArcWake for TaskHandle {
    fn wake_by_ref(handle: &Arc<Self>) {
        handle.set_readable();
        handle.task.wake();
    }
}

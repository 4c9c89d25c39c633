//! How a connection whose hooks write to other connections is paced.
//!
//! A hook never waits for a client that it writes to. Its connection waits, between two messages of
//! its own client. The connection's turn ends when a queue that its hook writes to is a quarter
//! full, so that the queue is written. Before the next message, the connection waits while one of
//! these clients is behind: more than half of a bound waits for it, because its socket is full or
//! another thread is still writing. A client that reads has caught up within milliseconds, even on
//! a machine where it must first get a core. A client that does not read holds up other clients'
//! messages for 300 ms in all, and is then judged by the limits.
//!
//! The same holds for what other connections write. The messages of a client that publishes, and
//! the first message of any client, wait while a peer in its namespace is behind. Many clients may
//! begin at the same moment, with messages that are more than a bound together.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use crossws_core::Hub;

use crossws_proto::outbox;

use crate::driver::task_handle::TaskHandle;
use crate::runtime::Runtime;

/// How long to wait between two looks at the clients that are behind.
const MOMENT: Duration = Duration::from_millis(1);

/// How long to wait in all for the clients that the connection's own hooks have written to, as each
/// of them may be behind.
const GRACE: Duration = outbox::GRACE;

/// How long to wait in all for clients that fall behind again and again, because other connections,
/// whose messages have waited too, write to them.
const LONGEST: Duration = Duration::from_secs(5);

/// At most this many queues are waited for at once.
const MOST: usize = 4096;

thread_local! {
    /// The address of the hub whose hook this thread polls, or [`NO_HOOK`]; with [`TURN_OVER`].
    static HOOK: Cell<usize> = const { Cell::new(NO_HOOK) };
    static GROWN: RefCell<Grown> = const { RefCell::new(Vec::new()) };
}

const NO_HOOK: usize = 0;

/// The hook has let a queue grow so much that its connection's turn is over. No hub's address has this
/// bit.
const TURN_OVER: usize = 1;

/// The queues that a hook has let grow.
pub(crate) type Grown = Vec<Arc<TaskHandle>>;

/// Notes that this thread polls a hook of a connection of this hub from here on.
#[inline]
pub(crate) fn begin_hook(hub: &Hub) {
    HOOK.set(hub.address());
}

/// Returns whether a hook of a connection of this hub is polled on this thread right now.
pub(crate) fn is_in_hook_of(hub: &Hub) -> bool {
    HOOK.get() & !TURN_OVER == hub.address()
}

/// Notes that the hook is not polled any more. Returns the queues that grew, if the turn is over.
#[inline]
pub(crate) fn end_hook() -> Option<Box<Grown>> {
    match HOOK.replace(NO_HOOK) & TURN_OVER {
        TURN_OVER => take_grown(),
        _ => None,
    }
}

#[cold]
fn take_grown() -> Option<Box<Grown>> {
    let mut grown = GROWN.take();
    keep_each_once(&mut grown);
    Some(Box::new(grown))
}

/// Merges the queues that an unfinished hook let grow with those that it lets grow when it resumes.
#[cold]
pub(crate) fn add(to: &mut Option<Box<Grown>>, more: Box<Grown>) {
    match to {
        None => *to = Some(more),
        Some(grown) => {
            grown.extend(*more);
            keep_each_once(grown);
        }
    }
}

fn keep_each_once(grown: &mut Grown) {
    grown.sort_unstable_by_key(Arc::as_ptr);
    grown.dedup_by(|one, other| Arc::ptr_eq(one, other));
    grown.truncate(MOST);
}

/// Notes that the hook that this thread polls, if any, has let this queue grow.
pub(crate) fn has_grown(outbox: &Arc<TaskHandle>) {
    let hook = HOOK.get();
    if hook == NO_HOOK {
        return;
    }
    GROWN.with_borrow_mut(|grown| {
        if HOOK.replace(hook | TURN_OVER) & TURN_OVER == 0 {
            // Left by a hook that panicked.
            grown.clear();
        }
        let room = grown.capacity();
        if grown.len() == room && room < MOST {
            // A hook may write to the same queue many times.
            keep_each_once(grown);
            if grown.len() > room / 2 {
                grown.reserve(room);
            }
        }
        if grown.len() < MOST {
            grown.push(Arc::clone(outbox));
        }
    });
}

/// Returns whether a message must wait for one of these.
pub(crate) fn must_wait(grown: &mut Option<Box<Grown>>) -> bool {
    let Some(grown) = grown else {
        return false;
    };
    grown.retain(|outbox| outbox.is_behind());
    !grown.is_empty()
}

/// Waits until none of these is behind, for [`GRACE`] at most, as other connections may write to
/// them meanwhile; and until none of the `others` is to whom the next hook may write, for
/// [`LONGEST`] at most. The next message must follow at once: many connections may have waited for
/// the same client.
pub(crate) async fn wait<R: Runtime>(
    mut grown: Option<Box<Grown>>,
    mut others: impl FnMut() -> bool,
    runtime: R,
) {
    let start = runtime.now();
    loop {
        let waited = runtime.now().saturating_duration_since(start);
        let waits = (waited < GRACE && must_wait(&mut grown)) || (waited < LONGEST && others());
        if !waits {
            return;
        }
        runtime.sleep(MOMENT).await;
    }
}

#[cfg(all(test, not(crossws_shuttle)))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::future::{Ready, ready};
    use std::time::Instant;

    use crossws_core::Limits;
    use futures_lite::future::block_on;

    use super::*;
    use crate::driver::task_handle::Batch;
    use crossws_proto::sync::Mutex;

    /// While it sleeps a client catches up, and is sent so much that it is behind again.
    #[derive(Clone)]
    struct Relapses(Arc<TaskHandle>, Arc<Mutex<Instant>>);

    impl Relapses {
        fn fill(&self) {
            for _ in 0..6 {
                self.0.enqueue(100, |batch| batch.push_back(&[0; 100], 1));
            }
            self.0.must_wait();
        }
    }

    impl Runtime for Relapses {
        type Sleep = Ready<()>;

        fn sleep(&self, duration: Duration) -> Ready<()> {
            let mut now = self.1.lock();
            *now += duration;
            let mut batch = Batch::default();
            self.0.take(&mut batch);
            self.0.written(&Batch::default());
            self.fill();
            ready(())
        }

        fn now(&self) -> Instant {
            *self.1.lock()
        }
    }

    #[test]
    fn a_hook_counts_from_its_first_poll_to_its_last_and_each_queue_once() {
        let outboxes: Vec<_> = (0..3)
            .map(|_| TaskHandle::new(&Limits::default()))
            .collect();
        let hub = Hub::default();
        let mut all = None;
        for polled in [&outboxes[..2], &outboxes[1..]] {
            begin_hook(&hub);
            for outbox in polled.iter().cycle().take(1000) {
                has_grown(outbox);
            }
            add(&mut all, end_hook().unwrap());
        }
        assert_eq!(all.unwrap().len(), 3);
        begin_hook(&hub);
        assert!(end_hook().is_none());
    }

    #[test]
    fn clients_of_others_that_fall_behind_repeatedly_are_waited_for_a_bounded_time() {
        let outbox = TaskHandle::new(&Limits::default());
        let start = Instant::now();
        let runtime = Relapses(outbox, Arc::new(Mutex::new(start)));
        block_on(wait(None, || true, runtime.clone()));
        assert_eq!(runtime.now() - start, LONGEST);
        block_on(wait(None, || false, runtime.clone()));
        assert_eq!(runtime.now() - start, LONGEST);
    }

    #[test]
    fn a_client_that_falls_behind_repeatedly_is_waited_for_once() {
        let outbox = TaskHandle::new(&Limits::default().max_buffered(1000));
        let start = Instant::now();
        let runtime = Relapses(Arc::clone(&outbox), Arc::new(Mutex::new(start)));
        runtime.fill();
        let mut grown = Some(Box::new(vec![outbox]));
        assert!(must_wait(&mut grown));
        block_on(wait(grown, || false, runtime.clone()));
        assert!(runtime.now() - start <= GRACE + MOMENT);
    }
}

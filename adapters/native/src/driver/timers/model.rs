//! Every interleaving that shuttle tries of connections that set their times and the task that wakes
//! them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crossws_core::Limits;
use shuttle::future::block_on;
use shuttle::thread;

use super::*;

const RUNS: usize = 10_000;

/// Sleeps of a minute or more never end; when a shorter one ends, this is the time.
#[derive(Clone)]
struct Hasty(Arc<Mutex<Instant>>);

struct Sleep(Option<(Instant, Hasty)>);

impl Runtime for Hasty {
    type Sleep = Sleep;

    fn sleep(&self, duration: Duration) -> Sleep {
        let ends = duration < Duration::from_secs(60);
        Sleep(ends.then(|| (self.now() + duration, self.clone())))
    }

    fn now(&self) -> Instant {
        *self.0.lock()
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some((at, Hasty(now))) = &self.0 else {
            return Poll::Pending;
        };
        let mut now = now.lock();
        if *now < *at {
            *now = *at;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

/// Runs a connection's task, which waits for a second of its own, however late or early the other
/// tasks are.
fn wait(timers: &Timers, runtime: &Hasty, first: u64) {
    let outbox = TaskHandle::new(&Limits::default());
    let mut set = runtime.now() + Duration::from_secs(first);
    assert!(timers.set(&outbox, None, set));
    let at = runtime.now() + Duration::from_secs(1);
    block_on(std::future::poll_fn(|cx| {
        outbox.attend(cx.waker());
        if runtime.now() >= at {
            return Poll::Ready(());
        }
        if set != at {
            assert!(timers.set(&outbox, Some(set), at));
            set = at;
        }
        Poll::Pending
    }));
    timers.cancel(&outbox, set);
}

#[test]
fn every_connection_is_woken_at_its_time() {
    shuttle::check_random(
        || {
            let runtime = Hasty(Arc::new(Mutex::new(Instant::now())));
            let timers = Timers::new(runtime.now());
            let driver = timers.driver(runtime.clone());
            let driving = thread::spawn(move || block_on(driver));
            let waiting: Vec<_> = [100, 200]
                .into_iter()
                .map(|first| {
                    let (timers, runtime) = (timers.clone(), runtime.clone());
                    thread::spawn(move || wait(&timers, &runtime, first))
                })
                .collect();
            for connection in waiting {
                connection.join().unwrap();
            }
            assert!(timers.0.0.state.lock().entries.is_empty());
            // The task ends with the last connection that could set a time.
            drop(timers);
            driving.join().unwrap();
        },
        RUNS,
    );
}

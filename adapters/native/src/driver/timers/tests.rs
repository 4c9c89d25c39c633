//! The timers under a clock of the test's own.

// Helpers here unwrap as the tests do.
#![allow(clippy::unwrap_used)]

use std::pin::Pin;
use std::sync::Mutex as Lock;
use std::sync::atomic::AtomicUsize;
use std::task::Wake;

use crossws_core::Limits;
use proptest::prelude::*;

use super::*;

/// Time that the test moves.
#[derive(Clone)]
struct Virtual(Arc<Lock<Time>>);

struct Time {
    now: Instant,
    sleepers: Vec<(Instant, Waker)>,
}

struct Sleep(Instant, Virtual);

impl Virtual {
    fn new() -> Self {
        Self(Arc::new(Lock::new(Time {
            now: Instant::now(),
            sleepers: Vec::new(),
        })))
    }

    fn advance(&self, by: Duration) {
        let mut time = self.0.lock().unwrap();
        time.now += by;
        let now = time.now;
        let (over, sleepers) = time.sleepers.drain(..).partition(|(at, _)| *at <= now);
        time.sleepers = sleepers;
        drop(time);
        for (_, waker) in over {
            waker.wake();
        }
    }
}

impl Runtime for Virtual {
    type Sleep = Sleep;

    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep(self.now() + duration, self.clone())
    }

    fn now(&self) -> Instant {
        self.0.lock().unwrap().now
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut time = self.1.0.lock().unwrap();
        if self.0 <= time.now {
            return Poll::Ready(());
        }
        time.sleepers.push((self.0, cx.waker().clone()));
        Poll::Pending
    }
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Woken {
    /// Returns how often the connection was woken since the last call.
    fn take(&self) -> usize {
        self.0.swap(0, Memory::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Memory::Relaxed);
    }
}

/// Returns a connection's outbox, and whether its task was woken.
fn connection() -> (Arc<TaskHandle>, Arc<Woken>) {
    let (outbox, woken) = (
        TaskHandle::new(&Limits::default()),
        Arc::new(Woken::default()),
    );
    outbox.attend(&Waker::from(Arc::clone(&woken)));
    (outbox, woken)
}

/// The task, run as a runtime would.
struct Task {
    driver: Pin<Box<dyn Future<Output = ()>>>,
    woken: Arc<Woken>,
    polls: usize,
}

impl Task {
    fn new(timers: &Timers, runtime: &Virtual) -> Self {
        let woken = Arc::new(Woken(1.into()));
        let driver = Box::pin(timers.driver(runtime.clone()));
        let mut task = Self {
            driver,
            woken,
            polls: 0,
        };
        assert!(task.run().is_pending());
        task
    }

    fn run(&mut self) -> Poll<()> {
        let waker = Waker::from(Arc::clone(&self.woken));
        while self.woken.take() > 0 {
            self.polls += 1;
            let mut cx = Context::from_waker(&waker);
            if self.driver.as_mut().poll(&mut cx).is_ready() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}

const LATE: Duration = Duration::from_nanos(TICK);

#[derive(Debug, Clone)]
enum Step {
    /// Sets the wake-up of one connection to a time in microseconds.
    Set(usize, u64),
    Cancel(usize),
    Advance(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let micros = prop_oneof![0..50_000u64, 0..30_000_000u64];
    let step = prop_oneof![
        3 => (0..8usize, micros.clone()).prop_map(|(who, after)| Step::Set(who, after)),
        1 => (0..8usize).prop_map(Step::Cancel),
        3 => micros.prop_map(Step::Advance),
    ];
    prop::collection::vec(step, 1..80)
}

proptest! {
    #[test]
    fn every_connection_is_woken_in_time_and_none_early(steps in steps()) {
        let runtime = Virtual::new();
        let timers = Timers::new(runtime.now());
        let mut task = Task::new(&timers, &runtime);
        let connections: Vec<_> = (0..8).map(|_| connection()).collect();
        // The times that the list should contain.
        let mut times = [None; 8];
        for step in steps {
            match step {
                Step::Set(who, after) => {
                    let at = runtime.now() + Duration::from_micros(after);
                    prop_assert!(timers.set(&connections[who].0, times[who], at));
                    times[who] = Some(at);
                }
                Step::Cancel(who) => {
                    if let Some(at) = times[who].take() {
                        timers.cancel(&connections[who].0, at);
                    }
                }
                Step::Advance(by) => runtime.advance(Duration::from_micros(by)),
            }
            prop_assert!(task.run().is_pending());
            for ((outbox, task), time) in connections.iter().zip(&mut times) {
                let (now, woken) = (runtime.now(), task.take());
                outbox.attend(&Waker::from(Arc::clone(task)));
                prop_assert!(woken <= 1);
                match *time {
                    Some(at) if woken == 1 => {
                        prop_assert!(at <= now, "early by {:?}", at - now);
                        *time = None;
                    }
                    Some(at) => prop_assert!(now < at + LATE, "late by {:?}", now - at),
                    None => prop_assert_eq!(woken, 0),
                }
            }
            let waiting = times.iter().flatten().count();
            prop_assert_eq!(timers.0.0.state.lock().entries.len(), waiting);
        }
    }
}

#[test]
fn nothing_is_kept_of_who_is_not_in_the_list() {
    let runtime = Virtual::new();
    let timers = Timers::new(runtime.now());
    let mut task = Task::new(&timers, &runtime);
    let (outbox, _) = connection();
    let at = runtime.now() + Duration::from_secs(1);
    assert!(timers.set(&outbox, None, at));
    assert_eq!(Arc::strong_count(&outbox), 2);
    timers.cancel(&outbox, at);
    assert_eq!(Arc::strong_count(&outbox), 1);
    assert!(timers.set(&outbox, None, at));
    runtime.advance(Duration::from_secs(2));
    assert!(task.run().is_pending());
    assert_eq!(Arc::strong_count(&outbox), 1);
}

#[test]
fn the_task_sleeps_until_a_connection_is_due() {
    let runtime = Virtual::new();
    let timers = Timers::new(runtime.now());
    let mut task = Task::new(&timers, &runtime);
    let connections: Vec<_> = (0..100).map(|_| connection()).collect();
    let at = runtime.now() + Duration::from_secs(25);
    for (outbox, _) in &connections {
        assert!(timers.set(outbox, None, at));
    }
    assert!(task.run().is_pending());
    for _ in 0..1000 {
        runtime.advance(Duration::from_millis(24));
        assert!(task.run().is_pending());
    }
    assert_eq!(task.polls, 2, "at its start, and for the first time");
    runtime.advance(Duration::from_secs(2));
    assert!(task.run().is_pending());
    assert_eq!(task.polls, 4, "two turns for a hundred");
    assert!(connections.iter().all(|(_, woken)| woken.take() == 1));
}

#[test]
fn the_task_ends_with_the_timers() {
    let runtime = Virtual::new();
    let timers = Timers::new(runtime.now());
    let mut task = Task::new(&timers, &runtime);
    let clone = timers.clone();
    drop(timers);
    assert!(task.run().is_pending());
    drop(clone);
    assert!(task.run().is_ready());
}

#[test]
fn connections_are_woken_when_the_timer_task_is_dropped() {
    let runtime = Virtual::new();
    let timers = Timers::new(runtime.now());
    let (outbox, woken) = connection();
    let at = runtime.now() + Duration::from_secs(1);
    assert!(!timers.set(&outbox, None, at), "no task yet");
    let task = Task::new(&timers, &runtime);
    assert!(timers.set(&outbox, None, at));
    drop(task);
    assert_eq!(woken.take(), 1);
    assert!(!timers.is_driven() && !timers.set(&outbox, Some(at), at));
    assert_eq!(Arc::strong_count(&outbox), 1);
}

#[test]
fn a_time_that_no_clock_reaches_is_never() {
    let runtime = Virtual::new();
    let timers = Timers::new(runtime.now());
    let mut task = Task::new(&timers, &runtime);
    let (outbox, woken) = connection();
    let at = crate::driver::timer::later(runtime.now(), Duration::MAX);
    assert!(timers.set(&outbox, None, at));
    runtime.advance(Duration::from_secs(1 << 30));
    assert!(task.run().is_pending());
    assert_eq!(woken.take(), 1, "after thirty years");
    runtime.advance(Duration::from_secs(1));
}

//! The time of all connections of a server: one list of who is to be woken when, and one task that
//! sleeps until the next of them.

#[cfg(all(test, crossws_shuttle))]
mod model;
#[cfg(all(test, not(crossws_shuttle)))]
mod tests;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::driver::timer::Timer;
use crate::outbox::Outbox;
use crate::runtime::Runtime;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering as Memory};

/// Wakes connections at their times: never early, and late by at most [`TICK`] and what the runtime
/// itself is late. Connections of one tick are woken together.
///
/// An ordered set, and no wheel of slots: it knows its next time, so that its task wakes up for
/// nobody else; it takes some 20 bytes for each connection, where a wheel's links and their slots take
/// more; and it is as fast. To move one of 10,000 takes 0.3 µs, of 100,000 0.8 and of a million 1.3,
/// where a timer of tokio's, which are in a wheel, takes 0.5, 0.9 and 1.2. A connection is moved about
/// once in ten seconds.
pub(crate) struct Timers(Arc<Shared>);

struct Shared {
    /// Of the first tick.
    start: Instant,
    /// Whether there is a task.
    driven: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    alarms: BTreeSet<Alarm>,
    /// The tick until which the task sleeps; 0 while it is awake, and looks before it sleeps.
    until: u64,
    task: Option<Waker>,
    /// Of the tasks of which one is woken behind it.
    followers: Vec<Waker>,
    over: bool,
}

/// By time; at the same time in any order, in which each has a place of its own.
struct Alarm {
    /// In ticks.
    at: u64,
    outbox: Arc<Outbox>,
}

/// Two to the power of so many nanoseconds are a tick.
const TICK_BITS: u32 = 22;

/// 4.2 ms.
const TICK: u64 = 1 << TICK_BITS;

/// So many are woken in one turn, before other tasks run.
const TURN: usize = 64;

impl Timers {
    /// Ticks begin `now`.
    pub(crate) fn new(now: Instant) -> Self {
        Self(Arc::new(Shared {
            start: now,
            driven: AtomicBool::new(false),
            state: Mutex::default(),
        }))
    }

    /// The task, which ends with these timers. Without it nobody is woken.
    pub(crate) fn driver<R: Runtime>(
        &self,
        runtime: R,
    ) -> impl Future<Output = ()> + Send + use<R> {
        self.0.driven.store(true, Memory::Release);
        let driver = Driver(Arc::clone(&self.0));
        let mut sleep = Timer::new();
        std::future::poll_fn(move |cx| driver.poll(&runtime, &mut sleep, cx))
    }

    /// A task that does nothing: it is woken behind the other, and ends with these timers. A runtime
    /// may let who is woken run next on the same thread, and no other thread take it from there: it
    /// would wait for a hook that goes on in the task that woke it, and with it everybody's time. Who
    /// is woken behind it takes that place, and is stuck there: one of these is needed for each thread
    /// that may be held up so.
    pub(crate) fn follower(&self) -> impl Future<Output = ()> + Send + use<> {
        let shared = Arc::clone(&self.0);
        std::future::poll_fn(move |cx| {
            let mut state = shared.state.lock();
            if state.over {
                return Poll::Ready(());
            }
            let waker = cx.waker();
            if !state.followers.iter().any(|known| known.will_wake(waker)) {
                state.followers.push(waker.clone());
            }
            Poll::Pending
        })
    }

    /// Whether who is in the list is woken.
    pub(crate) fn is_driven(&self) -> bool {
        self.0.driven.load(Memory::Acquire)
    }

    /// Wakes the task of this outbox at a time, instead of at `old`. `false`, and nothing is kept,
    /// where nobody would be woken.
    pub(crate) fn set(&self, outbox: &Arc<Outbox>, old: Option<Instant>, at: Instant) -> bool {
        let mut alarm = Alarm {
            at: old.map_or(0, |old| self.0.tick(old)),
            outbox: Arc::clone(outbox),
        };
        let mut state = self.0.state.lock();
        state.alarms.remove(&alarm);
        // Under the lock, under which the task takes its leave.
        if !self.is_driven() {
            return false;
        }
        alarm.at = self.0.tick(at);
        let mut tasks = [None, None];
        if alarm.at < state.until {
            state.until = 0;
            // In this order.
            tasks = [state.task.take(), state.followers.pop()];
        }
        state.alarms.insert(alarm);
        drop(state);
        wake(tasks);
        true
    }

    /// Nobody is to be woken at `old` any more.
    pub(crate) fn cancel(&self, outbox: &Arc<Outbox>, old: Instant) {
        let alarm = Alarm {
            at: self.0.tick(old),
            outbox: Arc::clone(outbox),
        };
        self.0.state.lock().alarms.remove(&alarm);
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        let tasks = {
            let mut state = self.0.state.lock();
            state.over = true;
            let followers = std::mem::take(&mut state.followers);
            std::iter::once(state.task.take()).chain(followers.into_iter().map(Some))
        };
        wake(tasks);
    }
}

fn wake(tasks: impl IntoIterator<Item = Option<Waker>>) {
    for task in tasks.into_iter().flatten() {
        task.wake();
    }
}

impl Shared {
    /// The first tick that is not before a time.
    fn tick(&self, at: Instant) -> u64 {
        self.nanos(at).saturating_add(TICK - 1) >> TICK_BITS
    }

    /// In five centuries at the latest.
    fn nanos(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.start);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Takes who is due, so many as one turn wakes; and when somebody is due next.
    fn due(&self, now: Instant, task: &Waker) -> Due {
        let now = self.nanos(now) >> TICK_BITS;
        let mut woken = Vec::new();
        let mut state = self.state.lock();
        let next = loop {
            match state.alarms.first() {
                Some(alarm) if alarm.at > now || woken.len() == TURN => break Some(alarm.at),
                Some(_) => woken.extend(state.alarms.pop_first()),
                None => break None,
            }
        };
        if next.is_none() && state.over {
            return Due::Over;
        }
        let sleeps = next.is_none_or(|next| next > now);
        if !sleeps {
            state.until = 0;
            return Due::Woken(woken, None);
        }
        state.until = next.unwrap_or(u64::MAX);
        match &mut state.task {
            Some(known) => known.clone_from(task),
            none => *none = Some(task.clone()),
        }
        let next = next.and_then(|next| {
            self.start
                .checked_add(Duration::from_nanos(next << TICK_BITS))
        });
        Due::Woken(woken, Some(next))
    }
}

enum Due {
    /// These; and until when then to sleep, if nobody else is due now.
    Woken(Vec<Alarm>, Option<Option<Instant>>),
    Over,
}

/// The task's hold on the timers, until it ends or is dropped.
struct Driver(Arc<Shared>);

impl Driver {
    /// Wakes who is due, and sees to its own wake-up for the next.
    fn poll<R: Runtime>(
        &self,
        runtime: &R,
        sleep: &mut Timer<R>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        loop {
            let now = runtime.now();
            let (woken, next) = match self.0.due(now, cx.waker()) {
                Due::Woken(woken, next) => (woken, next),
                Due::Over => return Poll::Ready(()),
            };
            for alarm in woken {
                alarm.outbox.wake_pump();
            }
            let Some(next) = next else {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            };
            if sleep.poll(runtime, now, next, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Driver {
    #[expect(
        clippy::mutable_key_type,
        reason = "an outbox's place is its address, which does not change"
    )]
    fn drop(&mut self) {
        let alarms = {
            let mut state = self.0.state.lock();
            self.0.driven.store(false, Memory::Release);
            std::mem::take(&mut state.alarms)
        };
        // They see to their time themselves.
        for alarm in alarms {
            alarm.outbox.wake_pump();
        }
    }
}

impl Alarm {
    fn key(&self) -> (u64, *const Outbox) {
        (self.at, Arc::as_ptr(&self.outbox))
    }
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Alarm {}

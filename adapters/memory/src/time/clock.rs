use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossws_core::adapter::sync::Mutex;

/// Virtual time. It stands still until the test moves it.
pub(crate) struct Clock {
    /// The wall clock when virtual time began.
    began: SystemTime,
    state: Mutex<ClockState>,
}

impl Default for Clock {
    fn default() -> Self {
        let began = match cfg!(target_arch = "wasm32") {
            // This target has no wall clock of its own.
            true => UNIX_EPOCH,
            false => SystemTime::now(),
        };
        Self {
            began,
            state: Mutex::default(),
        }
    }
}

#[derive(Default)]
struct ClockState {
    now: Duration,
    alarms: BTreeMap<(Duration, u64), Set>,
    last_id: u64,
}

struct Set {
    waker: Waker,
    /// Goes off when time passes it, but time does not move by itself to reach it.
    passive: bool,
}

impl Clock {
    /// Returns the time since the server was created.
    pub(crate) fn now(&self) -> Duration {
        self.state.lock().now
    }

    /// Returns the wall clock, which moves with virtual time.
    pub(crate) fn wall(&self) -> SystemTime {
        let now = self.began.checked_add(self.now());
        now.unwrap_or(self.began)
    }

    /// Waits until time has moved on by this much.
    pub(crate) fn sleep(self: &Arc<Self>, time: Duration) -> impl Future<Output = ()> + use<> {
        let until = self.now().saturating_add(time);
        let mut alarm = Alarm::new(self);
        poll_fn(move |cx| {
            if alarm.clock.now() >= until {
                return Poll::Ready(());
            }
            alarm.set(Some(until), cx.waker());
            Poll::Pending
        })
    }

    /// Moves to the next alarm, but not past `until`, and sets off all alarms of that time. Without
    /// an alarm, it moves to `until` and returns `false`.
    pub(crate) fn step(&self, until: Duration) -> bool {
        self.go(until, true)
    }

    /// As [`step`](Self::step), but does not move if there is no alarm before `until`.
    pub(crate) fn step_to_alarm(&self, until: Duration) -> bool {
        self.go(until, false)
    }

    fn go(&self, until: Duration, all_the_way: bool) -> bool {
        let mut due = Vec::new();
        {
            let mut state = self.state.lock();
            let next = state
                .alarms
                .iter()
                .find(|(_, set)| all_the_way || !set.passive)
                .map(|((at, _), _)| *at)
                .filter(|at| *at <= until);
            match next {
                Some(at) => state.now = state.now.max(at),
                None if all_the_way => state.now = state.now.max(until),
                None => {}
            }
            while let Some(first) = state.alarms.first_entry()
                && next.is_some_and(|next| first.key().0 <= next)
            {
                due.push(first.remove().waker);
            }
        }
        let any = !due.is_empty();
        due.into_iter().for_each(Waker::wake);
        any
    }
}

/// One owner's alarm on a clock; cleared when dropped.
pub(crate) struct Alarm {
    clock: Arc<Clock>,
    id: u64,
    set_to: Option<Duration>,
    passive: bool,
}

impl Alarm {
    pub(crate) fn new(clock: &Arc<Clock>) -> Self {
        let mut state = clock.state.lock();
        state.last_id += 1;
        Self {
            clock: Arc::clone(clock),
            id: state.last_id,
            set_to: None,
            passive: false,
        }
    }

    /// Creates an alarm that time does not move to when it moves by itself.
    pub(crate) fn passive(clock: &Arc<Clock>) -> Self {
        let mut alarm = Self::new(clock);
        alarm.passive = true;
        alarm
    }

    /// Sets the alarm to a time, or clears it. An alarm in the past goes off at the next step.
    pub(crate) fn set(&mut self, at: Option<Duration>, waker: &Waker) {
        let mut state = self.clock.state.lock();
        let old = self
            .set_to
            .and_then(|at| state.alarms.remove(&(at, self.id)));
        self.set_to = at;
        if let Some(at) = at {
            let set = Set {
                waker: waker.clone(),
                passive: self.passive,
            };
            state.alarms.insert((at, self.id), set);
        }
        drop(state);
        drop(old);
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(at) = self.set_to {
            let set = self.clock.state.lock().alarms.remove(&(at, self.id));
            drop(set);
        }
    }
}

//! The sleeps of a connection's hooks and tasks, and its named timers. The adapter's timer for the
//! credentials keeps their time.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use once_cell::race::OnceBox;

use crate::peer::Peer;
use crate::peer::deadlines::timers::Timers;
use crate::peer::life::PeerState;
use crate::sync::Mutex;

/// The time, and a number that distinguishes sleeps of the same time.
type SleepKey = (SystemTime, u64);

/// The sleeps and the timers of one peer.
// A pointer, because most peers have none.
#[derive(Default)]
pub(crate) struct Sleepers(OnceBox<Mutex<Sleeping>>);

#[derive(Default)]
struct Sleeping {
    /// In the order of their keys. A peer has few.
    sleeping: Vec<(SleepKey, Waker)>,
    last: u64,
    timers: Timers,
}

impl Sleeping {
    fn first(&self) -> Option<SystemTime> {
        let sleep = self.sleeping.first().map(|((at, _), _)| *at);
        sleep.into_iter().chain(self.timers.first()).min()
    }

    /// Returns the place of a sleep, or the place to insert it at.
    fn find(&self, key: SleepKey) -> Result<usize, usize> {
        self.sleeping.binary_search_by_key(&key, |(key, _)| *key)
    }
}

impl Sleepers {
    /// Returns when the first of them ends.
    #[inline]
    pub(crate) fn first(&self) -> Option<SystemTime> {
        self.0.get().and_then(|state| state.lock().first())
    }

    /// Ends the sleeps until this time. Returns the names of the timers that have become due.
    pub(crate) fn ring(&self, until: SystemTime) -> Vec<Arc<str>> {
        let Some(state) = self.0.get() else {
            return Vec::new();
        };
        let mut state = state.lock();
        let due = state.sleeping.partition_point(|((at, _), _)| *at <= until);
        let rest = state.sleeping.split_off(due);
        let due = std::mem::replace(&mut state.sleeping, rest);
        let timers = state.timers.take_due(until);
        drop(state);
        due.into_iter().for_each(|(_, waker)| waker.wake());
        timers
    }

    /// Ends all sleeps, and removes the timers.
    pub(crate) fn end(&self) {
        let Some(state) = self.0.get() else {
            return;
        };
        let mut state = state.lock();
        let due = std::mem::take(&mut state.sleeping);
        state.timers = Timers::default();
        drop(state);
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Returns the timers; `None` if the peer has never had a sleep or a timer.
    pub(crate) fn timers<T>(&self, look: impl FnOnce(&mut Timers) -> T) -> Option<T> {
        Some(look(&mut self.0.get()?.lock().timers))
    }

    /// Changes the timers.
    pub(crate) fn change_timers<T>(&self, change: impl FnOnce(&mut Timers) -> T) -> T {
        change(&mut self.0.get_or_init(Box::default).lock().timers)
    }

    /// Restores the timers that were stored with a peer.
    pub(crate) fn restored(timers: Timers) -> Self {
        let this = Self::default();
        if !timers.is_empty() {
            this.change_timers(|known| *known = timers);
        }
        this
    }

    fn add(&self, at: SystemTime) -> SleepKey {
        let mut state = self.0.get_or_init(Box::default).lock();
        state.last += 1;
        let key = (at, state.last);
        let at = state.find(key).unwrap_or_else(|at| at);
        state.sleeping.insert(at, (key, Waker::noop().clone()));
        key
    }

    /// Returns whether a sleep goes on. If so, this waker is woken at its end.
    fn goes_on(&self, key: SleepKey, waker: &Waker) -> bool {
        let Some(state) = self.0.get() else {
            return false;
        };
        let mut state = state.lock();
        let Some((_, known)) = state
            .find(key)
            .ok()
            .and_then(|at| state.sleeping.get_mut(at))
        else {
            return false;
        };
        let old = (!known.will_wake(waker)).then(|| std::mem::replace(known, waker.clone()));
        drop(state);
        // Outside the lock: it may be the last handle to a task, whose destructors run here.
        drop(old);
        true
    }

    fn remove(&self, key: SleepKey) {
        let Some(state) = self.0.get() else {
            return;
        };
        let mut state = state.lock();
        let old = state.find(key).ok().map(|at| state.sleeping.remove(at));
        drop(state);
        drop(old);
    }
}

/// See [`Peer::sleep`].
#[must_use = "futures do nothing unless they are awaited"]
#[derive(Debug)]
pub struct Sleep {
    peer: Peer,
    key: SleepKey,
}

impl Sleep {
    pub(crate) fn until(peer: &Peer, at: SystemTime) -> Self {
        let first = peer.due_at();
        let key = peer.sleepers().add(at);
        if first.is_none_or(|first| at < first) {
            peer.keep_time(Some(at));
        }
        let peer = peer.clone();
        Self { peer, key }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let goes_on = self.peer.sleepers().goes_on(self.key, cx.waker());
        // In this order: the connection's end wakes the sleeps that it finds.
        match goes_on && self.peer.state() == PeerState::Open {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.peer.sleepers().remove(self.key);
    }
}

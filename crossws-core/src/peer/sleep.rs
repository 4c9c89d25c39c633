//! Sleeps of a connection's hooks and tasks, kept by the adapter's timer for the credentials.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use crate::peer::Peer;
use crate::peer::life::PeerState;
use crate::sync::Mutex;

/// When, and which of those at that time.
type Key = (SystemTime, u64);

/// The sleeps of one peer.
#[derive(Default)]
pub(crate) struct Sleepers(Mutex<State>);

#[derive(Default)]
struct State {
    sleeping: BTreeMap<Key, Waker>,
    last: u64,
}

impl Sleepers {
    /// When the first of them ends.
    pub(crate) fn first(&self) -> Option<SystemTime> {
        let state = self.0.lock();
        Some(state.sleeping.first_key_value()?.0.0)
    }

    /// Ends those until this time; `None` for all.
    pub(crate) fn ring(&self, until: Option<SystemTime>) {
        let mut state = self.0.lock();
        let rest = match until {
            Some(until) => state.sleeping.split_off(&(until, u64::MAX)),
            None => BTreeMap::new(),
        };
        let due = std::mem::replace(&mut state.sleeping, rest);
        drop(state);
        due.into_values().for_each(Waker::wake);
    }

    fn add(&self, at: SystemTime) -> Key {
        let mut state = self.0.lock();
        state.last += 1;
        let key = (at, state.last);
        state.sleeping.insert(key, Waker::noop().clone());
        key
    }

    /// Whether one of them goes on; then it is this waker that is woken.
    fn goes_on(&self, key: Key, waker: &Waker) -> bool {
        let mut state = self.0.lock();
        let Some(known) = state.sleeping.get_mut(&key) else {
            return false;
        };
        let old = (!known.will_wake(waker)).then(|| std::mem::replace(known, waker.clone()));
        drop(state);
        // Outside the lock: it may be the last handle to a task, whose destructors run here.
        drop(old);
        true
    }

    fn remove(&self, key: Key) {
        let old = self.0.lock().sleeping.remove(&key);
        drop(old);
    }
}

/// See [`Peer::sleep`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct Sleep {
    peer: Peer,
    key: Key,
}

impl Sleep {
    pub(crate) fn new(peer: &Peer, duration: Duration) -> Self {
        /// A time that no connection lives to see, where the clock has no time so late.
        const LONG: Duration = Duration::from_secs(1 << 32);
        let now = peer.transport().now();
        let at = now.checked_add(duration).unwrap_or(now + LONG);
        let first = peer.due_at();
        let key = peer.rare().get_or_init().sleepers.add(at);
        if first.is_none_or(|first| at < first) {
            peer.transport().renewed(Some(at));
        }
        let peer = peer.clone();
        Self { peer, key }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let rare = self.peer.rare().get();
        let goes_on = rare.is_some_and(|rare| rare.sleepers.goes_on(self.key, cx.waker()));
        // In this order: what ends the connection ends the sleeps that it finds.
        match goes_on && self.peer.state() == PeerState::Open {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(rare) = self.peer.rare().get() {
            rare.sleepers.remove(self.key);
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sleep(..)")
    }
}

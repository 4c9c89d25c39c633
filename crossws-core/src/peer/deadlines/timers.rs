//! Named timers of a connection, which outlive its memory if the transport stores them.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::peer::Peer;
use crate::peer::deadlines::after;
use crate::peer::life::PeerState;
use crate::peer::snapshot::persist_error::PersistError;
use crate::sort::sort_by;
use crate::transport::capabilities::Capabilities;

impl Peer {
    /// Sets the timer of this name: the [`timer`](crate::Hooks::timer) hook runs after `duration`,
    /// one hook at a time like any other. A timer of the same name is replaced: only the new time
    /// counts, even if the old timer was due and its hook had not begun. The connection's end
    /// clears all timers.
    ///
    /// If the transport hibernates, timers are stored with the peer and wake the object. The hook
    /// runs at most once for each: the timer is removed from storage when its hook begins.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use crossws_core::{HookResult, Hooks, Message, Peer};
    /// struct Room;
    ///
    /// impl Hooks for Room {
    ///     async fn message(&self, peer: &Peer, _: Message) -> HookResult {
    ///         peer.publish("room", "is typing")?;
    ///         peer.set_timer("typing", Duration::from_secs(3))?; // in place of the one before
    ///         Ok(())
    ///     }
    ///
    ///     async fn timer(&self, peer: &Peer, name: &str) -> HookResult {
    ///         if name == "typing" {
    ///             peer.publish("room", "is silent")?;
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// See [`TimerError`]. The earlier timer of this name goes on.
    pub fn set_timer(&self, name: impl AsRef<str>, duration: Duration) -> Result<(), TimerError> {
        let name = name.as_ref();
        if !self.capabilities().contains(Capabilities::EXPIRY) {
            return Err(TimerError::Unsupported);
        }
        if self.state() != PeerState::Open {
            return Err(TimerError::Closed);
        }
        let settings = self.settings();
        let (len, most) = (name.len(), settings.limits.max_name_len.get());
        if len > most {
            return Err(TimerError::NameTooLong { len, most });
        }
        let at = after(self.transport().steady(), duration);
        let first = self.due_at();
        let most = settings.limits.max_timers.get();
        let old = self.sleepers().change_timers(|timers| {
            let old = timers.clone();
            timers.set(name, at, most).then_some(old)
        });
        let old = old.ok_or(TimerError::TooMany(most))?;
        if let Err(error) = self.persist() {
            self.sleepers().change_timers(|timers| *timers = old);
            return Err(error.into());
        }
        if self.state() != PeerState::Open {
            // What has ended the connection may have cleared the timers before this one was set.
            self.sleepers().change_timers(|timers| timers.remove(name));
            return Err(TimerError::Closed);
        }
        if first.is_none_or(|first| at < first) {
            self.keep_time(Some(at));
        }
        Ok(())
    }

    /// Clears the timer of this name. Returns whether there was one whose hook had not begun; it
    /// will not run.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.set_timer("idle", std::time::Duration::from_secs(60))?;
    /// peer.clear_timer("idle");
    /// # Ok(()) }
    /// ```
    pub fn clear_timer(&self, name: impl AsRef<str>) -> bool {
        self.change_stored_timers(|timers| timers.remove(name.as_ref()))
    }

    /// Begins the hook of a timer that was due. Returns `false` if the timer was cleared meanwhile,
    /// or set again.
    pub(crate) fn begin_timer(&self, name: &str) -> bool {
        self.change_stored_timers(|timers| timers.begin(name))
    }

    fn change_stored_timers(&self, change: impl FnOnce(&mut Timers) -> bool) -> bool {
        let changed = self.sleepers().timers(change).unwrap_or(false);
        if changed && let Err(error) = self.persist() {
            // Less room is needed than before, so only the platform itself can have refused.
            tracing::error!(peer = %self, %error, "a timer is still stored");
        }
        changed
    }
}

/// A peer's named timers: few, so that a list is enough.
#[derive(Debug, Default, Clone)]
pub(crate) struct Timers(Vec<Timer>);

#[derive(Debug, Clone)]
struct Timer {
    name: Arc<str>,
    at: SystemTime,
    /// The timer is due, and its hook has not begun.
    due: bool,
}

impl Timers {
    /// Returns when the first of them is due.
    pub(crate) fn first(&self) -> Option<SystemTime> {
        let waiting = self.0.iter().filter(|timer| !timer.due);
        waiting.map(|timer| timer.at).min()
    }

    /// Sets a timer, and replaces the one with this name. Returns `false` if there are already as
    /// many as allowed.
    pub(crate) fn set(&mut self, name: &str, at: SystemTime, most: usize) -> bool {
        let others = self.0.iter().filter(|timer| *timer.name != *name).count();
        if others >= most {
            return false;
        }
        self.remove(name);
        self.0.push(Timer {
            name: name.into(),
            at,
            due: false,
        });
        true
    }

    /// Removes a timer. Returns whether there was one.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|timer| *timer.name != *name);
        self.0.len() < before
    }

    /// Marks the timers that become due until this time, and returns their names. They are sorted
    /// by time, then by the order in which they were set.
    pub(crate) fn take_due(&mut self, until: SystemTime) -> Vec<Arc<str>> {
        let is_due = |(_, timer): &(usize, &mut Timer)| !timer.due && timer.at <= until;
        let mut due: Vec<_> = self.0.iter_mut().enumerate().filter(is_due).collect();
        sort_by(&mut due, |(one, timer), (other, later)| {
            (timer.at, one).cmp(&(later.at, other))
        });
        let due = due.into_iter().map(|(_, timer)| {
            timer.due = true;
            Arc::clone(&timer.name)
        });
        due.collect()
    }

    /// Removes a timer whose hook begins. Returns `false` if it was cleared, or set again, since it
    /// was due.
    pub(crate) fn begin(&mut self, name: &str) -> bool {
        let is_due = |timer: &Timer| timer.due && *timer.name == *name;
        let due = self.0.iter().position(is_due);
        due.map(|index| self.0.remove(index)).is_some()
    }

    /// Returns the timers in their stored form: names, and times in milliseconds since the epoch.
    /// Due timers whose hooks have not begun are included.
    pub(crate) fn stored(&self) -> Vec<(String, u64)> {
        let stored = |timer: &Timer| (String::from(&*timer.name), millis(timer.at));
        self.0.iter().map(stored).collect()
    }

    pub(crate) fn from_stored(stored: &[(String, u64)]) -> Self {
        let timer = |(name, at): &(String, u64)| {
            let at = UNIX_EPOCH.checked_add(Duration::from_millis(*at))?;
            Some(Timer {
                name: name.as_str().into(),
                at,
                due: false,
            })
        };
        Self(stored.iter().filter_map(timer).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Converts a time to whole milliseconds, rounded up: a timer is never early.
fn millis(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = since.saturating_add(Duration::from_nanos(999_999));
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Why a timer was not set: see [`Peer::set_timer`](crate::Peer::set_timer). An existing timer of
/// the name stays unchanged.
///
/// ```
/// # use crossws_core::*;
/// use std::time::Duration;
///
/// fn typing(peer: &Peer) -> Result<(), TimerError> {
///     peer.set_timer("typing", Duration::from_secs(3))
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimerError {
    /// The connection is closing or closed.
    #[error("no timer was set: the connection is closed")]
    Closed,
    /// The transport keeps no time ([`Capabilities::EXPIRY`](crate::Capabilities::EXPIRY)).
    #[error("no timer was set: this transport keeps no time")]
    Unsupported,
    /// The peer has as many timers as it may have
    /// ([`Limits::max_timers`](field@crate::Limits::max_timers)).
    #[error("no timer was set: a peer may have at most {0}")]
    TooMany(usize),
    /// The name is longer than [`Limits::max_name_len`](field@crate::Limits::max_name_len).
    #[error("no timer was set: a name of {len} bytes, at most {most} are allowed")]
    NameTooLong {
        /// The name's length in bytes.
        len: usize,
        /// The longest length allowed.
        most: usize,
    },
    /// The transport hibernates and could not store the timer.
    #[error("no timer was set: {0}")]
    Persist(#[from] PersistError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(secs)
    }

    fn names(due: &[Arc<str>]) -> Vec<&str> {
        due.iter().map(|name| &**name).collect()
    }

    #[test]
    fn timers_are_due_in_the_order_of_their_times_and_then_as_they_were_set() {
        let mut timers = Timers::default();
        for (name, secs) in [("c", 3), ("b", 2), ("a", 2), ("z", 9)] {
            assert!(timers.set(name, at(secs), 4));
        }
        assert_eq!(timers.first(), Some(at(2)));
        assert!(timers.take_due(at(1)).is_empty());
        assert_eq!(names(&timers.take_due(at(3))), ["b", "a", "c"]);
        assert!(timers.take_due(at(3)).is_empty(), "said once");
        assert_eq!(timers.first(), Some(at(9)));
    }

    #[test]
    fn a_timer_that_is_set_again_or_cleared_does_not_begin() {
        let mut timers = Timers::default();
        for name in ["set", "cleared", "kept"] {
            timers.set(name, at(1), 3);
        }
        timers.take_due(at(1));
        assert!(timers.set("set", at(5), 3), "in place of the one before");
        assert!(timers.remove("cleared"));
        assert!(!timers.remove("cleared"));
        assert!(!timers.begin("set"));
        assert!(!timers.begin("cleared"));
        assert!(timers.begin("kept"));
        assert!(!timers.begin("kept"));
        assert_eq!(timers.first(), Some(at(5)));
    }

    #[test]
    fn timers_have_a_bound() {
        let mut timers = Timers::default();
        assert!(timers.set("a", at(1), 2) && timers.set("b", at(1), 2));
        assert!(!timers.set("c", at(1), 2));
        assert!(timers.set("b", at(2), 2));
        assert!(!timers.set("b", at(2), 0));
    }

    #[test]
    fn what_is_stored_is_due_again_and_never_early() {
        let mut timers = Timers::default();
        timers.set("a", at(1) + Duration::from_nanos(1), 2);
        timers.set("b", at(2), 2);
        timers.take_due(at(2));
        let stored = timers.stored();
        assert_eq!(stored, [("a".to_owned(), 1001), ("b".to_owned(), 2000)]);
        let mut again = Timers::from_stored(&stored);
        assert_eq!(again.first(), Some(at(1) + Duration::from_millis(1)));
        assert_eq!(names(&again.take_due(at(2))), ["a", "b"]);
    }
}

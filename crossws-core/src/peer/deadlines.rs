//! When a peer's credentials, sleeps and timers end.

pub(crate) mod expiry;
pub(crate) mod interval;
pub(crate) mod sleep;
pub(crate) mod timers;

use std::time::{Duration, SystemTime};

use crate::hooks::notice::{Kind, Notice};
use crate::peer::Peer;
use crate::peer::deadlines::expiry::{Expiry, ExpiryError, converted, credentials_expired};
use crate::peer::deadlines::sleep::{Sleep, Sleepers};
use crate::peer::life::{End, PeerState};
use crate::transport::capabilities::Capabilities;

impl Peer {
    /// Returns when the peer's credentials end, if they do: then the peer is closed with 4401. By the
    /// wall clock as it is set now.
    pub fn expires_at(&self) -> Option<SystemTime> {
        let (ends, transport) = (self.ends_at()?, &self.0.transport);
        Some(converted(ends, transport.steady(), transport.now()))
    }

    /// As [`expires_at`](Self::expires_at), by the transport's steady clock.
    fn ends_at(&self) -> Option<SystemTime> {
        self.0.expiry.get().time()
    }

    /// Sets when the peer's credentials end: later, because the client has shown new ones; sooner,
    /// because they were revoked; or [`Expiry::Never`]. May be called from any task that holds the
    /// peer.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// // A refreshed token is valid for another hour.
    /// peer.set_expiry(std::time::Duration::from_secs(3600))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the connection is ending, the transport keeps no time ([`Capabilities::EXPIRY`]), or it
    /// hibernates and cannot store the new time: the old one stays.
    pub fn set_expiry(&self, expiry: impl Into<Expiry>) -> Result<(), ExpiryError> {
        if !self.capabilities().contains(Capabilities::EXPIRY) {
            return Err(ExpiryError::Unsupported);
        }
        if self.state() != PeerState::Open {
            return Err(ExpiryError::Closed);
        }
        let moment = expiry.into().on(&*self.0.transport);
        let old = self.0.expiry.replace(moment);
        if let Err(error) = self.persist() {
            self.0.expiry.replace(old);
            return Err(error.into());
        }
        self.keep_time(self.due_at());
        Ok(())
    }

    /// Waits for a duration, or until the connection is ending, whichever comes first. It depends
    /// on no runtime: the connection's adapter keeps the time, with a precision of about a
    /// millisecond, and in tests the time is virtual. If the transport keeps no time
    /// ([`Capabilities::EXPIRY`]) only the end ends the wait.
    ///
    /// In a Durable Object a sleep does not outlast the object's memory.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use crossws_core::{Peer, PeerState, SendError};
    /// async fn ticks(peer: Peer) -> Result<(), SendError> {
    ///     while peer.state() == PeerState::Open {
    ///         peer.send("tick")?;
    ///         peer.sleep(Duration::from_secs(1)).await;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the future ends the sleep without further effect.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::until(self, after(self.transport().steady(), duration))
    }

    pub(crate) fn sleepers(&self) -> &Sleepers {
        &self.0.sleepers
    }

    /// Returns when the adapter must call [`is_due`](Self::is_due) next.
    pub(crate) fn due_at(&self) -> Option<SystemTime> {
        let expires = self.ends_at();
        match self.0.sleepers.first() {
            None => expires,
            Some(first) => Some(expires.map_or(first, |expires| expires.min(first))),
        }
    }

    /// Has the adapter keep the time of the first deadline, which has changed; `None` for never.
    pub(crate) fn keep_time(&self, until: Option<SystemTime>) {
        match (self.0.transport.hibernation(), until) {
            (None, _) => self.0.transport.wake_timer(),
            (Some(hibernation), Some(until)) => hibernation.wake_at(until),
            (Some(_), None) => {}
        }
    }

    /// Handles a time that the adapter was told and that has come, whatever the wall clock says
    /// now. The deadline may have been moved or cancelled meanwhile. Returns whether a `timer` hook
    /// must run.
    pub(crate) fn is_due(&self, at: SystemTime) -> bool {
        let until = at.max(self.0.transport.steady());
        if self.ends_at().is_some_and(|end| end <= until) {
            self.close_with(credentials_expired(), End::Expiry);
            return false;
        }
        let timers = self.0.sleepers.ring(until);
        let any = !timers.is_empty();
        for name in timers {
            self.notify(Notice(Kind::Timer(name)));
        }
        self.keep_time(self.due_at());
        any
    }

    /// Returns whether the credentials have ended, on a transport that keeps time.
    pub(crate) fn has_expired(&self) -> bool {
        self.0.expiry.get().is_past(self.0.transport.steady())
    }
}

/// Returns `now` plus a duration, or a time beyond any connection's life if the clock's range ends
/// before that.
pub(crate) fn after(now: SystemTime, duration: Duration) -> SystemTime {
    const LONG: Duration = Duration::from_secs(1 << 32);
    now.checked_add(duration).unwrap_or(now + LONG)
}

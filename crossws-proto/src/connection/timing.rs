//! Time: which deadlines have passed, and how long the other side may take.

use std::time::{Duration, SystemTime};

use crossws_core::adapter::{LivenessEvent, PeerEvents};
use crossws_core::{CloseFrame, Closed, ClosedBy};

use super::{Connection, Phase, Queue};
use crate::reasons;

/// Returns how much longer a deadline of the other side that is found this late waits, or `None` if it is found in
/// time. The process was stopped, or its thread was busy. What the other side sent meanwhile counts, and a runtime
/// may fire its timers before it has looked at any socket (on Linux, waiting for events ends with `EINTR` after a
/// stop): it is read in this time. A deadline is excused once.
pub fn excuse(late: Duration) -> Option<Duration> {
    /// Timers of Unix are up to this late on an idle machine.
    const EXACT: Duration = Duration::from_millis(10);
    const MOST: Duration = Duration::from_secs(1);
    (late > EXACT).then(|| late.min(MOST))
}

impl<Q: Queue> Connection<Q> {
    /// Returns the nearest deadline, which passes no earlier. `clock` reads the
    /// transport's [steady](crossws_core::adapter::Transport::steady) clock.
    ///
    /// One by which the other side is judged is moved once, by [`handle_timeout`](Self::handle_timeout), if it
    /// is found late: see [`excuse`].
    #[inline(always)]
    pub fn poll_timeout(
        &mut self,
        now: Duration,
        clock: impl FnOnce() -> SystemTime,
    ) -> Option<Duration> {
        if std::mem::take(&mut self.heard) {
            self.liveness.heard(now);
        }
        if !self.undecoded {
            self.controls.caught_up(now);
        }
        if std::mem::take(&mut self.active) {
            self.liveness.active(now);
            self.controls.message(now);
        }
        let expires_at = self.events.as_ref().and_then(PeerEvents::expires_at);
        self.liveness.credentials(expires_at, now, clock);
        let judged = self.judged_due();
        let judged = judged.map(|due| due.max(self.excused_until().unwrap_or_default()));
        self.own_due().into_iter().chain(judged).min()
    }

    fn excused_until(&self) -> Option<Duration> {
        self.delays.get()?.excused_until
    }

    /// Returns the nearest deadline that is not the other side's.
    #[inline(always)]
    fn own_due(&self) -> Option<Duration> {
        let lives = self.is_open() || self.is_broken();
        self.liveness.own_due().filter(|_| lives)
    }

    /// Returns the nearest deadline by which the other side is judged.
    #[inline(always)]
    fn judged_due(&self) -> Option<Duration> {
        if !self.is_open() {
            // Nothing else ends a client that is still heard.
            return match self.is_broken() {
                true => self.liveness.judged_due(),
                false => self.phase.deadline(),
            };
        }
        let due = self.liveness.judged_due();
        [due, self.age_limit(), self.message_limit()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Acts on a deadline that has passed, or moves one that is found late. [`poll_transmit`](Self::poll_transmit)
    /// and [`poll_timeout`](Self::poll_timeout) must follow.
    pub fn handle_timeout(&mut self, now: Duration) {
        let judges = !self.excuses(now);
        let is_broken = self.is_broken();
        if !self.is_open() && !is_broken {
            return match self.phase {
                _ if !judges => {}
                Phase::Violated(_) => self.fail_violated(now),
                // Bytes that the client has not taken or sent are lost.
                _ => self.lose(true),
            };
        }
        let reached = |limit: Option<Duration>| !is_broken && limit.is_some_and(|at| at <= now);
        if judges && reached(self.age_limit()) {
            self.delays.begin().age_said = true;
            return self.outbox().too_old();
        }
        if self.is_full() || self.undecoded {
            // While this side does not read, silence says nothing about the client.
            self.liveness.heard(now);
            self.liveness.active(now);
            self.delays.end(|late| late.begun = late.begun.map(|_| now));
        }
        if judges && reached(self.message_limit()) {
            return self.time_out(reasons::message_too_slow(), now);
        }
        loop {
            let due = match judges {
                true => self.liveness.poll(now),
                false => self.liveness.poll_own(now),
            };
            match due {
                Some(due) if is_broken => self.broken_due(due),
                Some(due) => self.due(due, now),
                None => return,
            }
        }
    }

    /// Moves the nearest deadline of the other side, once, if it is found late. Returns whether it waits.
    fn excuses(&mut self, now: Duration) -> bool {
        let Some(deadline) = self.judged_due() else {
            return false;
        };
        // An excuse for an earlier deadline does not count. What the client sends ends none, or a client could
        // have one after another.
        let until = self.excused_until().filter(|until| deadline <= *until);
        match (until, excuse(now.saturating_sub(deadline))) {
            (None, Some(more)) => {
                self.delays.begin().excused_until = Some(now.saturating_add(more));
                true
            }
            (Some(until), _) if now < until => true,
            _ => {
                self.delays.end(|delays| delays.excused_until = None);
                false
            }
        }
    }

    /// Acts on a deadline of a connection on which nothing can be written.
    fn broken_due(&mut self, due: LivenessEvent) {
        let ends = match due {
            LivenessEvent::Ping => false,
            LivenessEvent::CredentialsExpired => {
                // Ends the hooks' sleeps, which have deadlines too.
                self.tell();
                let left = self.events.as_ref().and_then(PeerEvents::expires_at);
                left.is_some() && left == self.liveness.expires_at()
            }
            _ => true,
        };
        if ends {
            self.abandon();
        }
    }

    fn due(&mut self, due: LivenessEvent, now: Duration) {
        match due {
            LivenessEvent::Silent => self.time_out(reasons::silent(), now),
            LivenessEvent::Inactive => {
                if let Some(events) = &self.events {
                    events.inactive();
                }
            }
            LivenessEvent::Expired => {
                self.outbox().close_with(Some(reasons::expired()));
                self.heed_urgent(now);
            }
            LivenessEvent::CredentialsExpired => {
                if let Some(events) = &self.events
                    && let Some(at) = self.liveness.expires_at()
                {
                    events.expired(at);
                }
            }
            _ => {
                self.ping_due = true;
                self.outbox().heartbeat();
                if let Some(deflater) = &self.deflater {
                    deflater.lock().rest();
                }
            }
        }
    }

    /// Returns when the bytes that wait to be written are too old.
    fn age_limit(&self) -> Option<Duration> {
        let late = self.delays.get().filter(|late| !late.age_said)?;
        Some(late.stalled?.saturating_add(self.limits().max_queue_age?))
    }

    /// Returns when the message that is arriving has taken too long.
    fn message_limit(&self) -> Option<Duration> {
        let begun = self.delays.get()?.begun?;
        Some(begun.saturating_add(self.limits().message_timeout?))
    }

    /// Returns when the ping that was just written may have arrived. Of a client that is slow, the
    /// systems on both sides may hold some hundred KiB before it, and do not tell how fast it takes
    /// them.
    pub(super) fn ping_arrives(&self, now: Duration) -> Duration {
        let slow = self.delays.get().is_some_and(|late| late.slow);
        let on_its_way = match slow {
            true => self.limits().max_queue_age.unwrap_or_default(),
            false => Duration::ZERO,
        };
        now.saturating_add(on_its_way)
    }

    /// Closes the connection because the client's time is over.
    fn time_out(&mut self, frame: CloseFrame, now: Duration) {
        self.outbox().close_with(Some(frame.clone()));
        self.end(Closed::by_us(&frame, ClosedBy::Timeout, false), now);
    }
}

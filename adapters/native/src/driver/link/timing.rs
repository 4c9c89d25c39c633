//! Time: which deadlines have passed, and how long the other side may take.

use std::task::Context;
use std::time::{Duration, SystemTime};

use crossws_core::adapter::{LivenessEvent, PeerEvents};
use crossws_core::{CloseCode, CloseFrame, Closed, ClosedBy};

use super::{Late, Link, Phase};
use crate::driver::outlet::hold;
use crate::runtime::Runtime;
use crate::runtime::io::Io;

impl<I: Io, R: Runtime> Link<I, R> {
    /// Acts on passed deadlines. Returns whether there is something to write for them.
    pub(super) fn keep_time(&mut self, cx: &mut Context<'_>) -> bool {
        if matches!(self.phase, Phase::Done) {
            self.alarm.cancel(&self.outbox, self.start);
            return false;
        }
        let elapsed = self.elapsed();
        if std::mem::take(&mut self.heard) {
            self.liveness.heard(elapsed);
        }
        if std::mem::take(&mut self.active) {
            self.liveness.active(elapsed);
        }
        let expires_at = self.lifeline.as_ref().and_then(PeerEvents::expires_at);
        self.liveness
            .credentials(expires_at, elapsed, SystemTime::now);
        let deadline = self.deadline();
        let (outbox, start) = (&self.outbox, self.start);
        if self
            .alarm
            .poll(outbox, &self.runtime, start, elapsed, deadline, cx)
            .is_pending()
        {
            return false;
        }
        if matches!(self.phase, Phase::Violated { .. }) {
            self.fail_violated();
            return true;
        }
        if !matches!(self.phase, Phase::Open) {
            // The client's time is over: bytes that it has not taken or sent are lost.
            self.lost();
            hold(&self.outlet).io.abort();
            return false;
        }
        let elapsed = self.elapsed();
        if self.age_limit().is_some_and(|limit| limit <= elapsed) {
            self.late().age_said = true;
            self.outbox.too_old();
            return true;
        }
        if self.is_paused() {
            // While this side does not read, silence says nothing about the client.
            self.liveness.heard(self.elapsed());
            self.liveness.active(self.elapsed());
            if let Some(late) = &mut self.late {
                late.begun = late.begun.map(|_| elapsed);
            }
        }
        if self.message_limit().is_some_and(|limit| limit <= elapsed) {
            self.time_out("message took too long");
            return true;
        }
        while let Some(due) = self.liveness.poll(self.elapsed()) {
            match due {
                LivenessEvent::Silent => self.time_out("silent for too long"),
                LivenessEvent::Inactive => {
                    if let Some(lifeline) = &self.lifeline {
                        lifeline.inactive();
                    }
                }
                LivenessEvent::Expired => {
                    let frame = CloseFrame::new(CloseCode::RESTART, "connection expired");
                    self.outbox.close_with(Some(frame));
                    self.has_ended = true;
                }
                LivenessEvent::CredentialsExpired => {
                    if let Some(lifeline) = &self.lifeline
                        && let Some(at) = expires_at
                    {
                        lifeline.expired(at);
                    }
                }
                _ => {
                    self.ping_due = true;
                    self.outbox.heartbeat();
                    if let Some(deflater) = &self.deflater {
                        deflater.lock().rest();
                    }
                }
            }
        }
        true
    }

    /// Returns the nearest deadline, in the connection's time.
    fn deadline(&self) -> Option<Duration> {
        match self.phase {
            Phase::Open => {
                let due = self.liveness.next_due();
                [due, self.age_limit(), self.message_limit()]
                    .into_iter()
                    .flatten()
                    .min()
            }
            Phase::Violated { deadline, .. }
            | Phase::Closing { deadline, .. }
            | Phase::Flushing { deadline, .. }
            | Phase::Lingering { deadline, .. } => Some(deadline),
            Phase::Broken | Phase::Done => None,
        }
    }

    /// Returns when the bytes that wait to be written are too old.
    fn age_limit(&self) -> Option<Duration> {
        let late = self.late.as_ref().filter(|late| !late.age_said)?;
        Some(late.stalled?.saturating_add(self.limits().max_queue_age?))
    }

    /// Returns when the message that is arriving has taken too long.
    fn message_limit(&self) -> Option<Duration> {
        let begun = self.late.as_ref()?.begun?;
        Some(begun.saturating_add(self.limits().message_timeout?))
    }

    /// Returns when the ping that was just written may have arrived. Of a client that is slow, the
    /// systems on both sides may hold some hundred KiB before it, and do not tell how fast it takes
    /// them.
    pub(super) fn ping_arrives(&self) -> Duration {
        let slow = self.late.as_ref().is_some_and(|late| late.slow);
        let on_its_way = match slow {
            true => self.limits().max_queue_age.unwrap_or_default(),
            false => Duration::ZERO,
        };
        self.elapsed().saturating_add(on_its_way)
    }

    /// Closes the connection because the client's time is over.
    fn time_out(&mut self, reason: &'static str) {
        let frame = CloseFrame::new(CloseCode::TIMEOUT, reason);
        self.outbox.close_with(Some(frame.clone()));
        self.end(Closed::by_us(&frame, ClosedBy::Timeout, false));
        self.flush_and_end();
    }

    /// Returns the running delays, to change them.
    pub(super) fn late(&mut self) -> &mut Late {
        self.late.get_or_insert_default()
    }

    /// Stops timing a delay.
    #[inline]
    pub(super) fn not_late(&mut self, forget: impl FnOnce(&mut Late)) {
        if let Some(late) = &mut self.late {
            forget(late);
            if **late == Late::default() {
                self.late = None;
            }
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.runtime.now().saturating_duration_since(self.start)
    }
}

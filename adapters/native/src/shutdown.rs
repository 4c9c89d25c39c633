use std::fmt;
use std::pin::pin;
use std::time::Duration;

use crossws_core::{CloseCode, CloseFrame, Hub};

use crate::runtime::Runtime;
use crate::tasks::Tasks;
use crate::timer::{later, until};

/// How a server stops.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shutdown {
    /// What every peer is told. Default 1012 "restarting", upon which clients reconnect.
    pub frame: CloseFrame,
    /// Longest time for peers to answer, queues to be written and hooks to end, before the rest
    /// is dropped. Default 30 s.
    pub grace: Duration,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            frame: CloseFrame::new(CloseCode::RESTART, "restarting"),
            grace: Duration::from_secs(30),
        }
    }
}

impl Shutdown {
    /// Sets [`frame`](field@Self::frame).
    #[must_use]
    pub fn frame(mut self, frame: impl Into<CloseFrame>) -> Self {
        self.frame = frame.into();
        self
    }

    /// Sets [`grace`](field@Self::grace).
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }
}

/// What a shutdown came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Report {
    /// Connections that were open, or being upgraded, when it began.
    pub told: usize,
    /// Of these, the ones whose last hook has ended.
    pub finished: usize,
    /// Of these, the ones that were dropped when the grace was over: their `close` hook did not
    /// run to its end.
    pub forced: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            told,
            finished,
            forced,
        } = self;
        write!(f, "{told} told, {finished} finished, {forced} forced")
    }
}

/// Tells every peer, waits for the last hook and for `others` to end, forces the rest.
pub(crate) async fn shut_down<T: Runtime>(
    runtime: &T,
    hub: &Hub,
    tasks: &Tasks,
    shutdown: &Shutdown,
    others: impl Future<Output = ()>,
) -> Report {
    let told = hub.stats().sessions;
    hub.shutdown(shutdown.frame.clone());
    let all_ended = async {
        hub.idle().await;
        others.await;
    };
    let deadline = later(runtime.now(), shutdown.grace);
    until(runtime, deadline, pin!(all_ended)).await;
    let forced = hub.stats().sessions;
    // Those without a session too: handshakes, and ends that no hook waits for.
    tasks.abort_all();
    if forced > 0 {
        // A dropped task is gone at its next await; one that blocks its thread cannot be forced,
        // and must not hold up the report.
        let deadline = later(runtime.now(), hub.limits().close_timeout);
        until(runtime, deadline, pin!(hub.idle())).await;
        tracing::warn!(
            forced,
            "dropped connections that outlived the shutdown's grace"
        );
    }
    Report {
        told,
        finished: told.saturating_sub(forced),
        forced,
    }
}

use std::fmt;
use std::time::Duration;

use crate::{CloseCode, CloseFrame};

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

impl Report {
    /// Of so many connections that were told, so many were forced.
    pub const fn new(told: usize, forced: usize) -> Self {
        Self {
            told,
            finished: told.saturating_sub(forced),
            forced,
        }
    }
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

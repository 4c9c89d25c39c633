//! How far a connection's end has come, in one place.

use std::time::Duration;

use crossws_core::{CloseFrame, Closed, ClosedBy};

use crate::frame::Violation;

/// The only record of how a connection ends. What only an end needs is boxed, so that an open
/// connection keeps no room for it.
#[derive(Debug)]
pub(super) enum Phase {
    Open,
    /// Nothing can be written any more. Messages that have arrived still reach their hooks.
    Broken {
        /// How many more reads may find some of them.
        reads: u16,
    },
    /// The client broke a rule: nothing more is decoded. The client gets the close frame once its
    /// earlier messages are answered.
    Violated(Box<Ending<Violation>>),
    /// Our close frame is sent or queued; the client's is awaited.
    Closing(Box<Ending<CloseFrame>>),
    /// How the connection ended is known: the rest is written, then the writing side ends.
    Flushing {
        closed: Box<Ending<Closed>>,
        /// Nothing more will come from the client, and it has taken everything so far.
        settled: bool,
    },
    /// Our end is sent; the client's is awaited.
    Lingering {
        closed: Box<Ending<Closed>>,
        /// How many bytes were discarded since.
        discarded: u32,
    },
    Over {
        closed: Box<Ending<Closed>>,
        /// The stream must be dropped at once, and has not been yet.
        abort: bool,
    },
}

/// Why or how a connection ends, and when the client's time for its part is over.
#[derive(Debug)]
pub(super) struct Ending<T> {
    pub(super) what: T,
    /// In the connection's time.
    deadline: Duration,
}

impl<T> Ending<T> {
    fn new(what: T, deadline: Duration) -> Box<Self> {
        Box::new(Self { what, deadline })
    }
}

/// What moves a connection towards its end.
pub(super) enum Change {
    /// A write failed while the client's messages still reach their hooks. This many reads may find
    /// more of them.
    WriteFailed(u16),
    /// The client broke a rule.
    Broke(Violation, Duration),
    /// This side's close frame is sent or queued.
    ClosedHere(CloseFrame, Duration),
    /// How the connection ended is known. The deadline is that of the last frames.
    Ended {
        closed: Closed,
        deadline: Duration,
        settled: bool,
    },
    /// The writing side has ended by then this many bytes were unread.
    Shut(Duration, usize),
    /// The stream is gone, or must be dropped at once. If it is not known yet how the connection ended,
    /// so.
    Gone { closed: Closed, abort: bool },
}

impl Phase {
    /// Applies a change. The first record of an end counts: later ones change only what is still to
    /// be done. Returns whether the peer must be told that its connection is ending: once.
    pub(super) fn transition(&mut self, change: Change) -> bool {
        let was_ending = self.is_ending();
        let old = std::mem::replace(self, Self::Open);
        *self = match (old, change) {
            (over @ Self::Over { .. }, _) => over,
            (Self::Open, Change::WriteFailed(reads)) => Self::Broken { reads },
            (Self::Open, Change::Broke(violation, deadline)) => {
                Self::Violated(Ending::new(violation, deadline))
            }
            (Self::Open, Change::ClosedHere(frame, deadline)) => {
                Self::Closing(Ending::new(frame, deadline))
            }
            (Self::Flushing { mut closed, .. }, Change::Shut(deadline, unread)) => {
                closed.deadline = deadline;
                let discarded = u32::try_from(unread).unwrap_or(u32::MAX);
                Self::Lingering { closed, discarded }
            }
            (lingering @ Self::Lingering { .. }, Change::Ended { .. }) => lingering,
            (
                old,
                Change::Ended {
                    closed,
                    deadline,
                    settled,
                },
            ) => Self::Flushing {
                closed: old.into_closed(closed, deadline),
                settled,
            },
            (old, Change::Gone { closed, abort }) => Self::Over {
                closed: old.into_closed(closed, Duration::MAX),
                abort,
            },
            (old, _) => old,
        };
        !was_ending && self.is_ending()
    }

    /// Returns whether the peer is on its way out of every list. A client that broke a rule still gets
    /// its replies first.
    fn is_ending(&self) -> bool {
        !matches!(self, Self::Open | Self::Violated(_))
    }

    /// Returns how the connection ended: as `closed`, if that was not known before.
    fn into_closed(self, closed: Closed, deadline: Duration) -> Box<Ending<Closed>> {
        match self {
            Self::Flushing { closed, .. } | Self::Lingering { closed, .. } => {
                Ending::new(closed.what, deadline)
            }
            _ => Ending::new(closed, deadline),
        }
    }

    /// Returns how the connection ended, once that is known.
    pub(super) fn closed(&self) -> Option<&Closed> {
        match self {
            Self::Flushing { closed, .. }
            | Self::Lingering { closed, .. }
            | Self::Over { closed, .. } => Some(&closed.what),
            _ => None,
        }
    }

    /// Returns how the connection ended if its stream ends now. `unsent` is a close frame of this
    /// side that could not be written any more: it came first all the same.
    pub(super) fn lost(&self, unsent: Option<CloseFrame>) -> Closed {
        let ours = match self {
            Self::Closing(closing) => Some(closing.what.clone()),
            _ => unsent,
        };
        match ours {
            Some(frame) => Closed::by_us(&frame, ClosedBy::Server, false),
            None => Closed::lost(ClosedBy::Network),
        }
    }

    /// Returns when the client's time for its part is over.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self {
            Self::Violated(violated) => Some(violated.deadline),
            Self::Closing(closing) => Some(closing.deadline),
            Self::Flushing { closed, .. } | Self::Lingering { closed, .. } => Some(closed.deadline),
            Self::Open | Self::Broken { .. } | Self::Over { .. } => None,
        }
    }

    /// Returns whether what arrives is decoded.
    pub(super) fn decodes(&self) -> bool {
        matches!(self, Self::Open | Self::Broken { .. } | Self::Closing(_))
    }
}

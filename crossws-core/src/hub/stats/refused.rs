use http::StatusCode;
use serde::Serialize;

use crate::upgrade::origin::ForeignOrigin;
use crate::upgrade::rejection::Rejection;

/// How many requests for a WebSocket a hub has refused, by reason: a part of
/// [`Stats`](crate::Stats).
///
/// ```
/// # use crossws_core::*;
/// fn browsers_are_refused(refused: Refused) -> bool {
///     refused.origin > refused.total() / 2
/// }
/// # assert!(!browsers_are_refused(Hub::default().stats().refused));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Refused {
    /// From a page of an origin that may not connect. Behind a proxy that changes `Host` these may
    /// be all browsers: the log names the origin and the host that were compared.
    pub origin: u64,
    /// By a resolver, a layer or the `upgrade` hook, 401 included, and by the bounds on names and
    /// targets.
    pub rejected: u64,
    /// 503: the hub was full, shut down, or not started.
    pub unavailable: u64,
    /// Because of a failure on the server: a hook's error or panic.
    pub failed: u64,
    /// Because they break a rule of HTTP or of the handshake: an adapter refuses these before it
    /// asks the hub.
    pub malformed: u64,
}

impl Refused {
    /// Returns the sum.
    pub fn total(self) -> u64 {
        self.origin + self.rejected + self.unavailable + self.failed + self.malformed
    }

    pub(crate) fn count(&mut self, reason: RejectReason) {
        let counter = match reason {
            RejectReason::Origin => &mut self.origin,
            RejectReason::Rejected => &mut self.rejected,
            RejectReason::Unavailable => &mut self.unavailable,
            RejectReason::Failed => &mut self.failed,
            RejectReason::Malformed => &mut self.malformed,
        };
        *counter += 1;
    }
}

/// Why a request was refused: the field of [`Refused`](crate::Refused) that counts it.
///
/// ```
/// # use crossws_core::*;
/// assert_eq!(RejectReason::Origin.name(), "origin");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectReason {
    /// See [`Refused::origin`](field@crate::Refused::origin).
    Origin,
    /// See [`Refused::rejected`](field@crate::Refused::rejected).
    Rejected,
    /// See [`Refused::unavailable`](field@crate::Refused::unavailable).
    Unavailable,
    /// See [`Refused::failed`](field@crate::Refused::failed).
    Failed,
    /// See [`Refused::malformed`](field@crate::Refused::malformed).
    Malformed,
}

impl RejectReason {
    /// Returns the name of the field of [`Refused`](crate::Refused), for a metric's label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::Failed => "failed",
            Self::Malformed => "malformed",
        }
    }

    /// Counts a refusal by hooks or policies.
    pub(crate) fn of(rejection: &Rejection) -> Self {
        let status = rejection.status();
        match rejection.source() {
            Some(source) if source.is::<ForeignOrigin>() => Self::Origin,
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            _ if status.is_server_error() => Self::Failed,
            _ => Self::Rejected,
        }
    }
}

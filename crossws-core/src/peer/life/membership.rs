use http::StatusCode;

use crate::hub::Hub;
use crate::hub::settings::limits::Limits;
use crate::message::close::{CloseCode, CloseFrame, Closed, ClosedBy};
use crate::peer::Peer;
use crate::peer::id::PeerId;
use crate::peer::life::End;
use crate::pubsub::registry::JoinError;
use crate::upgrade::rejection::Rejection;

// The client gets the same words, whether before the 101 or after it.
const DUPLICATE_ID: &str = "peer id in use";
pub(crate) const SHUTTING_DOWN: &str = "shutting down";
pub(crate) const TOO_MANY_PEERS: &str = "too many connections";
pub(crate) const TOO_MANY_TOPICS: &str = "too many topics";
const TOO_MANY_NAMESPACES: &str = "too many namespaces";

/// A connection that the hub's `idle` waits for, from before its `upgrade` hook to the end.
pub(crate) struct Ongoing(Hub);

impl Ongoing {
    pub(crate) fn new(hub: &Hub) -> Self {
        hub.session_begins();
        Self(hub.clone())
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.0
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        self.0.session_ends();
    }
}

/// A peer's place on its hub. Dropping this removes it, whatever happened before.
pub(crate) struct Membership {
    pub(crate) peer: Peer,
    // Dropped after `Drop::drop` below: the hub is idle once the peer is gone.
    ongoing: Ongoing,
}

impl Membership {
    /// Lists a new peer, within these limits.
    pub(crate) fn begin(peer: Peer, ongoing: Ongoing, limits: &Limits) -> Result<Self, CloseFrame> {
        let hub = ongoing.hub().clone();
        let membership = Self { peer, ongoing };
        if let Some(frame) = hub.shutdown_frame() {
            return Err(frame);
        }
        hub.registry()
            .join(&membership.peer, limits)
            .map_err(JoinError::into_frame)?;
        if let Some(frame) = hub.shutdown_frame() {
            // Joined between the shutdown's beginning and its list, so the list may not contain it.
            membership.peer.close_with(frame, End::Shutdown);
        }
        Ok(membership)
    }

    pub(crate) fn hub(&self) -> &Hub {
        self.ongoing.hub()
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.peer.over();
        // If the session was dropped before its end.
        let by = self.peer.closed_here().unwrap_or(ClosedBy::Network);
        self.peer.report_disconnected(&Closed::lost(by));
        self.peer.inbox().close();
    }
}

impl JoinError {
    /// Returns the close frame for a client that already got its 101.
    fn into_frame(self) -> CloseFrame {
        match self {
            Self::DuplicateId => CloseFrame::new(CloseCode::POLICY, DUPLICATE_ID),
            Self::TooManyPeers => CloseFrame::new(CloseCode::TRY_AGAIN, TOO_MANY_PEERS),
            Self::TooManyNamespaces => CloseFrame::new(CloseCode::TRY_AGAIN, TOO_MANY_NAMESPACES),
        }
    }

    /// Returns the rejection for a client before its 101.
    pub(crate) fn into_rejection(self, id: PeerId) -> Rejection {
        match self {
            Self::DuplicateId => Rejection::new(StatusCode::CONFLICT, DUPLICATE_ID)
                .with_source(crate::DuplicateId(id)),
            Self::TooManyPeers => Rejection::unavailable(TOO_MANY_PEERS),
            Self::TooManyNamespaces => Rejection::unavailable(TOO_MANY_NAMESPACES),
        }
    }
}

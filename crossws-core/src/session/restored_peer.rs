use std::sync::Arc;

use crate::error::HookKind;
use crate::hooks::catch::catch_panic;
use crate::message::close::{CloseCode, CloseFrame};
use crate::observe::{RejectReason, watch};
use crate::peer::Peer;
use crate::peer::deadlines::expiry::credentials_expired;
use crate::peer::events::PeerEvents;
use crate::peer::life::membership::Membership;
use crate::session::OpeningPeer;
use crate::upgrade::resolve::route::Route;
use crate::upgrade::resolve::{Resolution, Resolve};

/// A peer whose hooks are not known yet: created from a [`Snapshot`](crate::adapter::Snapshot), if
/// the `upgrade` hook ran elsewhere or before a sleep. It is listed, subscribed and can be sent to.
///
/// If it is dropped, the peer is gone and no hook runs.
pub struct RestoredPeer {
    membership: Membership,
    /// Its layers have admitted it in this place before.
    has_woken: bool,
}

impl RestoredPeer {
    pub(crate) fn new(membership: Membership, has_woken: bool) -> Self {
        Self {
            membership,
            has_woken,
        }
    }

    /// Returns the peer.
    pub fn peer(&self) -> &Peer {
        &self.membership.peer
    }

    /// Returns the handle with which the adapter reports events while a hook runs.
    pub fn lifeline(&self) -> PeerEvents {
        PeerEvents::new(self.membership.peer.clone())
    }

    /// Returns the frame that must close a peer that was just admitted, if its credentials have
    /// already ended: then no hook may run for it. `None` if they have not.
    pub fn expired(&self) -> Option<CloseFrame> {
        self.peer().has_expired().then(credentials_expired)
    }

    /// Asks the resolver for the peer's hooks. The route's parameters stay those of the upgrade.
    /// The route's settings hold from here on, and its layers' values are attached to the peer.
    ///
    /// # Errors
    /// The frame to close with, if no hooks claim the request (any more), it is refused, or the
    /// resolver panicked.
    pub async fn claim<R: Resolve + ?Sized>(
        self,
        resolver: &Arc<R>,
    ) -> Result<OpeningPeer<R::Hooks>, CloseFrame> {
        let peer = self.peer();
        let mut request = peer.request().clone();
        if self.has_woken {
            request.wake();
        }
        let resolution = async {
            let resolution = resolver.resolve(&mut request).await;
            if let Resolution::Route(Route {
                before: Some(before),
                ..
            }) = &resolution
                && let Err(rejection) = before.run(&mut request).await
            {
                return Resolution::Reject(rejection);
            }
            resolution
        };
        match catch_panic(HookKind::Resolve, resolution).await {
            Ok(Resolution::Route(route)) => {
                if let Some(settings) = &route.settings {
                    peer.on_route(settings.apply(peer.hub().settings()));
                }
                let settings = peer.settings();
                settings.check(settings.deflate.as_ref(), peer.id(), peer.capabilities())?;
                peer.extensions().extend(request.into_volatile());
                Ok(OpeningPeer::new(route.hooks, self.membership))
            }
            Ok(Resolution::Pass) => {
                Err(CloseFrame::new(CloseCode::RESTART, "no longer served here"))
            }
            Ok(Resolution::Reject(rejection)) => {
                let reason = RejectReason::of(&rejection);
                let from = (request.path(), request.remote_addr());
                watch::rejected(peer.hub(), reason, &rejection, from);
                Err(CloseFrame::new(CloseCode::POLICY, "no longer allowed"))
            }
            Err(error) => {
                tracing::error!(peer = %self.peer(), %error, "closing a peer without hooks");
                Err(CloseFrame::internal_error())
            }
        }
    }
}

crate::opaque_debug!([] RestoredPeer, self => (format_args!("{}", self.peer())));

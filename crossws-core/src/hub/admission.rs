//! How requests, upgrades from elsewhere and restored peers come to the hub.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::error::{HookKind, SubscribeError};
use crate::hooks::catch::catch_panic;
use crate::hub::Hub;
use crate::hub::settings::limits::Limits;
use crate::observe::{RejectReason, watch};
use crate::peer;
use crate::peer::Peer;
use crate::peer::context::ContextCell;
use crate::peer::deadlines::expiry::{ExpiryError, Moment, MomentCell};
use crate::peer::deadlines::sleep::Sleepers;
use crate::peer::deadlines::timers::Timers;
use crate::peer::inbox::Inbox;
use crate::peer::labels::label_index::check_labels;
use crate::peer::life::Life;
use crate::peer::life::membership::{Membership, Ongoing, SHUTTING_DOWN, TOO_MANY_TOPICS};
use crate::peer::rare::RareCell;
use crate::peer::snapshot::{RestoreError, Snapshot};
use crate::peer::topics::subscriptions::Subscriptions;
use crate::pubsub::retained::RetainedMessage;
use crate::pubsub::topic_kind::TopicKind;
use crate::service::background::{Background, within};
use crate::session::claim::{Claim, ClaimError};
use crate::session::restored_peer::RestoredPeer;
use crate::transport::Transport;
use crate::transport::capabilities::Capabilities;
use crate::upgrade::rejection::Rejection;
use crate::upgrade::request::UpgradeRequest;
use crate::upgrade::resolve::{Resolution, Resolve};

impl Hub {
    /// Asks the resolver for this request's hooks: the first step of an upgrade.
    ///
    /// # Errors
    /// [`ClaimError::NotHandled`] returns the request if no hooks claim it.
    /// [`ClaimError::Rejected`] refuses it, because the resolver does or panicked, and with 414 if
    /// its target is longer than [`Limits::max_target`](field@Limits::max_target).
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the hub.
    pub async fn claim<R: Resolve + ?Sized>(
        &self,
        resolver: &Arc<R>,
        mut request: UpgradeRequest,
    ) -> Result<Claim<R::Hooks>, ClaimError> {
        let len = request.target_len();
        if !self.limits().max_target.allows(len) {
            let most = self.limits().max_target.get();
            let body = format!(
                "the path and the query are too long: {len} bytes, at most {most} are allowed"
            );
            let rejection = Rejection::new(StatusCode::URI_TOO_LONG, body);
            return Err(self.refuse(rejection, &request).into());
        }
        let resolution = async { resolver.resolve(&mut request).await };
        match catch_panic(HookKind::Resolve, resolution).await {
            Ok(Resolution::Route(route)) => Ok(Claim::new(self.clone(), request, route)),
            Ok(Resolution::Pass) => Err(ClaimError::NotHandled(Box::new(request))),
            Ok(Resolution::Reject(rejection)) => Err(self.refuse(rejection, &request).into()),
            Err(error) => Err(self.refuse(Rejection::internal(error), &request).into()),
        }
    }

    /// Logs, counts and reports a refusal.
    fn refuse(&self, rejection: Rejection, request: &UpgradeRequest) -> Rejection {
        let reason = RejectReason::of(&rejection);
        self.rejected(reason, &rejection, request.path(), request.remote_addr());
        rejection
    }

    /// Logs, counts and reports a refusal of an adapter's own, of a request that never reached a
    /// [claim](Self::claim). `path` has no query, and is empty if there is none.
    pub fn rejected(
        &self,
        reason: RejectReason,
        rejection: &Rejection,
        path: &str,
        remote_addr: Option<SocketAddr>,
    ) {
        self.0.counts.refused.lock().count(reason);
        watch::rejected(self, reason, rejection, (path, remote_addr));
    }

    /// Refuses a request with 503 whose claim or upgrade has taken longer than its
    /// [deadline](Claim::deadline), which an adapter keeps.
    pub fn upgrade_timed_out(&self) -> Rejection {
        let rejection = Rejection::unavailable("the upgrade took too long")
            .with_source("the upgrade took longer than `Limits::upgrade_timeout`");
        self.rejected(RejectReason::Unavailable, &rejection, "", None);
        rejection
    }

    /// Runs a claim or an upgrade within its [deadline](Claim::deadline), by this clock.
    ///
    /// # Errors
    /// As the step; and [503](Self::upgrade_timed_out) when it took too long.
    ///
    /// # Cancel safety
    /// As the step.
    pub async fn in_time<T>(
        &self,
        background: &dyn Background,
        limit: Duration,
        step: impl Future<Output = Result<T, ClaimError>>,
    ) -> Result<T, ClaimError> {
        let ended = within(background, limit, step).await;
        ended.unwrap_or_else(|| Err(self.upgrade_timed_out().into()))
    }

    /// Creates the peer of an upgrade that was accepted elsewhere: see [`Accepted::snapshot`].
    ///
    /// # Errors
    /// The response to refuse with: 409 for an id in use, 503 when the hub is full or shuts down,
    /// 500 if the transport cannot store the peer, or cannot keep the time of its credentials' end.
    ///
    /// [`Accepted::snapshot`]: crate::adapter::Accepted::snapshot
    pub fn admit(
        &self,
        snapshot: &Snapshot,
        transport: impl Transport,
    ) -> Result<RestoredPeer, Rejection> {
        if snapshot.expires.is_some() && !transport.capabilities().contains(Capabilities::EXPIRY) {
            // A peer is never admitted for longer than asked.
            return Err(Rejection::internal(ExpiryError::Unsupported));
        }
        let peer = self.peer_of(snapshot, transport);
        let peer = peer.map_err(Rejection::internal)?;
        // The route's limits, with which the upgrade was checked where it was accepted.
        let (settings, registry) = (peer.settings(), self.registry());
        let limits = &settings.limits;
        let topics = snapshot.topics_shared();
        limits.check_topics(&topics).map_err(Rejection::internal)?;
        let (identity, tags) = snapshot.labels();
        check_labels(identity.as_ref(), tags.iter(), limits).map_err(Rejection::internal)?;
        registry
            .check(peer.id(), peer.namespace(), limits)
            .map_err(|error| error.into_rejection(peer.id()))?;
        // The check above has handled every reason except a shutdown.
        let membership = Membership::begin(peer, Ongoing::new(self), limits).map_err(|frame| {
            Rejection::unavailable(SHUTTING_DOWN).with_source(frame.reason().to_string())
        })?;
        let peer = &membership.peer;
        for topic in &topics {
            registry
                .subscribe(peer, TopicKind::Topic, topic, limits, true)
                .map_err(|error| match error {
                    SubscribeError::HubFull(_) => Rejection::unavailable(TOO_MANY_TOPICS),
                    other => Rejection::internal(other),
                })?;
        }
        peer.label(identity, tags, limits)
            .map_err(Rejection::internal)?;
        peer.persist().map_err(Rejection::internal)?;
        peer.report_connected();
        Ok(RestoredPeer::new(membership, false))
    }

    /// Restores a peer that was open when its memory was lost. It is listed and subscribed again as
    /// its transport has stored it. Limits are not checked again, nothing is stored, and no hook
    /// runs.
    ///
    /// # Errors
    /// If the snapshot's request is invalid, or its id is in use.
    pub fn restore(
        &self,
        snapshot: &Snapshot,
        transport: impl Transport,
    ) -> Result<RestoredPeer, RestoreError> {
        let limits = Limits::unlimited();
        let peer = self.peer_of(snapshot, transport)?;
        let membership = Membership::begin(peer, Ongoing::new(self), &limits)
            .map_err(|frame| RestoreError::new(frame.reason().to_string()))?;
        let (peer, registry) = (&membership.peer, self.registry());
        for topic in snapshot.topics_shared() {
            registry
                .subscribe(peer, TopicKind::Topic, &topic, &limits, false)
                .map_err(RestoreError::new)?;
        }
        for pattern in &snapshot.patterns {
            registry
                .subscribe(peer, TopicKind::Pattern, pattern, &limits, false)
                .map_err(RestoreError::new)?;
        }
        let (identity, tags) = snapshot.labels();
        peer.label(identity, tags, &limits)
            .map_err(RestoreError::new)?;
        peer.report_restored();
        Ok(RestoredPeer::new(membership, true))
    }

    /// Returns a retained message to a hub whose memory was lost, from the platform's
    /// [store](crate::adapter::RetainedStore). No subscriber gets it. What a peer has retained is
    /// dropped if the namespace has no peers: restore them first.
    pub fn restore_retained(&self, stored: RetainedMessage) {
        self.registry().restore_retained(stored);
    }

    fn peer_of(
        &self,
        snapshot: &Snapshot,
        transport: impl Transport,
    ) -> Result<Peer, RestoreError> {
        // The snapshot's limits hold at once. The route's further settings are known once the
        // resolver has returned it.
        let settings = snapshot.settings(self.settings());
        Ok(Peer::new(peer::PeerInner {
            id: snapshot.id,
            namespace: Arc::from(snapshot.namespace()),
            request: snapshot.request()?,
            context: ContextCell::stored(snapshot.context.clone()),
            expiry: MomentCell::new(Moment::from_millis(snapshot.expires)),
            sleepers: Sleepers::restored(Timers::from_stored(&snapshot.timers)),
            settings,
            rare: RareCell::new(snapshot.protocol.clone()),
            transport: Box::new(transport),
            hub: self.clone(),
            inbox: Inbox::default(),
            subscriptions: Subscriptions::default(),
            life: Life::default(),
        }))
    }
}

//! An upgrade that was accepted, until its connection joins the hub.

use std::sync::Arc;
use std::time::SystemTime;

use http::StatusCode;
use http::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_PROTOCOL};

use crate::error::SubscribeError;
use crate::hooks::Hooks;
use crate::hooks::dyn_hooks::SharedHooks;
use crate::hub::Hub;
use crate::hub::settings::Settings;
use crate::hub::settings::deflate::Deflate;
use crate::message::close::{CloseCode, CloseFrame};
use crate::peer::deadlines::expiry::{Expiry, Moment, MomentCell, credentials_expired};
use crate::peer::deadlines::sleep::Sleepers;
use crate::peer::extensions::Extensions;
use crate::peer::id::PeerId;
use crate::peer::inbox::Inbox;
use crate::peer::labels::label_index::{LabelError, check_labels};
use crate::peer::life::Life;
use crate::peer::life::membership::{Membership, Ongoing, TOO_MANY_TOPICS};
use crate::peer::rare::RareCell;
use crate::peer::snapshot::persist_error::PersistError;
use crate::peer::snapshot::{Snapshot, owned};
use crate::peer::topics::subscriptions::Subscriptions;
use crate::peer::{Peer, PeerInner};
use crate::session::OpeningPeer;
use crate::transport::Transport;
use crate::transport::capabilities::Capabilities;
use crate::upgrade::Upgrade;
use crate::upgrade::rejection::Rejection;
use crate::upgrade::request::UpgradeRequest;
use crate::upgrade::resolve::route::Route;
use crate::upgrade::take::Taken;

/// An upgrade that the hooks accepted. The adapter answers the client with
/// [`headers`](Self::headers), then calls [`join`](Self::join). Dropping it leaves no trace.
pub struct Accepted<H: Hooks + ?Sized> {
    hooks: Arc<H>,
    /// A pointer, because it moves from future to future.
    settled: Box<Results>,
}

/// The results of an upgrade.
struct Results {
    ongoing: Ongoing,
    request: UpgradeRequest,
    settings: Arc<Settings>,
    id: PeerId,
    namespace: Arc<str>,
    protocol: Option<String>,
    deflate: Option<Deflate>,
    gives_extensions: bool,
    /// What else the hook chose, with the topics of the settings and the identity from the layers.
    upgrade: Upgrade,
}

impl<H: Hooks + ?Sized> Accepted<H> {
    pub(super) fn new(
        ongoing: Ongoing,
        request: UpgradeRequest,
        route: Route<H>,
        settings: Arc<Settings>,
        mut upgrade: Upgrade,
    ) -> Result<Self, Rejection> {
        let hub = ongoing.hub();
        let limits = &settings.limits;
        let gives_extensions = !upgrade.extensions.is_empty();
        let extensions = std::mem::take(&mut upgrade.extensions);
        request.volatile().extend(extensions);
        let protocol = upgrade.protocol.take().unwrap_or_else(|| {
            let offered = |ours: &&String| request.protocols().any(|offered| offered == **ours);
            settings.protocols.iter().find(offered).cloned()
        });
        if let Some(protocol) = &protocol {
            let value = HeaderValue::try_from(protocol.as_str()).ok();
            let offered = request.protocols().any(|offered| offered == protocol);
            match value {
                Some(value) if offered => {
                    upgrade.headers.insert(SEC_WEBSOCKET_PROTOCOL, value);
                }
                _ => {
                    return Err(Rejection::internal(format!(
                        "the upgrade hook chose the subprotocol `{protocol}`, which the client did not offer"
                    )));
                }
            }
        }
        let is_path = upgrade.namespace.is_none();
        let asked = upgrade.namespace.take().or(route.namespace);
        let name = asked.as_deref().unwrap_or_else(|| request.path());
        if !limits.max_name_len.allows(name.len()) {
            let most = limits.max_name_len.get();
            return Err(namespace_too_long(is_path, name.len(), most));
        }
        let topics = settings.topics.iter().cloned();
        upgrade.topics.splice(..0, topics);
        limits
            .check_topics(&upgrade.topics)
            .map_err(Rejection::internal)?;
        upgrade.identity = upgrade.identity.or_else(|| request.identity());
        check_labels(upgrade.identity.as_ref(), upgrade.tags.iter(), limits)
            .map_err(Rejection::internal)?;
        let id = upgrade.id.unwrap_or_else(PeerId::random);
        let registry = hub.registry();
        if !registry.has_room_for(name, &upgrade.topics, limits) {
            return Err(Rejection::unavailable(TOO_MANY_TOPICS));
        }
        let shared = registry
            .check(id, name, limits)
            .map_err(|error| error.into_rejection(id))?;
        let namespace = shared
            .or_else(|| asked.clone())
            .unwrap_or_else(|| Arc::from(name));
        let deflate = match upgrade.take {
            // The code that takes the stream reads frames without extensions.
            Some(_) => None,
            None => upgrade.deflate.unwrap_or(settings.deflate),
        };
        let settled = Box::new(Results {
            ongoing,
            request,
            settings,
            id,
            namespace,
            protocol,
            deflate,
            gives_extensions,
            upgrade,
        });
        Ok(Self {
            hooks: route.hooks,
            settled,
        })
    }

    /// Returns the same upgrade, with the type of its hooks erased.
    pub(crate) fn erase(self) -> Accepted<SharedHooks> {
        Accepted {
            hooks: Arc::new(SharedHooks::new(self.hooks)),
            settled: self.settled,
        }
    }

    /// Returns the code that [takes](Upgrade::take) the connection, if the `upgrade` hook set one:
    /// [`Taken::run`] follows the 101, and no peer is created. `None` for an upgrade that becomes a
    /// peer. An adapter that has called [`Claim::with_raw_streams`](crate::adapter::Claim::with_raw_streams) must call it.
    pub fn taken<C: 'static>(&mut self) -> Option<Taken<C>> {
        let take = self
            .settled
            .upgrade
            .take
            .take_if(|take| take.is_for::<C>())?;
        Some(Taken {
            run: take.into_run()?,
            path: self.settled.request.path().to_owned(),
            ongoing: Ongoing::new(self.hub()),
        })
    }

    /// Returns the headers for the 101, including the chosen subprotocol.
    pub fn headers(&self) -> &HeaderMap {
        &self.settled.upgrade.headers
    }

    /// Returns the id that the peer will have.
    pub fn id(&self) -> PeerId {
        self.settled.id
    }

    /// Returns the peer's future state, to be admitted where the peer will live: see
    /// [`Hub::admit`]. `now` is the time of the wall clock: an expiry relative to it becomes
    /// absolute.
    ///
    /// # Errors
    /// If the context does not convert to JSON.
    pub fn snapshot(&self, now: SystemTime) -> Result<Snapshot, PersistError> {
        let accepted = &*self.settled;
        let (namespace, request) = (&accepted.namespace, &accepted.request);
        let upgrade = &accepted.upgrade;
        let mut snapshot = Snapshot::new(accepted.id, namespace, request, |_| true);
        snapshot.set_route(&accepted.settings, self.hub().settings());
        snapshot.protocol.clone_from(&accepted.protocol);
        snapshot.context = upgrade.context.to_stored()?;
        snapshot.expires = upgrade.expiry.moment(now).millis();
        snapshot.topics = upgrade.topics.iter().map(owned).collect();
        snapshot.identity = upgrade.identity.as_ref().map(owned);
        snapshot.tags = upgrade.tags.iter().map(owned).collect();
        Ok(snapshot)
    }

    /// Returns the volatile values that the peer will have; a snapshot does not contain them.
    pub fn extensions(&self) -> &Extensions {
        self.settled.request.volatile()
    }

    /// Returns whether the `upgrade` hook gave the peer volatile values, which a snapshot loses.
    /// Values that layers have attached do not count: the layers attach them again where the peer
    /// will live.
    pub fn gives_extensions(&self) -> bool {
        self.settled.gives_extensions
    }

    /// Returns how messages are compressed if the client offers it; `None` if compression is off.
    pub fn deflate(&self) -> Option<&Deflate> {
        self.settled.deflate.as_ref()
    }

    /// Returns the hub that the peer will join.
    pub fn hub(&self) -> &Hub {
        self.settled.ongoing.hub()
    }

    /// Returns the settings of the connection: the route's, over the hub's.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settled.settings
    }

    /// Creates the peer. It is listed and can be sent to from here on; no hook has run.
    ///
    /// # Errors
    /// If the id is now in use, the hub is full of peers or topics, or a shutdown has begun since
    /// the upgrade was accepted; if the credentials have ended, or the transport cannot keep the
    /// time of their end. A server that has already answered 101 closes with the frame.
    pub fn join(self, transport: impl Transport) -> Result<OpeningPeer<H>, CloseFrame> {
        let accepted = *self.settled;
        let (ongoing, upgrade) = (accepted.ongoing, accepted.upgrade);
        let hub = ongoing.hub().clone();
        if let Some(take) = upgrade.take {
            tracing::error!(
                ?take,
                "an adapter has not given away the stream that it offered"
            );
            return Err(CloseFrame::internal_error());
        }
        let deflate = accepted.deflate.as_ref();
        accepted
            .settings
            .check(deflate, accepted.id, transport.capabilities())?;
        let mut expiry = Moment::NEVER;
        // Most peers have no expiry, and need no clock.
        if upgrade.expiry != Expiry::Never {
            if !transport.capabilities().contains(Capabilities::EXPIRY) {
                // A peer is never admitted for longer than asked.
                tracing::error!(peer = %accepted.id, "credentials that expire, on a transport that keeps no time");
                return Err(CloseFrame::internal_error());
            }
            expiry = upgrade.expiry.on(&transport);
            if expiry.is_past(transport.steady()) {
                return Err(credentials_expired());
            }
        }
        let peer = Peer::new(PeerInner {
            id: accepted.id,
            namespace: accepted.namespace,
            request: accepted.request,
            context: upgrade.context,
            expiry: MomentCell::new(expiry),
            settings: Arc::clone(&accepted.settings),
            rare: RareCell::new(accepted.protocol),
            sleepers: Sleepers::default(),
            transport: Box::new(transport),
            hub,
            inbox: Inbox::default(),
            subscriptions: Subscriptions::default(),
            life: Life::default(),
        });
        let membership = Membership::begin(peer, ongoing, &accepted.settings.limits)?;
        for topic in upgrade.topics {
            match membership.peer.subscribe(&topic) {
                Ok(_) | Err(SubscribeError::Closed) => {}
                // Other peers have taken the room since the upgrade was accepted.
                Err(SubscribeError::HubFull(_)) => {
                    return Err(CloseFrame::new(CloseCode::TRY_AGAIN, TOO_MANY_TOPICS));
                }
                // The other limits were checked with the upgrade; a transport may have no topics.
                Err(error) => tracing::error!(%error, %topic, "a topic from the upgrade hook"),
            }
        }
        let (peer, limits) = (&membership.peer, &accepted.settings.limits);
        match peer.label(upgrade.identity, upgrade.tags, limits) {
            Ok(()) | Err(LabelError::Closed) => {}
            // Checked with the upgrade.
            Err(error) => tracing::error!(%error, "a label from the upgrade hook"),
        }
        membership.peer.persist().map_err(|error| {
            tracing::error!(peer = %membership.peer, %error, "closing a peer at once");
            CloseFrame::internal_error()
        })?;
        membership.peer.report_connected();
        Ok(OpeningPeer::new(self.hooks, membership))
    }
}

crate::opaque_debug!([H: Hooks + ?Sized] Accepted<H>, self =>
    (format_args!("{}", self.settled.id)));

/// Returns the refusal of a namespace whose name is longer than `Limits::max_name_len`.
fn namespace_too_long(is_path: bool, len: usize, most: usize) -> Rejection {
    let what = match is_path {
        true => "the path",
        false => "the namespace's name",
    };
    let body = format!("{what} is too long: {len} bytes, at most {most} are allowed");
    let source = format!(
        "a namespace's name has {len} bytes, at most {most} are allowed (`Limits::max_name_len`): where paths are \
         longer, name the namespace with `Upgrade::namespace`"
    );
    Rejection::new(StatusCode::URI_TOO_LONG, body).with_source(source)
}

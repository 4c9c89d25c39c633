//! An upgrade that was accepted, until its connection joins the hub.

use std::fmt;
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
use crate::peer::context::ContextCell;
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
use crate::peer::{Inner, Peer};
use crate::session::OpeningPeer;
use crate::transport::Transport;
use crate::transport::capabilities::Capabilities;
use crate::upgrade::Upgrade;
use crate::upgrade::rejection::Rejection;
use crate::upgrade::request::UpgradeRequest;
use crate::upgrade::take::{Take, Taken};

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
    id: PeerId,
    namespace: Arc<str>,
    headers: HeaderMap,
    protocol: Option<String>,
    context: ContextCell,
    settings: Arc<Settings>,
    topics: Vec<Arc<str>>,
    identity: Option<Arc<str>>,
    tags: Vec<Arc<str>>,
    deflate: Option<Deflate>,
    expiry: Expiry,
    gives_extensions: bool,
    take: Option<Box<Take>>,
}

impl<H: Hooks + ?Sized> Accepted<H> {
    pub(super) fn new(
        ongoing: Ongoing,
        hooks: Arc<H>,
        request: UpgradeRequest,
        by_path: Option<Arc<str>>,
        settings: Arc<Settings>,
        upgrade: Upgrade,
    ) -> Result<Self, Rejection> {
        let hub = ongoing.hub();
        let limits = &settings.limits;
        let gives_extensions = !upgrade.extensions.is_empty();
        request.volatile().extend(upgrade.extensions);
        let mut headers = upgrade.headers;
        let protocol = upgrade.protocol.unwrap_or_else(|| {
            let offered = |ours: &&String| request.protocols().any(|offered| offered == **ours);
            settings.protocols.iter().find(offered).cloned()
        });
        if let Some(protocol) = &protocol {
            let value = HeaderValue::try_from(protocol.as_str()).ok();
            let offered = request.protocols().any(|offered| offered == protocol);
            match value {
                Some(value) if offered => {
                    headers.insert(SEC_WEBSOCKET_PROTOCOL, value);
                }
                _ => return Err(Rejection::internal(NotOffered(protocol.clone()))),
            }
        }
        let is_path = upgrade.namespace.is_none();
        let asked = upgrade.namespace.or(by_path);
        let name = asked.as_deref().unwrap_or_else(|| request.path());
        if !limits.max_name_len.allows(name.len()) {
            return Err(NamespaceTooLong {
                is_path,
                len: name.len(),
                most: limits.max_name_len.get(),
            }
            .into_rejection());
        }
        let mut topics = settings.topics.clone();
        topics.extend(upgrade.topics);
        limits.check_topics(&topics).map_err(Rejection::internal)?;
        let identity = upgrade.identity.or_else(|| request.identity());
        check_labels(identity.as_ref(), upgrade.tags.iter(), limits)
            .map_err(Rejection::internal)?;
        let id = upgrade.id.unwrap_or_else(PeerId::random);
        if !hub.registry().has_room_for(name, &topics, hub.limits()) {
            return Err(Rejection::unavailable(TOO_MANY_TOPICS));
        }
        let shared = hub
            .registry()
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
            id,
            namespace,
            headers,
            protocol,
            context: upgrade.context,
            settings,
            topics,
            identity,
            tags: upgrade.tags,
            deflate,
            expiry: upgrade.expiry,
            gives_extensions,
            take: upgrade.take,
        });
        Ok(Self { hooks, settled })
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
        match self.settled.take.take()?.for_connection() {
            Ok(run) => {
                let ongoing = Ongoing::new(self.settled.ongoing.hub());
                Some(Taken::new(run, self.settled.request.path(), ongoing))
            }
            Err(take) => {
                self.settled.take = Some(take);
                None
            }
        }
    }

    /// Returns the headers for the 101, including the chosen subprotocol.
    pub fn headers(&self) -> &HeaderMap {
        &self.settled.headers
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
        let mut snapshot = Snapshot::new(accepted.id, namespace, request, |_| true);
        snapshot.set_route(&accepted.settings, self.hub().settings());
        snapshot.protocol.clone_from(&accepted.protocol);
        snapshot.context = accepted.context.to_stored()?;
        snapshot.expires = accepted.expiry.moment(now).millis();
        snapshot.topics = accepted.topics.iter().map(owned).collect();
        snapshot.identity = accepted.identity.as_ref().map(owned);
        snapshot.tags = accepted.tags.iter().map(owned).collect();
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
        let (hooks, accepted) = (self.hooks, *self.settled);
        let ongoing = accepted.ongoing;
        let hub = ongoing.hub().clone();
        if let Some(take) = accepted.take {
            tracing::error!(
                ?take,
                "an adapter has not given away the stream that it offered"
            );
            return Err(CloseFrame::internal_error());
        }
        if accepted.expiry != Expiry::Never
            && !transport.capabilities().contains(Capabilities::EXPIRY)
        {
            // A peer is never admitted for longer than asked.
            tracing::error!(peer = %accepted.id, "credentials that expire, on a transport that keeps no time");
            return Err(CloseFrame::internal_error());
        }
        let deflate = accepted.deflate.as_ref();
        accepted
            .settings
            .check(deflate, accepted.id, transport.capabilities())?;
        let mut expiry = Moment::NEVER;
        // Most peers have no expiry, and need no clock.
        if accepted.expiry != Expiry::Never {
            expiry = accepted.expiry.on(&transport);
            if expiry.is_past(transport.steady()) {
                return Err(credentials_expired());
            }
        }
        let peer = Peer::new(Inner {
            id: accepted.id,
            namespace: accepted.namespace,
            request: accepted.request,
            context: accepted.context,
            expiry: MomentCell::new(expiry),
            settings: Arc::clone(&accepted.settings),
            rare: RareCell::new(accepted.protocol),
            sleepers: Sleepers::default(),
            transport: Box::new(transport),
            hub: hub.clone(),
            inbox: Inbox::default(),
            subscriptions: Subscriptions::default(),
            life: Life::default(),
        });
        let membership = Membership::begin(peer, ongoing, &accepted.settings.limits)?;
        for topic in accepted.topics {
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
        match peer.label(accepted.identity, accepted.tags, limits) {
            Ok(()) | Err(LabelError::Closed) => {}
            // Checked with the upgrade.
            Err(error) => tracing::error!(%error, "a label from the upgrade hook"),
        }
        membership.peer.persist().map_err(|error| {
            tracing::error!(peer = %membership.peer, %error, "closing a peer at once");
            CloseFrame::internal_error()
        })?;
        membership.peer.report_connected();
        Ok(OpeningPeer::new(hooks, membership))
    }
}

impl<H: Hooks + ?Sized> fmt::Debug for Accepted<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Accepted({})", self.settled.id)
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "a namespace's name has {len} bytes, at most {most} are allowed (`Limits::max_name_len`): where paths are \
     longer, name the namespace with `Upgrade::namespace`"
)]
struct NamespaceTooLong {
    is_path: bool,
    len: usize,
    most: usize,
}

impl NamespaceTooLong {
    fn into_rejection(self) -> Rejection {
        let what = match self.is_path {
            true => "the path",
            false => "the namespace's name",
        };
        let Self { len, most, .. } = self;
        let body = format!("{what} is too long: {len} bytes, at most {most} are allowed");
        Rejection::new(StatusCode::URI_TOO_LONG, body).with_source(self)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the upgrade hook chose the subprotocol `{0}`, which the client did not offer")]
struct NotOffered(String);

pub(crate) mod behind;
pub(crate) mod context;
pub(crate) mod deadlines;
pub(crate) mod events;
pub(crate) mod extensions;
pub(crate) mod id;
pub(crate) mod inbox;
pub(crate) mod labels;
pub(crate) mod life;
pub(crate) mod members;
pub(crate) mod meter;
mod publishing;
pub(crate) mod rare;
pub(crate) mod roster;
pub(crate) mod sending;
pub(crate) mod snapshot;
pub(crate) mod tasks;
pub(crate) mod told;
pub(crate) mod topics;
pub(crate) mod weak;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::bounds::{MaybeSend, MaybeSync};
use crate::hooks::notice::Notice;
use crate::hooks::output::HookOutput;
use crate::hub::Hub;
use crate::hub::settings::Settings;
use crate::message::formats::InFormats;
use crate::peer::context::ContextCell;
use crate::peer::deadlines::expiry::MomentCell;
use crate::peer::deadlines::sleep::Sleepers;
use crate::peer::extensions::Extensions;
use crate::peer::id::PeerId;
use crate::peer::inbox::Inbox;
use crate::peer::life::{Life, PeerState};
use crate::peer::rare::RareCell;
use crate::peer::topics::subscriptions::Subscriptions;
use crate::peer::weak::WeakPeer;
use crate::pubsub::publication::Publication;
use crate::pubsub::publication::wire::Wire;
use crate::transport::Transport;
use crate::transport::capabilities::Capabilities;
use crate::upgrade::request::UpgradeRequest;
use crate::upgrade::request::attached::NotAttached;

/// A connected client: a cheap handle, the same on every adapter.
///
/// Clones share everything. A handle may be kept and used from any task; once the connection is
/// over its calls return errors. A stored handle keeps the request and the context alive
/// indefinitely: store a [`WeakPeer`], or the id and use [`Hub::peer`].
///
/// ```
/// # use crossws_core::*;
/// async fn greet(peer: Peer) -> Result<(), Box<dyn std::error::Error>> {
///     peer.subscribe("news")?;
///     peer.send("welcome")?;
///     peer.publish("news", format!("{peer} has joined"))?;
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Peer(Arc<PeerInner>);

pub(crate) struct PeerInner {
    pub(crate) id: PeerId,
    pub(crate) namespace: Arc<str>,
    pub(crate) request: UpgradeRequest,
    pub(crate) context: ContextCell,
    pub(crate) expiry: MomentCell,
    /// The settings at the beginning: see [`Peer::settings`].
    pub(crate) settings: Arc<Settings>,
    pub(crate) rare: RareCell,
    pub(crate) sleepers: Sleepers,
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) hub: Hub,
    pub(crate) inbox: Inbox,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) life: Life,
}

impl Peer {
    pub(crate) fn new(mut inner: PeerInner) -> Self {
        // A transport that stores the request with the peer reads all of it on every change.
        if !inner
            .transport
            .capabilities()
            .contains(Capabilities::HIBERNATION)
        {
            let most = inner.settings.limits.max_kept_head.get();
            inner.request.settle(most, inner.hub.kept_headers());
        }
        let counts = inner.settings.limits.count_traffic;
        let peer = Self(Arc::new(inner));
        if peer.watch().is_some() {
            peer.life().set_followed();
        }
        if counts {
            peer.metered();
        }
        peer
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn transport(&self) -> &dyn Transport {
        &*self.0.transport
    }

    /// Returns the format of the logs that the transport reads, if it reads any.
    pub(crate) fn wire(&self) -> Option<Wire> {
        self.transport().log_reader()?.wire()
    }

    pub(crate) fn namespace_shared(&self) -> &Arc<str> {
        &self.0.namespace
    }

    pub(crate) fn life(&self) -> &Life {
        &self.0.life
    }

    pub(crate) fn inbox(&self) -> &Inbox {
        &self.0.inbox
    }

    pub(crate) fn subscriptions(&self) -> &Subscriptions {
        &self.0.subscriptions
    }

    pub(crate) fn id_ref(&self) -> &PeerId {
        &self.0.id
    }

    /// Returns the peer's id on its hub.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// let id = peer.id();
    /// assert_eq!(peer.hub().peer(id).as_ref(), Some(peer));
    /// # Ok(()) }
    /// ```
    pub fn id(&self) -> PeerId {
        self.0.id
    }

    /// Returns the namespace whose topics and peers this peer can reach.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// let everyone = peer.hub().in_namespace(peer.namespace());
    /// everyone.broadcast("hello")?;
    /// # Ok(()) }
    /// ```
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// Returns the request that asked for this connection, with the headers that fit into
    /// [`Limits::max_kept_head`](field@crate::Limits::max_kept_head).
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// let page = peer.request().header("referer").unwrap_or("unknown");
    /// println!("{peer} came from {page}");
    /// # Ok(()) }
    /// ```
    pub fn request(&self) -> &UpgradeRequest {
        &self.0.request
    }

    /// Returns the settings of this connection: those of its route, over the hub's.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// let most = peer.settings().limits.max_message_size;
    /// println!("at most {most:?} bytes");
    /// # Ok(()) }
    /// ```
    pub fn settings(&self) -> Arc<Settings> {
        let replaced = self.0.rare.settings();
        replaced.unwrap_or_else(|| Arc::clone(&self.0.settings))
    }

    /// Returns the pattern of the connection's route, such as `/rooms/{room}`, if it has one.
    pub fn route(&self) -> Option<Arc<str>> {
        self.settings().route().cloned()
    }

    /// Returns the name of the connection's route, if it has one.
    pub fn route_name(&self) -> Option<Arc<str>> {
        self.settings().route_name().cloned()
    }

    /// Applies the route's settings to a restored peer.
    pub(crate) fn on_route(&self, settings: Arc<Settings>) {
        if settings.limits.count_traffic {
            self.metered();
        }
        self.0.rare.set_settings(settings);
        self.0.hub.registry().join_route(self);
    }

    /// Returns the value of this type that a layer has attached to the request before the upgrade:
    /// one of the [`extensions`](Self::extensions).
    ///
    /// # Errors
    /// [`NotAttached`], which names the type, if no layer has attached one.
    #[doc(alias = "assigns")]
    #[doc(alias = "locals")]
    pub fn attached<T: MaybeSend + MaybeSync + 'static>(&self) -> Result<Arc<T>, NotAttached> {
        self.0.request.attached()
    }

    /// Returns the client's address, if the platform knows it.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.0.request.remote_addr()
    }

    /// Returns what the client reads of a publication in several formats.
    #[inline]
    pub(crate) fn format_of<'p>(&self, publication: InFormats<'p>) -> &'p Publication {
        publication.of(|| self.protocol())
    }

    /// Returns the negotiated subprotocol, if there is one.
    pub fn protocol(&self) -> Option<&str> {
        self.0.rare.protocol()
    }

    /// Returns the negotiated WebSocket extensions, as in the response's header; empty if there are
    /// none.
    pub fn negotiated_extensions(&self) -> &str {
        self.0.transport.extensions()
    }

    /// Returns the capabilities of this connection's transport.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// if peer.capabilities().contains(Capabilities::PING) {
    ///     peer.ping("")?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn capabilities(&self) -> Capabilities {
        self.0.transport.capabilities()
    }

    /// Returns the hub of this peer.
    pub fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// Returns the state of the connection.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// if peer.state() == PeerState::Open {
    ///     peer.send("tick")?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn state(&self) -> PeerState {
        self.0.life.state()
    }

    /// Returns the volatile values of this connection; the WebSocket extensions are
    /// [`negotiated_extensions`](Self::negotiated_extensions).
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// struct Started(std::time::Instant);
    /// peer.extensions().insert(Started(std::time::Instant::now()));
    /// # Ok(()) }
    /// ```
    pub fn extensions(&self) -> &Extensions {
        self.0.request.volatile()
    }

    /// Leaves a hook to be run by the session.
    pub(crate) fn notify(&self, notice: Notice) {
        self.0.inbox.notify(notice);
    }

    /// The peers of this namespace, this one included while it is connected. Peers are here from
    /// just before their `open` hook; an application's presence is who has subscribed or been
    /// greeted.
    pub fn peers(&self) -> Vec<Peer> {
        self.0.hub.registry().peers(Some(self.namespace()))
    }

    /// Runs a future as part of this connection: polled by its task, its failure reported to
    /// `error`, dropped when the `close` hook has ended.
    pub fn spawn<F>(&self, future: F)
    where
        F: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.0
            .inbox
            .push(Box::pin(async { future.await.into_hook_result() }));
    }

    /// Returns a handle that does not keep the peer alive.
    pub fn downgrade(&self) -> WeakPeer {
        WeakPeer(Arc::downgrade(&self.0))
    }
}

/// Writes the id.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id().fmt(f)
    }
}

crate::opaque_debug!([] Peer, self =>
    id: format_args!("{}", self.id()), namespace: self.namespace(), remote_addr: self.remote_addr(),
    state: self.state());

/// Two handles are equal if they belong to the same connection.
impl PartialEq for Peer {
    fn eq(&self, other: &Self) -> bool {
        self.is(other)
    }
}

impl Eq for Peer {}

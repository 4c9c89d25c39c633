pub(crate) mod cancel;
pub(crate) mod cleanup;
mod closing;
pub(crate) mod context;
pub(crate) mod expiry;
pub(crate) mod extensions;
pub(crate) mod id;
pub(crate) mod interval;
mod labels;
pub(crate) mod life;
pub(crate) mod membership;
pub(crate) mod meter;
mod patterns;
mod persisting;
mod publishing;
pub(crate) mod rare;
pub(crate) mod send_line;
pub(crate) mod sleep;
pub(crate) mod snapshot;
pub(crate) mod subscriptions;
pub(crate) mod tasks;
pub(crate) mod timers;
mod topics;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderValue;
use serde::de::DeserializeOwned;

use crate::bounds::{MaybeSend, MaybeSync};
use crate::error::{ControlError, SendError};
use crate::hooks::notice::{Kind, Notice};
use crate::hub::Hub;
use crate::hub::capabilities::Capabilities;
use crate::hub::settings::Settings;
use crate::message::IntoMessage;
use crate::message::close::{CloseCode, CloseFrame};
use crate::message::codec::DecodeError;
use crate::message::send::{SendOptions, Sent};
use crate::observe::{Watch, Watched, watch};
use crate::peer::context::{ContextCell, ContextError, PeerContext};
use crate::peer::expiry::{Expiry, ExpiryError, MomentCell};
use crate::peer::extensions::Extensions;
use crate::peer::id::PeerId;
use crate::peer::life::{Life, PeerState};
use crate::peer::rare::RareCell;
use crate::peer::sleep::{Sleep, Sleepers};
use crate::peer::subscriptions::Subscriptions;
use crate::peer::tasks::{HookOutput, Inbox};
use crate::service::api::Api;
use crate::transport::{Settled, Transport};
use crate::upgrade::request::{NotAttached, UpgradeRequest};

/// A connected client: a cheap handle, the same on every adapter.
///
/// Clones share everything. A handle may be kept and used from anywhere; once the connection is
/// over its calls answer with errors. A handle kept for ever keeps the request and the context
/// alive: store a [`WeakPeer`], or the id and [`Hub::peer`].
#[derive(Clone)]
pub struct Peer(Arc<Inner>);

/// So many bytes may be more than half of a bound, by default: that many messages, of two bytes at least.
const MAY_BE_BEHIND: usize = 4096;

pub(crate) struct Inner {
    pub(crate) id: PeerId,
    pub(crate) namespace: Arc<str>,
    pub(crate) request: UpgradeRequest,
    pub(crate) context: ContextCell,
    pub(crate) expiry: MomentCell,
    /// As it began: see [`Peer::settings`].
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
    pub(crate) fn new(mut inner: Inner) -> Self {
        // A transport that stores the request with the peer reads all of it again and again.
        if !inner
            .transport
            .capabilities()
            .contains(Capabilities::HIBERNATION)
        {
            let most = inner.hub.limits().max_kept_head.get();
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

    pub(crate) fn namespace_shared(&self) -> &Arc<str> {
        &self.0.namespace
    }

    /// Who watches the hub.
    #[inline]
    pub(crate) fn watch(&self) -> Option<&Watch> {
        self.0.hub.watch()
    }

    /// What is remembered of it for those who watch.
    pub(crate) fn watched(&self) -> Option<Arc<Watched>> {
        self.extensions().get()
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

    /// The peer's name on its hub.
    pub fn id(&self) -> PeerId {
        self.0.id
    }

    /// The namespace whose topics and peers this one can reach.
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// The request that asked for this connection, with the headers that
    /// [`Limits::max_kept_head`](field@crate::Limits::max_kept_head) has room for.
    pub fn request(&self) -> &UpgradeRequest {
        &self.0.request
    }

    /// What is configured for this connection: the settings of its route, over the hub's.
    pub fn settings(&self) -> Arc<Settings> {
        let replaced = self.0.rare.settings();
        replaced.unwrap_or_else(|| Arc::clone(&self.0.settings))
    }

    /// The pattern of the route that led here, such as `/rooms/{room}`, where routes have one.
    pub fn route(&self) -> Option<Arc<str>> {
        self.settings().route().cloned()
    }

    /// The name of the route that led here, where it has one.
    pub fn route_name(&self) -> Option<Arc<str>> {
        self.settings().route_name().cloned()
    }

    /// What the route says is known for a peer that was restored.
    pub(crate) fn on_route(&self, settings: Arc<Settings>) {
        if settings.limits.count_traffic {
            self.metered();
        }
        self.0.rare.set_settings(settings);
        self.0.hub.registry().join_route(self);
    }

    /// The value of this type that a layer has attached to the request before the upgrade: one of
    /// the [`extensions`](Self::extensions).
    ///
    /// # Errors
    /// [`NotAttached`], which names the type, if no layer has attached one.
    pub fn attached<T: MaybeSend + MaybeSync + 'static>(&self) -> Result<Arc<T>, NotAttached> {
        self.0.request.attached()
    }

    /// The client's address, where the platform knows it.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.0.request.remote_addr()
    }

    /// The subprotocol that was negotiated, if one was.
    pub fn protocol(&self) -> Option<&str> {
        self.0.rare.protocol()
    }

    /// The WebSocket extensions that were negotiated, as in the answer's header; empty for none.
    pub fn negotiated_extensions(&self) -> &str {
        self.0.transport.extensions()
    }

    /// What this connection's transport can do.
    pub fn capabilities(&self) -> Capabilities {
        self.0.transport.capabilities()
    }

    /// The hub this peer is connected to.
    pub fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// The application's own HTTP service, called without a network: see [`Api`]. What it says of the
    /// client is the address and the host that it asked for, and no header else.
    pub fn api(&self) -> Api {
        let host = self.request().header("host").map(HeaderValue::from_str);
        let host = host.and_then(Result::ok);
        self.hub().api().on_behalf_of(host, self.remote_addr())
    }

    /// Where the connection is.
    pub fn state(&self) -> PeerState {
        self.0.life.state()
    }

    /// Volatile values of this connection; not the WebSocket extensions, which are
    /// [`negotiated_extensions`](Self::negotiated_extensions).
    pub fn extensions(&self) -> &Extensions {
        self.0.request.volatile()
    }

    /// The peer's context.
    ///
    /// # Errors
    /// [`ContextError::Missing`] if there is none, [`ContextError::Type`] if it is of another
    /// type.
    pub fn context<T: PeerContext>(&self) -> Result<Arc<T>, ContextError> {
        self.0.context.get()
    }

    /// Replaces the peer's context.
    ///
    /// # Errors
    /// [`ContextError::Persist`] if the transport hibernates and cannot store the new context: the
    /// old one stays. Elsewhere it never fails.
    pub fn set_context<T: PeerContext>(&self, context: T) -> Result<(), ContextError> {
        let old = self.0.context.set(context);
        self.persist_context(old)
    }

    pub(crate) fn context_cell(&self) -> &ContextCell {
        &self.0.context
    }

    /// When the peer's credentials end, if they do: then it is closed with 4401.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.0.expiry.get().time()
    }

    /// The peer's credentials end at another time: later, because it has shown new ones; sooner,
    /// because they were revoked; or [`Expiry::Never`]. From wherever the peer is known, a hook or
    /// not.
    ///
    /// # Errors
    /// When the connection is ending, the transport keeps no time
    /// ([`Capabilities::EXPIRY`]), or it hibernates and cannot store the new time: the old one
    /// stays.
    pub fn set_expiry(&self, expiry: impl Into<Expiry>) -> Result<(), ExpiryError> {
        if !self.capabilities().contains(Capabilities::EXPIRY) {
            return Err(ExpiryError::Unsupported);
        }
        if self.state() != PeerState::Open {
            return Err(ExpiryError::Closed);
        }
        let moment = expiry.into().moment(self.0.transport.now());
        let old = self.0.expiry.replace(moment);
        if let Err(error) = self.persist() {
            self.0.expiry.replace(old);
            return Err(error.into());
        }
        self.0.transport.renewed(self.due_at());
        Ok(())
    }

    /// Waits for this long, or until the connection is ending, whichever comes first. It names no
    /// runtime: the connection's adapter keeps the time, to the millisecond or so, and in tests it
    /// is virtual. Where the transport keeps no time ([`Capabilities::EXPIRY`]) only the end is waited
    /// for.
    ///
    /// In a Durable Object a sleep does not outlast the object's memory.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use crossws_core::{Peer, PeerState, SendError};
    /// async fn ticks(peer: Peer) -> Result<(), SendError> {
    ///     while peer.state() == PeerState::Open {
    ///         peer.send("tick")?;
    ///         peer.sleep(Duration::from_secs(1)).await;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the future ends the sleep and leaves nothing behind.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(self, duration)
    }

    pub(crate) fn sleepers(&self) -> &Sleepers {
        &self.0.sleepers
    }

    /// When the adapter must call [`is_due`](Self::is_due) next.
    pub(crate) fn due_at(&self) -> Option<SystemTime> {
        let expires = self.expires_at();
        match self.0.sleepers.first() {
            None => expires,
            Some(first) => Some(expires.map_or(first, |expires| expires.min(first))),
        }
    }

    /// This time, which the adapter was told, has come, whatever the wall clock says now. What was due
    /// then may have been renewed or given up meanwhile.
    /// Returns whether a `timer` hook must run.
    pub(crate) fn is_due(&self, at: SystemTime) -> bool {
        let until = at.max(self.0.transport.now());
        if self.expires_at().is_some_and(|end| end <= until) {
            self.close_for_expiry();
            return false;
        }
        let timers = self.0.sleepers.ring(until);
        let any = !timers.is_empty();
        for name in timers {
            self.notify(Notice(Kind::Timer(name)));
        }
        self.0.transport.renewed(self.due_at());
        any
    }

    /// Whether the credentials have ended, on a transport that knows.
    pub(crate) fn has_expired(&self) -> bool {
        self.0.expiry.get().is_past(self.0.transport.now())
    }

    /// Reads the peer's context as another type than its own, such as `serde_json::Value`.
    ///
    /// # Errors
    /// [`ContextError::Missing`] if there is none, [`ContextError::Encode`] and
    /// [`ContextError::Decode`] if it does not convert.
    pub fn context_as<T: DeserializeOwned>(&self) -> Result<T, ContextError> {
        let json = self.0.context.to_json()?;
        Ok(T::deserialize(json).map_err(DecodeError::new)?)
    }

    /// Queues a message: text, bytes, or [`Json`](crate::Json). Never waits; it is on the wire
    /// while the hook goes on.
    ///
    /// # Errors
    /// The message is handed back when the connection is closed, or when the peer's queue is full
    /// and the policy refuses the newest. Under the default policy a full queue closes the peer.
    pub fn send(&self, message: impl IntoMessage) -> Result<Sent, SendError> {
        self.send_as(message, const { &SendOptions::new() })
    }

    /// As [`send`](Self::send), with options.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_with(
        &self,
        message: impl IntoMessage,
        options: SendOptions,
    ) -> Result<Sent, SendError> {
        self.send_as(message, &options)
    }

    fn send_as(&self, message: impl IntoMessage, options: &SendOptions) -> Result<Sent, SendError> {
        let message = message.into_message()?;
        if self.state() != PeerState::Open {
            return Err(SendError::Closed(message));
        }
        let sent = match self.0.life.is_followed() {
            false => self.0.transport.send(message, options),
            true => watch::send(self, message, options),
        };
        if let Ok(Sent::Queued { bytes }) = sent
            && bytes > MAY_BE_BEHIND
        {
            self.note_behind();
        }
        sent
    }

    #[cold]
    fn note_behind(&self) {
        if self.is_behind() {
            self.0.hub.registry().behind_peers().add(self);
        }
    }

    /// Queues a ping with up to 125 bytes.
    ///
    /// # Errors
    /// When the connection is closed, the data is too long, a ping is still queued, or the
    /// transport has no control frames.
    pub fn ping(&self, data: impl Into<Bytes>) -> Result<(), ControlError> {
        self.control(data.into(), |data| self.0.transport.ping(data))
    }

    /// Queues a pong with up to 125 bytes: unasked, or where the `ping` hook answers pings, because
    /// the limit `auto_pong` is off. Of more than 16 that wait only the latest are kept, and only one
    /// while the client does not take what it gets (RFC 6455 section 5.5.3).
    ///
    /// # Errors
    /// When the connection is closed, the data is too long, or the transport has no control frames.
    pub fn pong(&self, data: impl Into<Bytes>) -> Result<(), ControlError> {
        self.control(data.into(), |data| self.0.transport.pong(data))
    }

    fn control(
        &self,
        data: Bytes,
        send: impl FnOnce(Bytes) -> Result<(), ControlError>,
    ) -> Result<(), ControlError> {
        /// RFC 6455 section 5.5.
        const MAX_CONTROL: usize = 125;
        if data.len() > MAX_CONTROL {
            return Err(ControlError::TooLong(data.len()));
        }
        if self.state() != PeerState::Open {
            return Err(ControlError::Closed);
        }
        send(data)
    }

    /// Bytes queued for this peer and not yet handed to the platform.
    pub fn buffered_amount(&self) -> usize {
        self.0.transport.buffered_amount()
    }

    /// Returns whether the client takes less than it is sent, so that a loop that sends to it should
    /// wait: more than half of a bound waits ([`Limits::max_buffered`](crate::Limits::max_buffered),
    /// [`Limits::max_queued`](crate::Limits::max_queued)) although what could be written at once was, and
    /// it has not had long to catch up.
    ///
    /// A client that reads catches up within milliseconds, or a little longer on a busy machine. One
    /// that has not after 300 ms is not waited for: false from then on until it has taken a quarter of a
    /// bound.
    /// False on transports that do not know.
    pub fn is_behind(&self) -> bool {
        self.0.transport.is_behind()
    }

    /// Messages for this peer that a queue's policy discarded.
    pub fn dropped(&self) -> u64 {
        self.0.transport.dropped()
    }

    /// Waits until at most `threshold` bytes are queued, or the connection is over.
    ///
    /// Woken by the writer, not by polling. Where the transport cannot tell (no
    /// [`Capabilities::DRAIN`]) the amount is always 0 and this ends at once.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn drained(&self, threshold: usize) {
        loop {
            let listener = self.0.life.drained();
            if self.state() != PeerState::Open || self.buffered_amount() <= threshold {
                return;
            }
            listener.await;
        }
    }

    /// See [`Transport::settle`].
    pub(crate) fn settle(&self) -> Settled {
        self.settled(self.0.transport.settle())
    }

    /// Tells those who wait for it what was written.
    fn settled(&self, settled: Settled) -> Settled {
        if settled.wrote {
            self.notify_drained();
        }
        settled
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

    /// A handle that does not keep the peer alive.
    pub fn downgrade(&self) -> WeakPeer {
        WeakPeer(Arc::downgrade(&self.0))
    }

    pub(crate) fn notify_drained(&self) {
        self.0.life.notify_drained();
    }
}

/// What a client hears whose credentials have ended.
pub(crate) fn credentials_expired() -> CloseFrame {
    CloseFrame::new(CloseCode::CREDENTIALS_EXPIRED, "credentials expired")
}

/// The id.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id().fmt(f)
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("id", &format_args!("{}", self.id()))
            .field("namespace", &self.namespace())
            .field("remote_addr", &self.remote_addr())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// Two handles are equal when they are the same connection's.
impl PartialEq for Peer {
    fn eq(&self, other: &Self) -> bool {
        self.is(other)
    }
}

impl Eq for Peer {}

/// A handle to a peer that does not keep it alive: what a long-lived collection should hold.
#[derive(Clone, Default)]
pub struct WeakPeer(Weak<Inner>);

impl WeakPeer {
    /// Whether anyone still holds the peer.
    pub(crate) fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }

    /// The peer, if anyone still holds it.
    pub fn upgrade(&self) -> Option<Peer> {
        self.0.upgrade().map(Peer)
    }
}

impl fmt::Debug for WeakPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakPeer(..)")
    }
}

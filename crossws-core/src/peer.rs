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
pub struct Peer(Arc<Inner>);

/// This many bytes may be more than half of a bound, by default: that many messages, of at least
/// two bytes.
const MAY_BE_BEHIND: usize = 4096;

pub(crate) struct Inner {
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
    pub(crate) fn new(mut inner: Inner) -> Self {
        // A transport that stores the request with the peer reads all of it on every change.
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

    /// Returns the hub's observers and counters.
    #[inline]
    pub(crate) fn watch(&self) -> Option<&Watch> {
        self.0.hub.watch()
    }

    /// Returns the state that observers have of this peer.
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
    pub fn attached<T: MaybeSend + MaybeSync + 'static>(&self) -> Result<Arc<T>, NotAttached> {
        self.0.request.attached()
    }

    /// Returns the client's address, if the platform knows it.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.0.request.remote_addr()
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

    /// Returns the application's own HTTP service, called without a network: see [`Api`]. Its
    /// requests carry the client's address and the host of the client's request, and no other
    /// header of it.
    pub fn api(&self) -> Api {
        let host = self.request().header("host").map(HeaderValue::from_str);
        let host = host.and_then(Result::ok);
        self.hub().api().on_behalf_of(host, self.remote_addr())
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

    /// Returns the peer's context.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// let name = peer.context::<String>()?;
    /// println!("{name} has connected");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ContextError::Missing`] if there is none, [`ContextError::Type`] if it is of another
    /// type.
    pub fn context<T: PeerContext>(&self) -> Result<Arc<T>, ContextError> {
        self.0.context.get()
    }

    /// Replaces the peer's context.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.set_context("ann".to_owned())?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ContextError::Persist`] if the transport hibernates and cannot store the new context: the
    /// old one stays. On other transports it never fails.
    pub fn set_context<T: PeerContext>(&self, context: T) -> Result<(), ContextError> {
        let old = self.0.context.set(context);
        self.persist_context(old)
    }

    pub(crate) fn context_cell(&self) -> &ContextCell {
        &self.0.context
    }

    /// Returns when the peer's credentials end, if they do: then the peer is closed with 4401.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.0.expiry.get().time()
    }

    /// Sets when the peer's credentials end: later, because the client has shown new ones; sooner,
    /// because they were revoked; or [`Expiry::Never`]. May be called from any task that holds the
    /// peer.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// // A refreshed token is valid for another hour.
    /// peer.set_expiry(std::time::Duration::from_secs(3600))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the connection is ending, the transport keeps no time ([`Capabilities::EXPIRY`]), or it
    /// hibernates and cannot store the new time: the old one stays.
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

    /// Waits for a duration, or until the connection is ending, whichever comes first. It depends
    /// on no runtime: the connection's adapter keeps the time, with a precision of about a
    /// millisecond, and in tests the time is virtual. If the transport keeps no time
    /// ([`Capabilities::EXPIRY`]) only the end ends the wait.
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
    /// Dropping the future ends the sleep without further effect.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(self, duration)
    }

    pub(crate) fn sleepers(&self) -> &Sleepers {
        &self.0.sleepers
    }

    /// Returns when the adapter must call [`is_due`](Self::is_due) next.
    pub(crate) fn due_at(&self) -> Option<SystemTime> {
        let expires = self.expires_at();
        match self.0.sleepers.first() {
            None => expires,
            Some(first) => Some(expires.map_or(first, |expires| expires.min(first))),
        }
    }

    /// Handles a time that the adapter was told and that has come, whatever the wall clock says
    /// now. The deadline may have been moved or cancelled meanwhile. Returns whether a `timer` hook
    /// must run.
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

    /// Returns whether the credentials have ended, on a transport that keeps time.
    pub(crate) fn has_expired(&self) -> bool {
        self.0.expiry.get().is_past(self.0.transport.now())
    }

    /// Reads the peer's context as another type than its own, such as `serde_json::Value`.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// let user: std::collections::HashMap<String, String> = peer.context_as()?;
    /// println!("{}", user["name"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ContextError::Missing`] if there is none, [`ContextError::Encode`] and
    /// [`ContextError::Decode`] if it does not convert.
    pub fn context_as<T: DeserializeOwned>(&self) -> Result<T, ContextError> {
        let json = self.0.context.to_json()?;
        Ok(T::deserialize(json).map_err(DecodeError::new)?)
    }

    /// Queues a message: text, bytes, or [`Json`](crate::Json). Never waits; the message is on the
    /// wire while the hook goes on.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.send("text")?;
    /// peer.send(vec![1, 2, 3])?;
    /// peer.send(Json(["a", "b"]))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The error returns the message if the connection is closed, or if the peer's queue is full
    /// and its policy refuses the newest message. Under the default policy a full queue closes the
    /// peer.
    pub fn send(&self, message: impl IntoMessage) -> Result<Sent, SendError> {
        self.send_as(message, const { &SendOptions::new() })
    }

    /// As [`send`](Self::send), with options.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.send_with("42", SendOptions::new().key("price"))?;
    /// # Ok(()) }
    /// ```
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
    /// If the connection is closed, the data is too long, a ping is still queued, or the transport
    /// has no control frames.
    pub fn ping(&self, data: impl Into<Bytes>) -> Result<(), ControlError> {
        self.control(data.into(), |data| self.0.transport.ping(data))
    }

    /// Queues a pong with up to 125 bytes: unsolicited, or as the answer of a `ping` hook if the
    /// limit `auto_pong` is off. If more than 16 wait, only the latest are kept, and only one while
    /// the client does not take its frames (RFC 6455 section 5.5.3).
    ///
    /// # Errors
    /// If the connection is closed, the data is too long, or the transport has no control frames.
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

    /// Returns how many bytes are queued for this peer and not yet handed to the platform.
    pub fn buffered_amount(&self) -> usize {
        self.0.transport.buffered_amount()
    }

    /// Returns whether the client takes less than it is sent, so that a loop that sends to it
    /// should wait: more than half of a bound waits
    /// ([`Limits::max_buffered`](crate::Limits::max_buffered),
    /// [`Limits::max_queued`](crate::Limits::max_queued)) although the platform took all that it
    /// could at once, and the client has not had long to catch up.
    ///
    /// A client that reads catches up within milliseconds, or a little longer on a busy machine. A
    /// client that has not caught up after 300 ms is not waited for: the result is false from then
    /// on until the client has taken a quarter of a bound. Always false on transports that do not
    /// know.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # async fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// for part in 0..1_000_000_u32 {
    ///     peer.send(part.to_string())?;
    ///     if peer.is_behind() {
    ///         peer.drained(1 << 10).await;
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn is_behind(&self) -> bool {
        self.0.transport.is_behind()
    }

    /// Returns how many messages for this peer its queue's policy discarded.
    pub fn dropped(&self) -> u64 {
        self.0.transport.dropped()
    }

    /// Waits until at most `threshold` bytes are queued, or the connection is over.
    ///
    /// The writer wakes the future; it does not poll. On a transport without
    /// [`Capabilities::DRAIN`] the amount is always 0 and the future is ready at once.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # async fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.send(vec![0; 1 << 20])?;
    /// peer.drained(0).await;
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the queue.
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

    /// Reports the writes and discards of a settled queue to the waiting tasks and observers.
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

    /// Returns a handle that does not keep the peer alive.
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

/// Writes the id.
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

/// Two handles are equal if they belong to the same connection.
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

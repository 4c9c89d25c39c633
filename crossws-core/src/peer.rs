pub(crate) mod cancel;
pub(crate) mod cleanup;
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
pub(crate) mod rare;
pub(crate) mod send_line;
pub(crate) mod sleep;
pub(crate) mod snapshot;
pub(crate) mod subscriptions;
pub(crate) mod tasks;
pub(crate) mod timers;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderValue;
use serde::de::DeserializeOwned;

use crate::adapter::Snapshot;
use crate::bounds::{MaybeSend, MaybeSync};
use crate::error::{ControlError, PublishError, SendError, SubscribeError};
use crate::hooks::notice::{Kind, Notice};
use crate::hub::Hub;
use crate::hub::capabilities::Capabilities;
use crate::hub::settings::Settings;
use crate::message::IntoMessage;
use crate::message::close::{CloseCode, CloseFrame, ClosedBy};
use crate::message::codec::DecodeError;
use crate::message::send::{SendOptions, Sent};
use crate::message::text::Utf8Bytes;
use crate::observe::{Watch, Watched};
use crate::peer::context::{ContextCell, ContextError, PeerContext};
use crate::peer::expiry::{Expiry, ExpiryError, MomentCell};
use crate::peer::extensions::Extensions;
use crate::peer::id::PeerId;
use crate::peer::life::{End, Life, PeerState};
use crate::peer::rare::RareCell;
use crate::peer::sleep::{Sleep, Sleepers};
use crate::peer::snapshot::PersistError;
use crate::peer::subscriptions::Subscriptions;
use crate::peer::tasks::{HookOutput, Inbox};
use crate::pubsub::flusher::Asleep;
use crate::pubsub::publication::Publication;
use crate::pubsub::published::Published;
use crate::pubsub::to::{Target, To, Topics};
use crate::pubsub::topic::{Topic, TopicKind};
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
        let sent = match self.watch() {
            None => self.0.transport.send(message, options),
            Some(watch) => watch.send(self, message, options),
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

    /// Waits until the connection is ending: the client is gone, this side closed, or the server
    /// stops. It resolves although a hook is running. If so many messages wait for that hook that
    /// the client is not read any further (`Limits::max_inbound`), the end is noticed only once a
    /// message is taken, or a write fails.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # async fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.closed().await;
    /// println!("{peer} is leaving");
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the connection.
    pub async fn closed(&self) {
        loop {
            let listener = self.0.life.ended();
            if self.state() != PeerState::Open {
                return;
            }
            listener.await;
        }
    }

    /// Closes the connection: messages that were queued before are sent first, then the close
    /// frame. Later calls do nothing. The reason is cut to [`CloseFrame::MAX_REASON`] bytes.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.close(CloseCode::POLICY, "one connection per user");
    /// # Ok(()) }
    /// ```
    pub fn close(&self, code: CloseCode, reason: impl Into<Utf8Bytes>) {
        self.close_with(CloseFrame::new(code, reason), End::Server);
    }

    /// Closes the connection as [`close`](Self::close) does, with this frame:
    /// [`CloseFrame::without_code`] has neither a code nor a reason.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.close_frame(CloseFrame::without_code());
    /// # Ok(()) }
    /// ```
    pub fn close_frame(&self, frame: impl Into<CloseFrame>) {
        self.close_with(frame.into(), End::Server);
    }

    pub(crate) fn close_for_shutdown(&self, frame: CloseFrame) {
        self.close_with(frame, End::Shutdown);
    }

    pub(crate) fn close_for_expiry(&self) {
        self.close_with(credentials_expired(), End::Expiry);
    }

    pub(crate) fn close_for_inactivity(&self) {
        self.close_with(CloseFrame::new(CloseCode::TIMEOUT, "inactive"), End::Expiry);
    }

    fn close_with(&self, frame: CloseFrame, end: End) {
        if let Some(hooks) = self.begin_close(frame, end) {
            self.wake_for(hooks);
            self.0.transport.wake();
        }
    }

    /// Closes the connection without waking its task. If this is the first end, returns how many
    /// hooks the task must be woken for.
    fn begin_close(&self, frame: CloseFrame, end: End) -> Option<usize> {
        let first = self.end_asleep(end);
        if first.is_some() {
            self.0.transport.close(frame);
        }
        first
    }

    /// Closes peers, possibly many. Their tasks are woken in groups, and other tasks run in
    /// between.
    pub(crate) fn close_all(peers: Vec<Self>, frame: &CloseFrame, end: End) {
        let close = |peer: &Self| {
            let first = peer.begin_close(frame.clone(), end);
            // With a flusher, the session runs in the task that the group wakes.
            if let Some(hooks) = first
                && peer.0.transport.flusher().is_none()
            {
                peer.wake_for(hooks);
            }
            first.is_some()
        };
        Asleep::new(peers.into_iter().filter(close).collect()).hand_on();
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

    /// Drops the connection at once, without a close frame, also during a close.
    pub fn terminate(&self) {
        self.end(End::Server);
        self.0.transport.terminate();
    }

    /// Takes the first step away from open: the peer leaves every list, and the tasks that wait for
    /// its end are woken. Returns whether this call was the first.
    fn end(&self, end: End) -> bool {
        let first = self.end_asleep(end);
        if let Some(hooks) = first {
            self.wake_for(hooks);
        }
        first.is_some()
    }

    /// As [`end`](Self::end), without waking the session for the remaining hooks. Returns how many
    /// there are if this call was the first.
    fn end_asleep(&self, end: End) -> Option<usize> {
        if !self.0.life.end(end) {
            return None;
        }
        let topics = self.0.hub.registry().leave(self);
        let hooks = topics.len();
        for (topic, _) in topics {
            self.0.inbox.leave(subscription(&topic, false));
        }
        self.0.life.notify_ended();
        self.0.sleepers.end();
        Some(hooks)
    }

    /// Wakes the session, if any hooks remain to run.
    fn wake_for(&self, hooks: usize) {
        if hooks > 0 {
            self.0.inbox.wake();
        }
    }

    /// Subscribes to a topic of the peer's namespace. Returns `Ok(false)` if the peer already was
    /// subscribed.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// let is_new = peer.subscribe("news")?;
    /// assert!(!is_new || peer.is_subscribed("news"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the connection is ending, the peer has too many topics, the name is too long, the
    /// transport has no topics, or it hibernates and has no room to store one more.
    pub fn subscribe(&self, topic: impl AsRef<str>) -> Result<bool, SubscribeError> {
        self.subscribe_to(TopicKind::Topic, topic.as_ref())
    }

    /// Ends a subscription. Returns whether there was one.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.subscribe("news")?;
    /// assert!(peer.unsubscribe("news"));
    /// # Ok(()) }
    /// ```
    pub fn unsubscribe(&self, topic: impl AsRef<str>) -> bool {
        self.unsubscribe_from(TopicKind::Topic, topic.as_ref())
    }

    pub(crate) fn subscribe_to(&self, kind: TopicKind, name: &str) -> Result<bool, SubscribeError> {
        if !self.capabilities().contains(Capabilities::PUBSUB) {
            return Err(SubscribeError::Unsupported);
        }
        let hub = &self.0.hub;
        let settings = self.settings();
        let new = hub
            .registry()
            .subscribe(self, kind, name, &settings.limits)?;
        if new && let Err(error) = self.persist() {
            hub.registry().unsubscribe(self, kind, name);
            return Err(error.into());
        }
        if new && let Some((topic, _)) = self.0.subscriptions.get(kind, name) {
            self.notify(subscription(&topic, true));
        }
        Ok(new)
    }

    pub(crate) fn unsubscribe_from(&self, kind: TopicKind, name: &str) -> bool {
        let left = self.0.subscriptions.get(kind, name);
        let was = self.0.hub.registry().unsubscribe(self, kind, name);
        if was {
            self.settled(self.0.transport.left());
        }
        if was && let Some((topic, _)) = left {
            self.notify(subscription(&topic, false));
        }
        if was && let Err(error) = self.persist() {
            // Less room is needed than before, so only the platform itself can have refused.
            tracing::error!(peer = %self, %error, "an unsubscription was not stored");
        }
        was
    }

    /// Queues a hook for the session to run.
    pub(crate) fn notify(&self, notice: Notice) {
        self.0.inbox.notify(notice);
    }

    /// Stores the peer's persistent state, on a transport that hibernates.
    pub(crate) fn persist(&self) -> Result<(), PersistError> {
        if self.state() == PeerState::Open
            && self.capabilities().contains(Capabilities::HIBERNATION)
        {
            self.0.transport.persist(self.snapshot()?)
        } else {
            Ok(())
        }
    }

    fn snapshot(&self) -> Result<Snapshot, PersistError> {
        let kept = self.0.hub.kept_headers();
        let request = self.request();
        let mut snapshot = Snapshot::new(self.id(), self.namespace(), request, |name| {
            kept.contains(name)
        });
        snapshot.set_route(&self.settings(), self.0.hub.settings());
        snapshot.protocol = self.protocol().map(str::to_owned);
        snapshot.context = self.0.context.to_stored()?;
        snapshot.expires = self.0.expiry.get().millis();
        let timers = self.0.sleepers.timers(|timers| timers.stored());
        snapshot.timers = timers.unwrap_or_default();
        if let Some(labels) = self.labels() {
            let owned = |name: &Arc<str>| (**name).to_owned();
            let labels = labels.lock();
            snapshot.identity = labels.identity().map(owned);
            snapshot.tags = labels.tags().map(owned).collect();
        }
        snapshot.topics = self
            .topics()
            .iter()
            .map(|topic| (**topic).to_owned())
            .collect();
        snapshot.patterns = self
            .patterns()
            .iter()
            .map(|pattern| (**pattern).to_owned())
            .collect();
        Ok(snapshot)
    }

    /// Returns whether the peer is subscribed to a topic, by its name.
    pub fn is_subscribed(&self, topic: impl AsRef<str>) -> bool {
        self.0.subscriptions.contains(topic.as_ref())
    }

    /// Returns the peer's topics, sorted by name.
    pub fn topics(&self) -> Vec<Arc<str>> {
        self.0.subscriptions.names(TopicKind::Topic)
    }

    /// Returns the peers of this namespace, including this one while it is connected. Peers are
    /// listed from just before their `open` hook; for presence, use subscriptions or the
    /// application's own greeting.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// let others = peer.peers().into_iter().filter(|other| other != peer);
    /// println!("{} others are here", others.count());
    /// # Ok(()) }
    /// ```
    pub fn peers(&self) -> Vec<Peer> {
        self.0.hub.registry().peers(Some(self.namespace()))
    }

    /// Sends a message to every subscriber of a topic in this namespace except this peer, which
    /// need not be subscribed itself. Works until the `close` hook has ended.
    ///
    /// The same as [`to(topic)`](Self::to)`.send(message)`.
    ///
    /// A closure may end with this call; a method of [`Hooks`](crate::Hooks) ends with `Ok(())`:
    ///
    /// ```
    /// # use crossws_core::{HookResult, Hooks, Message, Peer, hooks};
    /// let echo = hooks().on_message(|peer, message| async move { peer.publish("talk", message) });
    ///
    /// struct Talk;
    ///
    /// impl Hooks for Talk {
    ///     async fn message(&self, peer: &Peer, message: Message) -> HookResult {
    ///         peer.publish("talk", message)?;
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// If the value cannot be encoded, or the transport has no topics. A subscriber's full queue is
    /// no error: the result counts it.
    pub fn publish(
        &self,
        topic: impl AsRef<str>,
        message: impl IntoMessage,
    ) -> Result<Published, PublishError> {
        self.publish_to(Some(topic.as_ref()), message)
    }

    /// Sends a message to every peer of this namespace except this one.
    ///
    /// The same as [`to_all()`](Self::to_all)`.send(message)`.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// let published = peer.broadcast("hello")?;
    /// println!("{} peers get it", published.queued);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn broadcast(&self, message: impl IntoMessage) -> Result<Published, PublishError> {
        self.publish_to(None, message)
    }

    /// Publishes directly, without a [`To`] in between.
    fn publish_to(
        &self,
        topic: Option<&str>,
        message: impl IntoMessage,
    ) -> Result<Published, PublishError> {
        let hub = &self.0.hub;
        if let Some(topic) = topic
            && !hub.topic_overflows().is_empty()
        {
            return self.publish_by_policy(topic, message);
        }
        self.check_publishes()?;
        let publication = Publication::of(message, SendOptions::new())?;
        Ok(hub.deliver(Some(self.namespace()), topic, Some(self), &publication))
    }

    #[cold]
    #[inline(never)]
    fn publish_by_policy(
        &self,
        topic: &str,
        message: impl IntoMessage,
    ) -> Result<Published, PublishError> {
        self.to(topic).send(message)
    }

    /// Addresses every subscriber of a topic in this namespace, or of any of several, once each,
    /// except this peer unless [`including_self`](To::including_self) is called. Options and
    /// exclusions are set before [`send`](To::send).
    ///
    /// ```
    /// # use crossws_core::{Peer, PublishError};
    /// # fn say(peer: &Peer) -> Result<(), PublishError> {
    /// peer.to("red").send("to one room")?;
    /// peer.to(["red", "blue"]).except("muted").send("to two")?;
    /// # Ok(()) }
    /// ```
    pub fn to<'a>(&'a self, topics: impl Into<Topics<'a>>) -> To<'a> {
        self.publishing(Target::Topics(topics.into()))
    }

    /// Addresses every subscriber of any topic that this peer is subscribed to at the time of
    /// sending, as [`to`](Self::to). In the `close` hook the peer has no subscriptions.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.to_own_topics().send("back in a minute")?;
    /// # Ok(()) }
    /// ```
    pub fn to_own_topics(&self) -> To<'_> {
        self.publishing(Target::Own(self))
    }

    /// Addresses every peer of this namespace, as [`to`](Self::to).
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.to_all().including_self().send("the round begins")?;
    /// # Ok(()) }
    /// ```
    pub fn to_all(&self) -> To<'_> {
        self.publishing(Target::Everyone)
    }

    fn publishing<'a>(&'a self, target: Target<'a>) -> To<'a> {
        To::new(&self.0.hub, Some(self.namespace()), target, Some(self))
    }

    /// Checks that the transport has topics.
    pub(crate) fn check_publishes(&self) -> Result<(), PublishError> {
        self.0.life.set_publishes();
        match self.capabilities().contains(Capabilities::PUBSUB) {
            true => Ok(()),
            false => Err(PublishError::Unsupported),
        }
    }

    /// Runs a future as part of this connection: the connection's task polls it, the `error` hook
    /// gets its failure, and it is dropped when the `close` hook has ended.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// let weak = peer.downgrade();
    /// peer.spawn(async move {
    ///     while let Some(peer) = weak.upgrade() {
    ///         peer.sleep(std::time::Duration::from_secs(60)).await;
    ///         peer.send("still there?")?;
    ///     }
    ///     Ok::<_, SendError>(())
    /// });
    /// # Ok(()) }
    /// ```
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

    /// Returns which call of this side ended the connection, if one did: then nothing more that
    /// arrives is delivered.
    pub(crate) fn closed_here(&self) -> Option<ClosedBy> {
        self.0.life.closed_here()
    }

    /// Notes that the connection is ending by no call of this side. Does nothing the second time.
    pub(crate) fn ended(&self) {
        self.end(End::Others);
    }

    /// Notes that the connection is over: the peer is in no list or topic, and its state is
    /// `Closed` from here on.
    pub(crate) fn over(&self) {
        if !self.end(End::Others) {
            // The thread that took the first step may not have left the registry yet.
            self.0.hub.registry().leave(self);
        }
        self.0.life.set_over();
    }

    pub(crate) fn notify_drained(&self) {
        self.0.life.notify_drained();
    }
}

/// Builds the notice for the `subscription` hook.
fn subscription(topic: &Topic, joined: bool) -> Notice {
    Notice(Kind::Subscription {
        topic: topic.shared_name(),
        kind: topic.kind(),
        joined,
    })
}

/// Returns the close frame for a client whose credentials have ended.
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

/// A handle to a peer that does not keep it alive: long-lived collections should hold these.
///
/// ```
/// # use crossws_core::*;
/// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
/// let weak = peer.downgrade();
/// if let Some(peer) = weak.upgrade() {
///     peer.send("still here")?;
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct WeakPeer(Weak<Inner>);

impl WeakPeer {
    /// Returns the peer, if another handle still keeps it alive.
    pub fn upgrade(&self) -> Option<Peer> {
        self.0.upgrade().map(Peer)
    }
}

impl fmt::Debug for WeakPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakPeer(..)")
    }
}

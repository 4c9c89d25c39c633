use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crossws_core::{
    CloseCode, ContextError, EncodeError, Extensions, HookOutput, Hub, MaybeSend, MaybeSync,
    NotAttached, Peer, PeerContext, PeerId, PeerState, PublishError, Published, SendError,
    SendOptions, Sent, SubscribeError, TimerError, UpgradeRequest, Utf8Bytes,
};
use serde::de::DeserializeOwned;

use crate::messages::outgoing::Outgoing;
use crate::request::PeerExt;
use crate::request::params::PathError;
use crate::request::query::QueryError;

/// A [`Peer`] handle that sends and publishes only `Out`, in the format of each client. Cheap to
/// clone, as the peer is.
///
/// For every other method, use the [untyped](Self::untyped) peer.
///
/// ```compile_fail,E0308
/// # use crossws_app::TypedPeer;
/// enum ToPlayer { Joined }
///
/// fn greet(peer: &TypedPeer<ToPlayer>) {
///     let _ = peer.send("welcome"); // expected `ToPlayer`, found `&str`
/// }
/// ```
///
/// Topics are the [`Peer`]'s. On a route with [several formats](crate::TypedHooks::protocol), each
/// recipient gets a message in its own.
pub struct TypedPeer<Out> {
    peer: Peer,
    outgoing: Arc<Outgoing<Out>>,
}

impl<Out: 'static> TypedPeer<Out> {
    pub(super) fn new(peer: &Peer, outgoing: &Arc<Outgoing<Out>>) -> Self {
        Self {
            peer: peer.clone(),
            outgoing: Arc::clone(outgoing),
        }
    }

    /// Returns the untyped peer.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// # async fn example(peer: &TypedPeer<String>) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.untyped().send("anything")?;
    /// # Ok(()) }
    /// ```
    pub fn untyped(&self) -> &Peer {
        &self.peer
    }

    pub(super) fn outgoing(&self) -> &Outgoing<Out> {
        &self.outgoing
    }

    /// Queues a message: see [`Peer::send`].
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// # async fn example(peer: &TypedPeer<String>) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.send("hello".to_owned())?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Peer::send`].
    pub fn send(&self, message: Out) -> Result<Sent, SendError> {
        self.peer.send(self.encode(&message)?)
    }

    /// As [`send`](Self::send), with options.
    ///
    /// # Errors
    /// As [`Peer::send`].
    pub fn send_with(&self, message: Out, options: SendOptions) -> Result<Sent, SendError> {
        self.peer.send_with(self.encode(&message)?, options)
    }

    fn encode(&self, message: &Out) -> Result<crossws_core::Message, EncodeError> {
        let format = self.outgoing.index(self.peer.protocol());
        self.outgoing.encode(format, message)
    }

    /// Sends a message to every subscriber of a topic in this namespace except this peer: see
    /// [`Peer::publish`].
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// # async fn example(peer: &TypedPeer<String>) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.publish("news", "hello".to_owned())?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Peer::publish`].
    pub fn publish(&self, topic: impl AsRef<str>, message: Out) -> Result<Published, PublishError> {
        self.to(topic.as_ref()).send(message)
    }

    /// Sends a message to every peer of this namespace except this one: see [`Peer::broadcast`].
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// # async fn example(peer: &TypedPeer<String>) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.broadcast("hello".to_owned())?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Peer::broadcast`].
    pub fn broadcast(&self, message: Out) -> Result<Published, PublishError> {
        self.to_all().send(message)
    }

    /// Returns the peers of this namespace, this one included while it is connected: see
    /// [`Peer::peers`].
    pub fn peers(&self) -> Vec<Self> {
        let peers = self.peer.peers();
        peers
            .iter()
            .map(|peer| Self::new(peer, &self.outgoing))
            .collect()
    }

    /// Runs a future as part of this connection: see [`Peer::spawn`].
    pub fn spawn<F>(&self, future: F)
    where
        F: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        self.peer.spawn(future);
    }

    /// Waits until the connection is ending: see [`Peer::closed`].
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the connection.
    pub async fn closed(&self) {
        self.peer.closed().await;
    }

    /// Waits until at most `threshold` bytes are queued: see [`Peer::drained`].
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the queue.
    pub async fn drained(&self, threshold: usize) {
        self.peer.drained(threshold).await;
    }

    /// Returns the value of this type that a layer has attached: see [`Peer::attached`].
    ///
    /// # Errors
    /// As [`Peer::attached`].
    pub fn attached<T: MaybeSend + MaybeSync + 'static>(&self) -> Result<Arc<T>, NotAttached> {
        self.peer.attached()
    }

    /// Returns the peer's context: see [`Peer::context`].
    ///
    /// # Errors
    /// As [`Peer::context`].
    pub fn context<T: PeerContext>(&self) -> Result<Arc<T>, ContextError> {
        self.peer.context()
    }

    /// Replaces the peer's context: see [`Peer::set_context`].
    ///
    /// # Errors
    /// As [`Peer::set_context`].
    pub fn set_context<T: PeerContext>(&self, context: T) -> Result<(), ContextError> {
        self.peer.set_context(context)
    }

    /// Returns the parameters of the path as a type: see [`PeerExt::path`].
    ///
    /// # Errors
    /// As [`PeerExt::path`].
    pub fn path<T: DeserializeOwned>(&self) -> Result<T, PathError> {
        PeerExt::path(&self.peer)
    }

    /// Returns the query as a type: see [`PeerExt::query`].
    ///
    /// # Errors
    /// As [`PeerExt::query`].
    pub fn query<T: DeserializeOwned>(&self) -> Result<T, QueryError> {
        PeerExt::query(&self.peer)
    }
}

macro_rules! forward {
    ($($(#[doc = $doc:literal])+ $name:ident($($argument:ident: $of:ty),*) -> $type:ty;)+) => {
        impl<Out: 'static> TypedPeer<Out> {$(
            $(#[doc = $doc])+
            pub fn $name(&self, $($argument: $of),*) -> $type {
                self.peer.$name($($argument),*)
            }
        )+}
    };
}

forward! {
    /// Returns the peer's id on its hub.
    id() -> PeerId;
    /// Returns the namespace whose topics and peers this peer can reach.
    namespace() -> &str;
    /// Returns the request that asked for this connection: see [`Peer::request`].
    request() -> &UpgradeRequest;
    /// Returns the hub of this peer.
    hub() -> &Hub;
    /// Returns the negotiated subprotocol, if there is one.
    protocol() -> Option<&str>;
    /// Returns the peer's topics, sorted by name.
    topics() -> Vec<Arc<str>>;
    /// Returns the state of the connection.
    state() -> PeerState;
    /// Returns the volatile values of this connection: see [`Peer::extensions`].
    extensions() -> &Extensions;
    /// Returns the connection's identity, if it was set: see [`Peer::identity`].
    identity() -> Option<Arc<str>>;
    /// Returns the client's address, if the platform knows it.
    remote_addr() -> Option<SocketAddr>;
    /// Returns how many bytes are queued for this peer and not yet handed to the platform.
    buffered_amount() -> usize;
    /// Returns whether the client takes less than it is sent: see [`Peer::is_behind`].
    is_behind() -> bool;
    /// Drops the connection at once: see [`Peer::terminate`].
    terminate() -> ();
    /// Subscribes to a topic: see [`Peer::subscribe`].
    ///
    /// # Errors
    /// As [`Peer::subscribe`].
    subscribe(topic: impl AsRef<str>) -> Result<bool, SubscribeError>;
    /// Ends a subscription: see [`Peer::unsubscribe`].
    unsubscribe(topic: impl AsRef<str>) -> bool;
    /// Returns whether the peer is subscribed to a topic.
    is_subscribed(topic: impl AsRef<str>) -> bool;
    /// Closes the connection: see [`Peer::close`].
    close(code: CloseCode, reason: impl Into<Utf8Bytes>) -> ();
    /// Sets the timer of this name, after which the [`timer`](crate::Typed::timer) hook runs: see
    /// [`Peer::set_timer`].
    ///
    /// # Errors
    /// As [`Peer::set_timer`].
    set_timer(name: impl AsRef<str>, duration: Duration) -> Result<(), TimerError>;
    /// Clears the timer of this name, and returns whether there was one: see [`Peer::clear_timer`].
    clear_timer(name: impl AsRef<str>) -> bool;
}

impl<Out: 'static> Clone for TypedPeer<Out> {
    fn clone(&self) -> Self {
        Self::new(&self.peer, &self.outgoing)
    }
}

/// Writes the id.
impl<Out> fmt::Display for TypedPeer<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peer.fmt(f)
    }
}

crossws_core::opaque_debug!([Out] TypedPeer<Out>, self => (self.peer));

/// Two handles are equal if they belong to the same connection.
impl<Out> PartialEq for TypedPeer<Out> {
    fn eq(&self, other: &Self) -> bool {
        self.peer == other.peer
    }
}

impl<Out> Eq for TypedPeer<Out> {}

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crossws_core::{
    CloseCode, ContextError, EncodeError, Extensions, HookOutput, Hub, MaybeSend, MaybeSync,
    NotAttached, Peer, PeerContext, PeerId, PeerState, PublishError, Published, SendError,
    SendOptions, Sent, SubscribeError, Topics, UpgradeRequest, Utf8Bytes,
};
use serde::de::DeserializeOwned;

use crate::messages::outgoing::Outgoing;
use crate::messages::to::Target;
use crate::{PathError, PeerExt, QueryError, TypedTo};

/// A [`Peer`] that sends and publishes nothing but `Out`, in the format of each client. A cheap
/// handle, as the peer is.
///
/// What is not here is what the [untyped](Self::untyped) peer does.
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
/// Topics are the [`Peer`]'s. Only where a route has
/// [several formats](crate::TypedHooks::protocol) there is a topic for each, because a publication is
/// the same bytes for all who get it: subscribe, publish and broadcast with this handle there.
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

    /// The peer that sends anything.
    pub fn untyped(&self) -> &Peer {
        &self.peer
    }

    pub(super) fn outgoing(&self) -> &Outgoing<Out> {
        &self.outgoing
    }

    /// Which of the route's formats the client reads.
    pub(super) fn format(&self) -> usize {
        self.outgoing.index(self.peer.protocol())
    }

    /// Queues a message: see [`Peer::send`].
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
        self.outgoing.encode(self.format(), message)
    }

    /// Sends a message to every subscriber of a topic in this namespace except this peer: see
    /// [`Peer::publish`].
    ///
    /// # Errors
    /// As [`Peer::publish`].
    pub fn publish(&self, topic: impl AsRef<str>, message: Out) -> Result<Published, PublishError> {
        self.to(topic.as_ref()).send(message)
    }

    /// Sends a message to every peer of this namespace except this one: see [`Peer::broadcast`].
    ///
    /// # Errors
    /// As [`Peer::broadcast`].
    pub fn broadcast(&self, message: Out) -> Result<Published, PublishError> {
        self.to_all().send(message)
    }

    /// A message to every subscriber of a topic, or of any of several, once each, except this peer
    /// unless [`including_self`](TypedTo::including_self) says so: see [`Peer::to`].
    pub fn to<'a>(&'a self, topics: impl Into<Topics<'a>>) -> TypedTo<'a, Out> {
        TypedTo::new(self, Target::Topics(topics.into()))
    }

    /// A message to every subscriber of any topic of this peer: see [`Peer::to_own_topics`].
    pub fn to_own_topics(&self) -> TypedTo<'_, Out> {
        TypedTo::new(self, Target::Own)
    }

    /// A message to every peer of this namespace: see [`Peer::to_all`].
    pub fn to_all(&self) -> TypedTo<'_, Out> {
        TypedTo::new(self, Target::Everyone)
    }

    /// The topic of this name for clients of this one's format.
    fn topic<'t>(&self, topic: &'t str) -> Cow<'t, str> {
        self.outgoing.topic(self.format(), topic)
    }

    /// Subscribes to a topic: see [`Peer::subscribe`].
    ///
    /// # Errors
    /// As [`Peer::subscribe`].
    pub fn subscribe(&self, topic: impl AsRef<str>) -> Result<bool, SubscribeError> {
        self.peer.subscribe(self.topic(topic.as_ref()))
    }

    /// Ends a subscription: see [`Peer::unsubscribe`].
    pub fn unsubscribe(&self, topic: impl AsRef<str>) -> bool {
        self.peer.unsubscribe(self.topic(topic.as_ref()))
    }

    /// Returns whether the peer is subscribed to a topic.
    pub fn is_subscribed(&self, topic: impl AsRef<str>) -> bool {
        self.peer.is_subscribed(self.topic(topic.as_ref()))
    }

    /// The peer's topics, sorted by name.
    pub fn topics(&self) -> Vec<Arc<str>> {
        let topics = self.peer.topics();
        if !self.outgoing.is_mixed() {
            return topics;
        }
        let format = self.format();
        let name = |topic: Arc<str>| Some(self.outgoing.name(format, &topic)?.into());
        topics.into_iter().filter_map(name).collect()
    }

    /// The peers of this namespace, this one included while it is connected: see [`Peer::peers`].
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

    /// Closes the connection: see [`Peer::close`].
    pub fn close(&self, code: CloseCode, reason: impl Into<Utf8Bytes>) {
        self.peer.close(code, reason);
    }

    /// Waits until the connection is ending: see [`Peer::closed`].
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn closed(&self) {
        self.peer.closed().await;
    }

    /// Waits until at most `threshold` bytes are queued: see [`Peer::drained`].
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn drained(&self, threshold: usize) {
        self.peer.drained(threshold).await;
    }

    /// The value of this type that a layer has attached: see [`Peer::attached`].
    ///
    /// # Errors
    /// As [`Peer::attached`].
    pub fn attached<T: MaybeSend + MaybeSync + 'static>(&self) -> Result<Arc<T>, NotAttached> {
        self.peer.attached()
    }

    /// The peer's context: see [`Peer::context`].
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

    /// The parameters of the path as a type: see [`PeerExt::path`].
    ///
    /// # Errors
    /// As [`PeerExt::path`].
    pub fn path<T: DeserializeOwned>(&self) -> Result<T, PathError> {
        PeerExt::path(&self.peer)
    }

    /// The query as a type: see [`PeerExt::query`].
    ///
    /// # Errors
    /// As [`PeerExt::query`].
    pub fn query<T: DeserializeOwned>(&self) -> Result<T, QueryError> {
        PeerExt::query(&self.peer)
    }
}

macro_rules! forward {
    ($($(#[doc = $doc:literal])+ $name:ident -> $type:ty;)+) => {
        impl<Out: 'static> TypedPeer<Out> {$(
            $(#[doc = $doc])+
            pub fn $name(&self) -> $type {
                self.peer.$name()
            }
        )+}
    };
}

forward! {
    /// The peer's name on its hub.
    id -> PeerId;
    /// The namespace whose topics and peers this one can reach.
    namespace -> &str;
    /// The request that asked for this connection: see [`Peer::request`].
    request -> &UpgradeRequest;
    /// The hub this peer is connected to.
    hub -> &Hub;
    /// The subprotocol that was negotiated, if one was.
    protocol -> Option<&str>;
    /// Where the connection is.
    state -> PeerState;
    /// Volatile values of this connection: see [`Peer::extensions`].
    extensions -> &Extensions;
    /// The client's address, where the platform knows it.
    remote_addr -> Option<SocketAddr>;
    /// Bytes queued for this peer and not yet handed to the platform.
    buffered_amount -> usize;
    /// Whether the client takes less than it is sent: see [`Peer::is_behind`].
    is_behind -> bool;
    /// Drops the connection at once: see [`Peer::terminate`].
    terminate -> ();
}

impl<Out: 'static> Clone for TypedPeer<Out> {
    fn clone(&self) -> Self {
        Self::new(&self.peer, &self.outgoing)
    }
}

/// The id.
impl<Out> fmt::Display for TypedPeer<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peer.fmt(f)
    }
}

impl<Out> fmt::Debug for TypedPeer<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedPeer").field(&self.peer).finish()
    }
}

/// Two handles are equal when they are the same connection's.
impl<Out> PartialEq for TypedPeer<Out> {
    fn eq(&self, other: &Self) -> bool {
        self.peer == other.peer
    }
}

impl<Out> Eq for TypedPeer<Out> {}

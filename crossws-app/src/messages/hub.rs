use std::sync::Arc;

use crossws_core::{Hub, PublishError, Published, Topics, opaque_debug};

use crate::codec::Encode;
use crate::codec::json::JsonCodec;
use crate::messages::outgoing::Outgoing;
use crate::messages::peer::TypedPeer;
use crate::messages::typed::Typed;
use crate::messages::typed_hooks::TypedHooks;

/// Typed messages from outside of the hooks, such as from an HTTP handler.
pub trait HubExt {
    /// Returns a handle that publishes only `Out`, as JSON.
    ///
    /// ```
    /// use crossws_app::HubExt;
    /// use crossws_core::{Hub, PublishError};
    ///
    /// #[derive(serde::Serialize)]
    /// #[serde(tag = "type", rename_all = "kebab-case")]
    /// enum ToPlayer {
    ///     Maintenance { minutes: u32 },
    /// }
    ///
    /// fn announce(hub: &Hub) -> Result<usize, PublishError> {
    ///     let players = hub.typed::<ToPlayer>();
    ///     let told = players.route("game", ToPlayer::Maintenance { minutes: 10 })?;
    ///     Ok(told.queued)
    /// }
    /// # assert_eq!(announce(&Hub::default()).unwrap(), 0);
    /// ```
    ///
    /// Where clients of the route choose between formats, ask the hooks for it instead:
    /// [`TypedHooks::publisher`].
    fn typed<Out: 'static>(&self) -> TypedHub<Out>
    where
        JsonCodec: Encode<Out>;
}

impl HubExt for Hub {
    fn typed<Out: 'static>(&self) -> TypedHub<Out>
    where
        JsonCodec: Encode<Out>,
    {
        TypedHub {
            hub: self.clone(),
            outgoing: Arc::new(Outgoing::new(Arc::new(JsonCodec))),
        }
    }
}

impl<T: Typed> TypedHooks<T> {
    /// Returns a handle that publishes from outside as these hooks do: in the format of each
    /// client, and through [`outgoing`](Self::outgoing). Call it after the formats are added, and
    /// before the hooks are given to a router.
    pub fn publisher(&self, hub: &Hub) -> TypedHub<T::Out> {
        TypedHub {
            hub: hub.clone(),
            outgoing: Arc::clone(self.outgoing_shared()),
        }
    }
}

/// A [`Hub`] handle that publishes only `Out`: see [`HubExt::typed`]. Cheap to clone.
///
/// ```
/// # use crossws_core::*;
/// # use crossws_app::*;
/// fn announce(scores: &TypedHub<(u8, u8)>) -> Result<Published, PublishError> {
///     scores.publish("/match/7", "score", (2, 1))
/// }
/// # assert_eq!(announce(&Hub::default().typed()).unwrap().queued, 0);
/// ```
pub struct TypedHub<Out> {
    hub: Hub,
    outgoing: Arc<Outgoing<Out>>,
}

impl<Out: 'static> TypedHub<Out> {
    /// Returns the untyped hub.
    pub fn untyped(&self) -> &Hub {
        &self.hub
    }

    /// Sends a message to every subscriber of a topic in a namespace, or of any of several, once each: see
    /// [`Scope::topic`](crossws_core::Scope::topic).
    ///
    /// # Errors
    /// As [`Scope::publish`](crossws_core::Scope::publish).
    pub fn publish<'t>(
        &self,
        namespace: &str,
        topics: impl Into<Topics<'t>>,
        message: Out,
    ) -> Result<Published, PublishError> {
        // Borrowed anew: `Topics` of another lifetime must not make the handle live as long.
        let named = topics.into();
        let topics: Topics<'_> = named.names().collect();
        let to = self.hub.in_namespace(namespace).topic(topics);
        self.outgoing.publish(to, &message)
    }

    /// Sends a message to every peer of a namespace: see [`Scope::broadcast`](crossws_core::Scope::broadcast).
    ///
    /// # Errors
    /// As [`Scope::broadcast`](crossws_core::Scope::broadcast).
    pub fn broadcast(&self, namespace: &str, message: Out) -> Result<Published, PublishError> {
        let to = self.hub.in_namespace(namespace).all();
        self.outgoing.publish(to, &message)
    }

    /// Sends a message to every connection of a route: see [`Hub::route`].
    ///
    /// # Errors
    /// As [`Group::send`](crossws_core::Group::send).
    pub fn route(&self, route: &str, message: Out) -> Result<Published, PublishError> {
        self.outgoing.send_to(self.hub.route(route), &message)
    }

    /// Sends a message to every connection of an identity: see [`Hub::identity`]. Those on other routes get
    /// it too, in the format that this handle has for their subprotocol, or in its first.
    ///
    /// # Errors
    /// As [`Group::send`](crossws_core::Group::send).
    pub fn identity(&self, identity: &str, message: Out) -> Result<Published, PublishError> {
        self.outgoing.send_to(self.hub.identity(identity), &message)
    }

    /// Returns the peer with this id, as a handle that sends only `Out`.
    pub fn peer(&self, id: crossws_core::PeerId) -> Option<TypedPeer<Out>> {
        let peer = self.hub.peer(id)?;
        Some(TypedPeer::new(&peer, &self.outgoing))
    }
}

impl<Out> Clone for TypedHub<Out> {
    fn clone(&self) -> Self {
        Self {
            hub: self.hub.clone(),
            outgoing: Arc::clone(&self.outgoing),
        }
    }
}

opaque_debug!(TypedHub<Out>);

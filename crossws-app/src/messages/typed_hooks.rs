use std::sync::Arc;

use crossws_core::{
    BoxError, HookResult, Hooks, Hub, MaybeSend, MaybeSync, Message, Peer, Rejection, Upgrade,
    UpgradeRequest, hook_table, opaque_debug,
};

use crate::codec::json::JsonCodec;
use crate::codec::limits::DecodeLimits;
use crate::codec::{Decode, Encode};
use crate::messages::malformed::OnMalformed;
use crate::messages::outgoing::Outgoing;
use crate::messages::peer::TypedPeer;
use crate::messages::reader::Reader;
use crate::messages::transform::any_transform;
use crate::messages::typed::Typed;

/// Turns a [`Typed`] application whose messages are JSON into hooks.
///
/// By default a malformed message closes the connection with 1007
/// ([`on_malformed`](TypedHooks::on_malformed)), and [`DecodeLimits`] bound a message's content.
pub fn typed<T: Typed>(app: T) -> TypedHooks<T>
where
    JsonCodec: Decode<T::In> + Encode<T::Out>,
{
    typed_as(JsonCodec, app)
}

/// Turns a [`Typed`] application whose messages are in this codec into hooks:
/// [`AutoCodec`](crate::AutoCodec),
#[cfg_attr(
    all(feature = "cbor", feature = "message-pack"),
    doc = "[`MessagePackCodec`](crate::MessagePackCodec), [`CborCodec`](crate::CborCodec),"
)]
/// or one of the application's own.
pub fn typed_as<C, T>(codec: C, app: T) -> TypedHooks<T>
where
    T: Typed,
    C: Decode<T::In> + Encode<T::Out>,
{
    let codec = Arc::new(codec);
    TypedHooks {
        app,
        #[cfg(feature = "schema")]
        is_json: std::any::TypeId::of::<C>() == std::any::TypeId::of::<JsonCodec>(),
        reader: Reader::new(Arc::clone(&codec) as _),
        outgoing: Arc::new(Outgoing::new(codec)),
    }
}

/// See [`typed`].
#[must_use = "hooks do nothing until a server runs them"]
pub struct TypedHooks<T: Typed> {
    app: T,
    /// Whether the first format is JSON, of which schemas tell.
    #[cfg(feature = "schema")]
    is_json: bool,
    /// It has the formats of `outgoing`, in the same order.
    reader: Reader<T::In>,
    outgoing: Arc<Outgoing<T::Out>>,
}

impl<T: Typed> TypedHooks<T> {
    /// Adds a format that clients choose by this subprotocol. Clients with none of these
    /// subprotocols have the format of [`typed`] or [`typed_as`].
    ///
    /// Of the subprotocols that the client offers, the first that was added is negotiated, unless
    /// the `upgrade` hook names one. With several formats, publish with [`TypedPeer`]s, or with a
    /// [`publisher`](Self::publisher): an untyped publication reaches every client as it is. Publishing
    /// takes as long as sending to each recipient.
    ///
    /// ```
    /// # #[cfg(all(feature = "cbor", feature = "message-pack"))] {
    /// # use crossws_app::{Typed, TypedPeer};
    /// # use crossws_core::HookResult;
    /// # struct Game;
    /// # impl Typed for Game {
    /// #     type In = u8; type Out = u8;
    /// #     async fn message(&self, _: &TypedPeer<u8>, _: u8) -> HookResult { Ok(()) }
    /// # }
    /// use crossws_app::{CborCodec, MessagePackCodec, typed};
    ///
    /// let app = typed(Game)
    ///     .protocol("game.msgpack", MessagePackCodec)
    ///     .protocol("game.cbor", CborCodec);
    /// # }
    /// ```
    pub fn protocol<C>(mut self, name: impl Into<Arc<str>>, codec: C) -> Self
    where
        C: Decode<T::In> + Encode<T::Out>,
    {
        let codec = Arc::new(codec);
        self.reader.add(Arc::clone(&codec) as _);
        self.outgoing_mut(|outgoing| outgoing.add(name.into(), codec));
        self
    }

    /// Runs a function on each message before it is decoded. A message that it refuses is
    /// [`Malformed::Transform`](crate::Malformed::Transform).
    pub fn incoming<F, E>(mut self, transform: F) -> Self
    where
        F: Fn(Message) -> Result<Message, E> + MaybeSend + MaybeSync + 'static,
        E: Into<BoxError> + 'static,
    {
        self.reader.transform = Some(any_transform(transform));
        self
    }

    /// Runs a function on each encoded message before it is sent. A message that it refuses is not
    /// sent, and the call that sends it fails with [`EncodeError`](crossws_core::EncodeError).
    pub fn outgoing<F, E>(mut self, transform: F) -> Self
    where
        F: Fn(Message) -> Result<Message, E> + MaybeSend + MaybeSync + 'static,
        E: Into<BoxError> + 'static,
    {
        let transform = any_transform(transform);
        self.outgoing_mut(|outgoing| outgoing.transform = Some(transform));
        self
    }

    /// Runs a function on each decoded message. A message that it refuses is
    /// [`Malformed::Invalid`](crate::Malformed::Invalid), and does not reach the `message` hook.
    pub fn validate<F, E>(mut self, validate: F) -> Self
    where
        F: Fn(&T::In) -> Result<(), E> + MaybeSend + MaybeSync + 'static,
        E: Into<BoxError> + 'static,
    {
        self.reader.set_validate(validate);
        self
    }

    /// Sets what happens to a client whose message is malformed; by default it is closed with 1007.
    pub fn on_malformed(mut self, policy: OnMalformed) -> Self {
        self.reader.on_malformed = policy;
        self
    }

    /// Sets the limits of a message's content.
    pub fn decode_limits(mut self, limits: DecodeLimits) -> Self {
        self.reader.limits = limits;
        self
    }

    /// Returns the route of these hooks, which names the types of its messages in
    /// [`Router::describe`](crate::Router::describe). The types implement `schemars::JsonSchema`, whose
    /// derive reads serde's attributes. A codec other than [`JsonCodec`] leaves the messages unknown.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// use schemars::JsonSchema;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Deserialize, JsonSchema)]
    /// #[serde(tag = "type", rename_all = "kebab-case")]
    /// enum FromPlayer {
    ///     Move { to: (u8, u8) },
    ///     GiveUp,
    /// }
    ///
    /// #[derive(Serialize, JsonSchema)]
    /// #[serde(tag = "type", rename_all = "kebab-case")]
    /// enum ToPlayer {
    ///     Moved { to: (u8, u8) },
    /// }
    ///
    /// let game = messages().on_message(|peer: TypedPeer<ToPlayer>, message| async move {
    ///     if let FromPlayer::Move { to } = message {
    ///         peer.send(ToPlayer::Moved { to })?;
    ///     }
    ///     ok()
    /// });
    /// let app = Router::new().route("/game", typed(game).described().topic("lobby"));
    /// assert!(app.describe()?.definitions.contains_key("FromPlayer"));
    /// # Ok::<_, RouterError>(())
    /// ```
    #[cfg(feature = "schema")]
    pub fn described(self) -> crate::RouteBuilder
    where
        T::In: schemars::JsonSchema,
        T::Out: schemars::JsonSchema,
    {
        let (is_json, policy) = (self.is_json, self.reader.on_malformed);
        let route = crate::route(self);
        if !is_json {
            return route;
        }
        let route = route.receives::<T::In>().sends::<T::Out>();
        match policy {
            OnMalformed::Reply => route.tell(|about| about.reports_errors = true),
            _ => route,
        }
    }

    fn outgoing_mut(&mut self, change: impl FnOnce(&mut Outgoing<T::Out>)) {
        // An existing publisher keeps its formats.
        change(Arc::make_mut(&mut self.outgoing));
    }

    pub(super) fn outgoing_shared(&self) -> &Arc<Outgoing<T::Out>> {
        &self.outgoing
    }

    fn peer(&self, peer: &Peer) -> TypedPeer<T::Out> {
        TypedPeer::new(peer, &self.outgoing)
    }
}

/// The hooks that run those of the application, with a typed peer.
macro_rules! typed_hooks {
    ({} $($kind:ident $name:ident $name_dyn:ident $setter:ident $arguments:tt as $given:tt -> $output:ty;)*) => {
        $(typed_hooks!(@ $name $arguments $output);)*
    };
    (@ upgrade $($row:tt)*) => {};
    (@ open $($row:tt)*) => {};
    (@ message $($row:tt)*) => {};
    (@ start $($row:tt)*) => {
        async fn start(&self, hub: &Hub) -> HookResult {
            self.app.start(hub).await
        }
    };
    (@ $name:ident (&$peer:ident: $peer_type:ty $(, &$lent:ident: $lent_type:ty)? $(; $own:ident: $own_type:ty)?) $output:ty) => {
        async fn $name(
            &self,
            $peer: &$peer_type
            $(, $lent: &$lent_type)?
            $(, $own: $own_type)?
        ) -> $output {
            self.app.$name(&self.peer($peer) $(, $lent)? $(, $own)?).await
        }
    };
}

impl<T: Typed> Hooks for TypedHooks<T> {
    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        let upgrade = self.app.upgrade(request).await?;
        let offered = |name: &&str| request.protocols().any(|offered| offered == *name);
        let Some(name) = self.outgoing.protocols().find(offered) else {
            return Ok(upgrade);
        };
        Ok(upgrade.inherit(Upgrade::new().protocol(name)))
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        self.app.open(&self.peer(peer)).await
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        let format = self.outgoing.index(peer.protocol());
        match self.reader.read(format, message) {
            Ok(value) => self.app.message(&self.peer(peer), value).await,
            Err(malformed) => {
                let outgoing = |message| self.outgoing.transformed(message);
                self.reader.refuse(peer, format, malformed, outgoing)
            }
        }
    }

    hook_table!(typed_hooks, Peer, Message,);
}

opaque_debug!([T: Typed] TypedHooks<T>, self =>
    limits: self.reader.limits,
    on_malformed: self.reader.on_malformed,
);

pub(crate) mod command;

use std::sync::Arc;

use crossws_core::{
    CloseFrame, ContextError, DecodeError, IntoMessage, Message, Peer, PeerId, PublishError,
    Published, SendOptions, Topics,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use worker::js_sys::{ArrayBuffer, Uint8Array};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::JsFuture;

use crate::error::Error;
use crate::objects::internal::Address;
use crate::objects::ticket::{COMMAND, ascii};
use crate::room::command::{Action, Command, Delivery, Frame, Recipients, Told};

/// The peers of one namespace, or of one whole object, as a Worker reaches them. Every call goes to
/// the object, and wakes it if it sleeps.
///
/// ```no_run
/// use crossws_core::CloseCode;
/// use crossws_worker::{Objects, Room};
///
/// async fn end(rooms: &Objects, room: &str) -> Result<usize, crossws_worker::Error> {
///     let room: Room = rooms.in_namespace(room)?;
///     let told = room.publish("talk", "this room closes").await?;
///     room.close_all(CloseCode::NORMAL).await?;
///     Ok(told.queued)
/// }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Room {
    object: Address,
    all: Recipients,
}

/// A peer in an object, as a Worker sees it.
///
/// ```no_run
/// use crossws_worker::{Error, Objects, PeerInfo};
///
/// async fn who(rooms: &Objects) -> Result<Vec<String>, Error> {
///     let peers: Vec<PeerInfo> = rooms.in_namespace("/rooms/1")?.peers().await?;
///     Ok(peers.iter().map(|peer| peer.id.to_string()).collect())
/// }
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PeerInfo {
    /// The peer's id.
    pub id: PeerId,
    /// Its namespace.
    pub namespace: String,
    /// Its topics, sorted by name.
    pub topics: Vec<String>,
    /// Its identity, if it has one.
    #[serde(default)]
    pub identity: Option<String>,
    /// Its tags, sorted by name.
    #[serde(default)]
    pub tags: Vec<String>,
    context: Option<serde_json::Value>,
}

impl PeerInfo {
    /// Decodes its context as this type.
    ///
    /// # Errors
    /// [`ContextError::Missing`] if it has none, [`ContextError::Decode`] if it has another type.
    pub fn context<T: DeserializeOwned>(&self) -> Result<T, ContextError> {
        let context = self.context.as_ref().ok_or(ContextError::Missing)?;
        Ok(T::deserialize(context).map_err(DecodeError::new)?)
    }

    pub(crate) fn of(peer: &Peer) -> Self {
        let owned = |name: &Arc<str>| (**name).to_owned();
        Self {
            identity: peer.identity().as_ref().map(owned),
            tags: peer.tags().iter().map(owned).collect(),
            id: peer.id(),
            namespace: peer.namespace().to_owned(),
            topics: peer.topics().iter().map(owned).collect(),
            context: peer.context_as().ok(),
        }
    }
}

impl Room {
    /// Returns the peers of a namespace, or of the whole object.
    pub(crate) fn new(object: Address, namespace: Option<String>) -> Self {
        let all = namespace.map_or(Recipients::Everyone, Recipients::Namespace);
        Self { object, all }
    }

    /// Sends a message to every subscriber of a topic, once each.
    ///
    /// # Errors
    /// When the value cannot be encoded as JSON, or the object cannot be reached.
    pub async fn publish(
        &self,
        topic: impl Into<String>,
        message: impl IntoMessage,
    ) -> Result<Published, Error> {
        self.to([topic.into()]).send(message).await
    }

    /// Sends a message to every peer, once each.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub async fn broadcast(&self, message: impl IntoMessage) -> Result<Published, Error> {
        self.to_all().send(message).await
    }

    /// Prepares a message to every subscriber of a topic, or of any of several, once each. Options
    /// and exceptions are set before [`send`](ToRoom::send). In the object it works as
    /// [`Scope::topic`](crossws_core::Scope::topic).
    pub fn to<'a>(&self, topics: impl Into<Topics<'a>>) -> ToRoom<'_> {
        ToRoom::new(self, Some(names(&topics.into())))
    }

    /// Prepares a message to every peer, as [`to`](Self::to).
    pub fn to_all(&self) -> ToRoom<'_> {
        ToRoom::new(self, None)
    }

    /// Returns the peers.
    ///
    /// # Errors
    /// When the object cannot be reached.
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, Error> {
        self.ask(self.all.clone(), Action::Peers, None).await
    }

    /// Returns the topics with subscribers, sorted by name.
    ///
    /// # Errors
    /// When the object cannot be reached.
    pub async fn topics(&self) -> Result<Vec<String>, Error> {
        self.ask(self.all.clone(), Action::Topics, None).await
    }

    /// Returns how many peers are subscribed to a topic.
    ///
    /// # Errors
    /// When the object cannot be reached.
    pub async fn count(&self, topic: impl Into<String>) -> Result<usize, Error> {
        let count = Action::Count(Some(topic.into()));
        self.ask(self.all.clone(), count, None).await
    }

    /// Forgets the message that a topic retains. Returns in how many namespaces there was one.
    ///
    /// # Errors
    /// When the object cannot be reached.
    pub async fn clear_retained(&self, topic: impl Into<String>) -> Result<usize, Error> {
        let clear = Action::ClearRetained(topic.into());
        self.ask(self.all.clone(), clear, None).await
    }

    /// Closes every peer with this frame.
    ///
    /// # Errors
    /// When the object cannot be reached.
    pub async fn close_all(&self, frame: impl Into<CloseFrame>) -> Result<(), Error> {
        let close = Action::Close(Frame::new(&frame.into()));
        self.ask(self.all.clone(), close, None).await
    }

    /// Sends a message to one peer of the object. Returns whether the peer existed and took it.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub async fn send(&self, id: PeerId, message: impl IntoMessage) -> Result<bool, Error> {
        let message = message.into_message().map_err(PublishError::from)?;
        let send = Action::Send(Delivery::of(&message));
        self.ask(Recipients::Peer(id), send, Some(&message)).await
    }

    /// Closes one peer of the object. Returns whether the peer existed.
    ///
    /// # Errors
    /// When the object cannot be reached.
    pub async fn close(&self, id: PeerId, frame: impl Into<CloseFrame>) -> Result<bool, Error> {
        let close = Action::Close(Frame::new(&frame.into()));
        self.ask(Recipients::Peer(id), close, None).await
    }

    /// Returns the connections of a route in this object: see [`Hub::route`](crossws_core::Hub::route). The
    /// namespace of this room does not matter.
    pub fn route(self, route: impl Into<String>) -> RoomGroup {
        self.group(Recipients::Route(route.into()))
    }

    /// Returns the connections of an identity in this object, as [`route`](Self::route).
    pub fn identity(self, identity: impl Into<String>) -> RoomGroup {
        self.group(Recipients::Identity(identity.into()))
    }

    /// Returns the connections with a tag in this object, as [`route`](Self::route).
    pub fn tagged(self, tag: impl Into<String>) -> RoomGroup {
        self.group(Recipients::Tag(tag.into()))
    }

    fn group(self, all: Recipients) -> RoomGroup {
        RoomGroup(Self { all, ..self })
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        to: Recipients,
        act: Action,
        message: Option<&Message>,
    ) -> Result<T, Error> {
        let command = serde_json::to_string(&Command { to, act }).map_err(unreadable)?;
        let message = message.map(|message| Uint8Array::from(&message.as_bytes()[..]).into());
        let (status, body) = self.tell(&ascii(&command), message).await?;
        match status {
            200 => serde_json::from_slice(&body).map_err(unreadable),
            status => Err(Error::Object {
                status,
                text: String::from_utf8_lossy(&body).into_owned(),
            }),
        }
    }

    /// Sends a command, and returns the object's response.
    async fn tell(&self, command: &str, message: Option<JsValue>) -> Result<(u16, Vec<u8>), Error> {
        let answer = (self.object)
            .fetch("POST", &[(COMMAND, command)], message.as_ref())
            .await?;
        let body: ArrayBuffer = JsFuture::from(answer.array_buffer()?).await?.dyn_into()?;
        Ok((answer.status(), Uint8Array::new(&body).to_vec()))
    }
}

/// The connections of a route, of an identity or with a tag in one object, as a Worker reaches them: see
/// [`Objects::route`](crate::Objects::route). Every call goes to the object and wakes it if it sleeps.
///
/// ```no_run
/// use crossws_worker::{Error, Objects, RoomGroup};
///
/// /// Where one object holds all connections: `Shard::One`.
/// async fn tell(rooms: &Objects, user: &str) -> Result<usize, Error> {
///     let group: RoomGroup = rooms.identity(user)?;
///     Ok(group.send("you have mail").await?.queued)
/// }
/// ```
#[derive(Debug)]
#[must_use]
pub struct RoomGroup(Room);

impl RoomGroup {
    /// Sends a message to every connection, once each.
    ///
    /// # Errors
    /// When the value cannot be encoded, or the object cannot be reached.
    pub async fn send(&self, message: impl IntoMessage) -> Result<Published, Error> {
        self.0.broadcast(message).await
    }

    /// Returns the peers.
    ///
    /// # Errors
    /// When the object cannot be reached.
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, Error> {
        self.0.peers().await
    }

    /// Returns the number of connections.
    ///
    /// # Errors
    /// When the object cannot be reached.
    pub async fn peer_count(&self) -> Result<usize, Error> {
        let Room { all, .. } = &self.0;
        self.0.ask(all.clone(), Action::Count(None), None).await
    }

    /// Closes every connection with this frame.
    ///
    /// # Errors
    /// When the object cannot be reached.
    pub async fn close_all(&self, frame: impl Into<CloseFrame>) -> Result<(), Error> {
        self.0.close_all(frame).await
    }
}

fn names(topics: &Topics<'_>) -> Vec<String> {
    topics.names().map(str::to_owned).collect()
}

/// A message to many peers of an object, before it is sent. Created by [`Room::to`] and
/// [`Room::to_all`].
///
/// ```no_run
/// use crossws_worker::{Error, Objects, ToRoom};
///
/// async fn tell(rooms: &Objects) -> Result<usize, Error> {
///     let board = rooms.in_namespace("/boards/7")?;
///     let to: ToRoom<'_> = board.to(["red", "blue"]).except("muted");
///     Ok(to.send("a move").await?.queued)
/// }
/// ```
#[derive(Debug)]
#[must_use = "nothing is sent until `send`"]
pub struct ToRoom<'a> {
    room: &'a Room,
    topics: Option<Vec<String>>,
    except: Vec<String>,
    retained: bool,
    options: SendOptions,
}

impl<'a> ToRoom<'a> {
    fn new(room: &'a Room, topics: Option<Vec<String>>) -> Self {
        Self {
            room,
            topics,
            except: Vec::new(),
            retained: false,
            options: SendOptions::new(),
        }
    }

    /// Excludes the subscribers of these topics, in addition to earlier exclusions.
    pub fn except<'t>(mut self, topics: impl Into<Topics<'t>>) -> Self {
        self.except.extend(names(&topics.into()));
        self
    }

    /// Retains the message for later subscribers, until [`Room::clear_retained`] forgets it: see
    /// [`To::retained`](crossws_core::To::retained). The object needs
    /// [`Options::retained`](crate::Options::retained).
    pub fn retained(mut self) -> Self {
        self.retained = true;
        self
    }

    crossws_core::send_setters!(options);

    /// Sends with these options, replacing those that were set before.
    pub fn options(mut self, options: SendOptions) -> Self {
        self.options = options;
        self
    }

    /// Sends the message, to each recipient once.
    ///
    /// # Errors
    /// When the value cannot be encoded as JSON, or the object cannot be reached.
    pub async fn send(self, message: impl IntoMessage) -> Result<Published, Error> {
        let message = message.into_message().map_err(PublishError::from)?;
        let send = Delivery {
            topics: self.topics,
            except: self.except,
            volatile: self.options.is_volatile(),
            retained: self.retained,
            key: self.options.replaces().map(|key| String::from(&**key)),
            ..Delivery::of(&message)
        };
        let (to, send) = (self.room.all.clone(), Action::Send(send));
        let Told { queued, dropped } = self.room.ask(to, send, Some(&message)).await?;
        Ok(Published::new(queued, dropped))
    }
}

/// Returns the error of two sides that run different versions.
pub(crate) fn unreadable(error: serde_json::Error) -> Error {
    Error::Answer(DecodeError::new(error))
}

pub(crate) mod command;

use std::sync::Arc;

use crossws_core::{
    CloseFrame, ContextError, DecodeError, IntoMessage, Message, Peer, PeerId, PublishError,
    Published, SendOptions, Topics,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use worker::js_sys::Uint8Array;
use worker::{Headers, Method};

use crate::error::Error;
use crate::objects::internal::Address;
use crate::objects::ticket::{COMMAND, ascii};
use crate::room::command::{Command, Told};

/// The peers of one namespace, or of one whole object, as a Worker reaches them. Every call goes
/// to the object and wakes it if it sleeps.
#[derive(Debug)]
#[must_use]
pub struct Room {
    object: Address,
    namespace: Option<String>,
}

/// A peer in an object, as a Worker sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PeerInfo {
    /// The peer's id.
    pub id: PeerId,
    /// Its namespace.
    pub namespace: String,
    /// Its topics, sorted by name.
    pub topics: Vec<String>,
    context: Option<serde_json::Value>,
}

impl PeerInfo {
    /// Reads its context as this type.
    ///
    /// # Errors
    /// [`ContextError::Missing`] if it has none, [`ContextError::Decode`] if it does not fit.
    pub fn context<T: DeserializeOwned>(&self) -> Result<T, ContextError> {
        let context = self.context.as_ref().ok_or(ContextError::Missing)?;
        Ok(T::deserialize(context).map_err(DecodeError::new)?)
    }

    pub(crate) fn of(peer: &Peer) -> Self {
        Self {
            id: peer.id(),
            namespace: peer.namespace().to_owned(),
            topics: peer
                .topics()
                .iter()
                .map(|topic| (**topic).to_owned())
                .collect(),
            context: peer.context_as().ok(),
        }
    }
}

impl Room {
    pub(crate) fn new(object: Address, namespace: Option<String>) -> Self {
        Self { object, namespace }
    }

    /// Sends a message to every subscriber of a topic, once each.
    ///
    /// # Errors
    /// When the value is not JSON, or the object is out of reach.
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

    /// A message to every subscriber of a topic, or of any of several, once each: how it is sent, and
    /// whom it leaves out, is said before [`send`](ToRoom::send). As
    /// [`Scope::topic`](crossws_core::Scope::topic) does it in the object.
    pub fn to<'a>(&self, topics: impl Into<Topics<'a>>) -> ToRoom<'_> {
        ToRoom::new(self, Some(names(&topics.into())))
    }

    /// A message to every peer, as [`to`](Self::to).
    pub fn to_all(&self) -> ToRoom<'_> {
        ToRoom::new(self, None)
    }

    /// The peers.
    ///
    /// # Errors
    /// When the object is out of reach.
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, Error> {
        let namespace = self.namespace.clone();
        self.ask(&Command::Peers { namespace }, None).await
    }

    /// The topics with subscribers, sorted by name.
    ///
    /// # Errors
    /// When the object is out of reach.
    pub async fn topics(&self) -> Result<Vec<String>, Error> {
        let namespace = self.namespace.clone();
        self.ask(&Command::Topics { namespace }, None).await
    }

    /// How many peers are subscribed to a topic.
    ///
    /// # Errors
    /// When the object is out of reach.
    pub async fn count(&self, topic: impl Into<String>) -> Result<usize, Error> {
        let command = Command::Count {
            namespace: self.namespace.clone(),
            topic: topic.into(),
        };
        self.ask(&command, None).await
    }

    /// Closes every peer with this frame.
    ///
    /// # Errors
    /// When the object is out of reach.
    pub async fn close_all(&self, frame: impl Into<CloseFrame>) -> Result<(), Error> {
        let frame = frame.into();
        let command = Command::CloseAll {
            namespace: self.namespace.clone(),
            code: frame.code().get(),
            reason: frame.reason().to_string(),
        };
        self.ask(&command, None).await
    }

    /// Sends a message to one peer of the object. Answers whether it was there to take it.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub async fn send(&self, id: PeerId, message: impl IntoMessage) -> Result<bool, Error> {
        let message = message.into_message().map_err(PublishError::from)?;
        let text = message.is_text();
        self.ask(&Command::Send { id, text }, Some(&message)).await
    }

    /// Closes one peer of the object. Answers whether it was there.
    ///
    /// # Errors
    /// When the object is out of reach.
    pub async fn close(&self, id: PeerId, frame: impl Into<CloseFrame>) -> Result<bool, Error> {
        let frame = frame.into();
        let command = Command::Close {
            id,
            code: frame.code().get(),
            reason: frame.reason().to_string(),
        };
        self.ask(&command, None).await
    }

    /// The connections of a route in this object: see [`Hub::route`](crossws_core::Hub::route). The
    /// namespace of this room does not matter.
    pub fn route(self, route: impl Into<String>) -> RoomRoute {
        RoomRoute {
            room: self,
            route: route.into(),
        }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        command: &Command,
        message: Option<&Message>,
    ) -> Result<T, Error> {
        let headers = Headers::new();
        headers.set(
            COMMAND,
            &ascii(&serde_json::to_string(command).map_err(unreadable)?),
        )?;
        let body = message.map(|message| Uint8Array::from(&message.as_bytes()[..]).into());
        let mut answer = self.object.fetch(Method::Post, headers, body).await?;
        let body = answer.bytes().await?;
        match answer.status_code() {
            200 => serde_json::from_slice(&body).map_err(unreadable),
            status => Err(Error::Object {
                status,
                text: String::from_utf8_lossy(&body).into_owned(),
            }),
        }
    }
}

/// The connections of a route in one object, as a Worker reaches them: see
/// [`Objects::route`](crate::Objects::route). Every call goes to the object and wakes it if it sleeps.
#[derive(Debug)]
#[must_use]
pub struct RoomRoute {
    room: Room,
    route: String,
}

impl RoomRoute {
    /// Sends a message to every connection, once each.
    ///
    /// # Errors
    /// When the value cannot be encoded, or the object is out of reach.
    pub async fn send(&self, message: impl IntoMessage) -> Result<Published, Error> {
        let message = message.into_message().map_err(PublishError::from)?;
        let command = Command::RouteSend {
            route: self.route.clone(),
            text: message.is_text(),
        };
        let Told { queued, dropped } = self.room.ask(&command, Some(&message)).await?;
        Ok(Published::new(queued, dropped))
    }

    /// The peers.
    ///
    /// # Errors
    /// When the object is out of reach.
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, Error> {
        let route = self.route.clone();
        self.room.ask(&Command::RoutePeers { route }, None).await
    }

    /// How many connections there are.
    ///
    /// # Errors
    /// When the object is out of reach.
    pub async fn peer_count(&self) -> Result<usize, Error> {
        let route = self.route.clone();
        self.room.ask(&Command::RouteCount { route }, None).await
    }

    /// Closes every connection with this frame.
    ///
    /// # Errors
    /// When the object is out of reach.
    pub async fn close_all(&self, frame: impl Into<CloseFrame>) -> Result<(), Error> {
        let frame = frame.into();
        let command = Command::RouteClose {
            route: self.route.clone(),
            code: frame.code().get(),
            reason: frame.reason().to_string(),
        };
        self.room.ask(&command, None).await
    }
}

fn names(topics: &Topics<'_>) -> Vec<String> {
    topics.names().map(str::to_owned).collect()
}

/// A message to many peers of an object, before it is sent: made by [`Room::to`] and
/// [`Room::to_all`].
#[derive(Debug)]
#[must_use = "nothing is sent until `send`"]
pub struct ToRoom<'a> {
    room: &'a Room,
    topics: Option<Vec<String>>,
    except: Vec<String>,
    options: SendOptions,
}

impl<'a> ToRoom<'a> {
    fn new(room: &'a Room, topics: Option<Vec<String>>) -> Self {
        Self {
            room,
            topics,
            except: Vec::new(),
            options: SendOptions::new(),
        }
    }

    /// Leaves out the subscribers of these topics, besides those that were left out before.
    pub fn except<'t>(mut self, topics: impl Into<Topics<'t>>) -> Self {
        self.except.extend(names(&topics.into()));
        self
    }

    /// As [`SendOptions::volatile`].
    pub fn volatile(mut self) -> Self {
        self.options = self.options.volatile();
        self
    }

    /// As [`SendOptions::key`].
    pub fn key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.options = self.options.key(key);
        self
    }

    /// Sends with these options, in place of those that were set before.
    pub fn options(mut self, options: SendOptions) -> Self {
        self.options = options;
        self
    }

    /// Sends the message, to each recipient once.
    ///
    /// # Errors
    /// When the value is not JSON, or the object is out of reach.
    pub async fn send(self, message: impl IntoMessage) -> Result<Published, Error> {
        let message = message.into_message().map_err(PublishError::from)?;
        let command = Command::Publish {
            namespace: self.room.namespace.clone(),
            topics: self.topics,
            except: self.except,
            volatile: self.options.is_volatile(),
            key: self.options.replaces().map(|key| String::from(&**key)),
            text: message.is_text(),
        };
        let Told { queued, dropped } = self.room.ask(&command, Some(&message)).await?;
        Ok(Published::new(queued, dropped))
    }
}

/// The two sides do not speak the same version.
pub(crate) fn unreadable(error: serde_json::Error) -> Error {
    Error::Answer(DecodeError::new(error))
}

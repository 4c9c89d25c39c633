use crossws_core::{Filter, PublishError, Published, SendOptions, To, Topics, opaque_debug};

use crate::messages::outgoing::Outgoing;
use crate::messages::peer::TypedPeer;

impl<Out: 'static> TypedPeer<Out> {
    /// Addresses every subscriber of a topic, or of any of several, once each, except this peer
    /// unless [`including_self`](TypedTo::including_self) is called: see [`Peer::to`](crossws_core::Peer::to).
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// # async fn example(peer: &TypedPeer<String>) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.to(["red", "blue"]).including_self().send("hello".to_owned())?;
    /// # Ok(()) }
    /// ```
    pub fn to<'a>(&'a self, topics: impl Into<Topics<'a>>) -> TypedTo<'a, Out> {
        TypedTo::new(self, self.untyped().to(topics))
    }

    /// Addresses every subscriber of any topic of this peer: see [`Peer::to_own_topics`](crossws_core::Peer::to_own_topics).
    pub fn to_own_topics(&self) -> TypedTo<'_, Out> {
        TypedTo::new(self, self.untyped().to_own_topics())
    }

    /// Addresses every peer of this namespace: see [`Peer::to_all`](crossws_core::Peer::to_all).
    pub fn to_all(&self) -> TypedTo<'_, Out> {
        TypedTo::new(self, self.untyped().to_all())
    }
}

/// A typed message to many peers, before it is sent: see [`TypedPeer::to`].
#[must_use = "nothing is sent until `send`"]
pub struct TypedTo<'a, Out> {
    outgoing: &'a Outgoing<Out>,
    to: To<'a>,
    only: Filter<'a>,
    options: SendOptions,
}

impl<'a, Out: 'static> TypedTo<'a, Out> {
    fn new(peer: &'a TypedPeer<Out>, to: To<'a>) -> Self {
        Self {
            outgoing: peer.outgoing(),
            to,
            only: Filter::default(),
            options: SendOptions::new(),
        }
    }

    /// Leaves out the subscribers of these topics: see [`To::except`].
    pub fn except(mut self, topics: impl Into<Topics<'a>>) -> Self {
        self.to = self.to.except(topics);
        self
    }

    /// Sends to this peer too, if it is subscribed: see [`To::including_self`].
    pub fn including_self(mut self) -> Self {
        self.to = self.to.including_self();
        self
    }

    crossws_core::filter_setters!(
        only,
        "fn example(peer: &crossws_app::TypedPeer<String>)",
        "peer.to(\"news\")",
        "\"hello\".to_owned()"
    );

    /// Retains the message for later subscribers, in each format of the route: see [`To::retained`].
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &crossws_app::TypedPeer<String>) -> Result<(), PublishError> {
    /// peer.to("score").including_self().retained().send("2:1".to_owned())?;
    /// # Ok(()) }
    /// ```
    pub fn retained(mut self) -> Self {
        self.to = self.to.retained();
        self
    }

    crossws_core::send_setters!(options);

    /// Sends the message, to each recipient once, in its format. It is encoded once for each format
    /// that the route has.
    ///
    /// # Errors
    /// As [`To::send`].
    pub fn send(self, message: Out) -> Result<Published, PublishError> {
        let to = self.to.filter(self.only).options(self.options);
        self.outgoing.publish(to, &message)
    }
}

opaque_debug!([Out] TypedTo<'_, Out>, self => to: self.to, only: self.only, options: self.options);

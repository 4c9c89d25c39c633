use std::fmt;

use crossws_core::{
    Filter, PublishError, Published, RetainError, SendError, SendOptions, To, Topics,
};

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
        TypedTo::new(self, Target::Topics(topics.into()))
    }

    /// Addresses every subscriber of any topic of this peer: see [`Peer::to_own_topics`](crossws_core::Peer::to_own_topics).
    pub fn to_own_topics(&self) -> TypedTo<'_, Out> {
        TypedTo::new(self, Target::Own)
    }

    /// Addresses every peer of this namespace: see [`Peer::to_all`](crossws_core::Peer::to_all).
    pub fn to_all(&self) -> TypedTo<'_, Out> {
        TypedTo::new(self, Target::Everyone)
    }
}

/// The recipients of a message.
enum Target<'a> {
    /// Every peer of the namespace.
    Everyone,
    /// The subscribers of any topic of the peer.
    Own,
    /// The subscribers of any of these.
    Topics(Topics<'a>),
}

/// A typed message to many peers, before it is sent: see [`TypedPeer::to`].
#[must_use = "nothing is sent until `send`"]
pub struct TypedTo<'a, Out> {
    peer: &'a TypedPeer<Out>,
    target: Target<'a>,
    except: Vec<Topics<'a>>,
    only: Filter<'a>,
    including_self: bool,
    retained: bool,
    options: SendOptions,
}

impl<'a, Out: 'static> TypedTo<'a, Out> {
    fn new(peer: &'a TypedPeer<Out>, target: Target<'a>) -> Self {
        Self {
            peer,
            target,
            except: Vec::new(),
            only: Filter::default(),
            including_self: false,
            retained: false,
            options: SendOptions::new(),
        }
    }

    /// Leaves out the subscribers of these topics: see [`To::except`].
    pub fn except(mut self, topics: impl Into<Topics<'a>>) -> Self {
        self.except.push(topics.into());
        self
    }

    /// Sends to this peer too, if it is subscribed: see [`To::including_self`].
    pub fn including_self(mut self) -> Self {
        self.including_self = true;
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
        self.retained = true;
        self
    }

    crossws_core::send_setters!(options);

    /// Sends the message, to each recipient once, in its format. It is encoded once for each format
    /// that the route has.
    ///
    /// # Errors
    /// As [`To::send`].
    pub fn send(self, message: Out) -> Result<Published, PublishError> {
        let outgoing = self.peer.outgoing();
        let untyped = self.peer.untyped();
        if !outgoing.is_mixed() {
            let to = match &self.target {
                Target::Everyone => untyped.to_all(),
                Target::Own => untyped.to_own_topics(),
                Target::Topics(topics) => untyped.to(topics.clone()),
            };
            let to = self.except.iter().cloned().fold(to, To::except);
            return self.options(to).send(outgoing.encode(0, &message)?);
        }
        let topics = match &self.target {
            Target::Everyone if self.retained => return Err(RetainError::Audience.into()),
            Target::Everyone => return self.send_to_all(&message),
            Target::Own => self.peer.topics().iter().map(ToString::to_string).collect(),
            Target::Topics(topics) => topics.clone(),
        };
        let mut sum = Published::default();
        for format in outgoing.formats() {
            let of_format = |name| outgoing.topic(format, name);
            let to = untyped.to(topics.names().map(of_format).collect::<Topics<'_>>());
            let to = to.except(self.left_out().map(of_format).collect::<Topics<'_>>());
            let published = self.options(to).send(outgoing.encode(format, &message)?)?;
            add(&mut sum, published);
        }
        Ok(sum)
    }

    /// Returns the topics whose subscribers are excluded.
    fn left_out(&self) -> impl Iterator<Item = &str> {
        self.except.iter().flat_map(Topics::names)
    }

    /// Sends to each peer by itself, where clients read different formats and no topic has all
    /// clients of one.
    fn send_to_all(&self, message: &Out) -> Result<Published, PublishError> {
        let outgoing = self.peer.outgoing();
        let formats = outgoing.formats();
        let encoded: Vec<_> = formats
            .map(|format| outgoing.encode(format, message))
            .collect::<Result<_, _>>()?;
        let mut sum = Published::default();
        for peer in self.peer.peers() {
            if (peer == *self.peer && !self.including_self)
                || !self.only.admits(peer.untyped())
                || self.left_out().any(|topic| peer.is_subscribed(topic))
            {
                continue;
            }
            let message = encoded[peer.format()].clone();
            match peer.untyped().send_with(message, self.options.clone()) {
                Ok(_) => sum.queued += 1,
                Err(SendError::Full(_)) => sum.dropped += 1,
                Err(_) => {}
            }
        }
        Ok(sum)
    }

    fn options<'t>(&self, to: To<'t>) -> To<'t>
    where
        'a: 't,
    {
        let to = to.filter(self.only.shortened());
        let to = to.options(self.options.clone());
        let to = match self.retained {
            true => to.retained(),
            false => to,
        };
        match self.including_self {
            true => to.including_self(),
            false => to,
        }
    }
}

/// Adds up the results of one message that was published in several formats.
pub(super) fn add(sum: &mut Published, told: Published) {
    sum.queued += told.queued;
    sum.dropped += told.dropped;
    sum.behind += told.behind;
}

impl<Out> fmt::Debug for TypedTo<'_, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedTo")
            .field("except", &self.except)
            .field("only", &self.only)
            .field("including_self", &self.including_self)
            .field("retained", &self.retained)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

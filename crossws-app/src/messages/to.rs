use std::borrow::Cow;
use std::fmt;

use crossws_core::{Peer, PublishError, Published, SendError, SendOptions, To, Topics};

use crate::TypedPeer;
use crate::messages::hub::add;

/// The recipients of a message.
pub(super) enum Target<'a> {
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
    labels: Vec<Label<'a>>,
    including_self: bool,
    options: SendOptions,
}

/// A tag that a recipient must have or lack, or an identity that it must lack.
#[derive(Debug, Clone)]
enum Label<'a> {
    Tagged(Cow<'a, str>),
    NotTagged(Cow<'a, str>),
    NotIdentity(Cow<'a, str>),
}

impl Label<'_> {
    fn admits(&self, peer: &Peer) -> bool {
        match self {
            Self::Tagged(tag) => peer.is_tagged(tag),
            Self::NotTagged(tag) => !peer.is_tagged(tag),
            Self::NotIdentity(name) => peer.identity().as_deref() != Some(&**name),
        }
    }
}

impl<'a, Out: 'static> TypedTo<'a, Out> {
    pub(super) fn new(peer: &'a TypedPeer<Out>, target: Target<'a>) -> Self {
        Self {
            peer,
            target,
            except: Vec::new(),
            labels: Vec::new(),
            including_self: false,
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

    /// Sends only to peers with this tag: see [`To::tagged`].
    pub fn tagged(mut self, tag: impl Into<Cow<'a, str>>) -> Self {
        self.labels.push(Label::Tagged(tag.into()));
        self
    }

    /// Excludes peers with this tag: see [`To::except_tagged`].
    pub fn except_tagged(mut self, tag: impl Into<Cow<'a, str>>) -> Self {
        self.labels.push(Label::NotTagged(tag.into()));
        self
    }

    /// Excludes the connections of this identity: see [`To::except_identity`].
    pub fn except_identity(mut self, identity: impl Into<Cow<'a, str>>) -> Self {
        self.labels.push(Label::NotIdentity(identity.into()));
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
                || !self.labels.iter().all(|label| label.admits(peer.untyped()))
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
        let label = |to: To<'t>, label: Label<'a>| match label {
            Label::Tagged(tag) => to.tagged(tag),
            Label::NotTagged(tag) => to.except_tagged(tag),
            Label::NotIdentity(name) => to.except_identity(name),
        };
        let to = self.labels.iter().cloned().fold(to, label);
        let to = to.options(self.options.clone());
        match self.including_self {
            true => to.including_self(),
            false => to,
        }
    }
}

impl<Out> fmt::Debug for TypedTo<'_, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedTo")
            .field("except", &self.except)
            .field("labels", &self.labels)
            .field("including_self", &self.including_self)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

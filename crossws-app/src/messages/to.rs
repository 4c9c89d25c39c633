use std::fmt;
use std::sync::Arc;

use crossws_core::{PublishError, Published, SendError, SendOptions, To};

use crate::TypedPeer;

/// A typed message to many peers, before it is sent: see [`TypedPeer::to`].
#[must_use = "nothing is sent until `send`"]
pub struct TypedTo<'a, Out> {
    peer: &'a TypedPeer<Out>,
    /// `None` for all peers of the namespace.
    topic: Option<&'a str>,
    including_self: bool,
    options: SendOptions,
}

impl<'a, Out: 'static> TypedTo<'a, Out> {
    pub(super) fn new(peer: &'a TypedPeer<Out>, topic: Option<&'a str>) -> Self {
        Self {
            peer,
            topic,
            including_self: false,
            options: SendOptions::new(),
        }
    }

    /// Sends to this peer too, if it is subscribed: see [`To::including_self`].
    pub fn including_self(mut self) -> Self {
        self.including_self = true;
        self
    }

    /// As [`SendOptions::uncompressed`].
    pub fn uncompressed(mut self) -> Self {
        self.options = self.options.uncompressed();
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

    /// Sends the message, to each recipient once, in its format. It is encoded once for each format
    /// that the route has.
    ///
    /// # Errors
    /// As [`To::send`].
    pub fn send(self, message: Out) -> Result<Published, PublishError> {
        let outgoing = self.peer.outgoing();
        let Some(topic) = self.topic else {
            return self.send_to_all(&message);
        };
        let mut sum = Published::default();
        for format in outgoing.formats() {
            let topic = outgoing.topic(format, topic);
            let encoded = outgoing.encode(format, &message)?;
            let published = self.options(self.peer.untyped().to(&topic)).send(encoded)?;
            sum.queued += published.queued;
            sum.dropped += published.dropped;
            sum.behind += published.behind;
        }
        Ok(sum)
    }

    fn send_to_all(&self, message: &Out) -> Result<Published, PublishError> {
        let outgoing = self.peer.outgoing();
        let untyped = self.peer.untyped();
        if !outgoing.is_mixed() {
            let encoded = outgoing.encode(0, message)?;
            return self.options(untyped.to_all()).send(encoded);
        }
        let formats = outgoing.formats();
        let encoded: Vec<_> = formats
            .map(|format| outgoing.encode(format, message))
            .collect::<Result<_, _>>()?;
        let mut sum = Published::default();
        for peer in untyped.peers() {
            if peer == *untyped && !self.including_self {
                continue;
            }
            let message = encoded[outgoing.index(peer.protocol())].clone();
            match peer.send_with(message, self.options.clone()) {
                Ok(_) => sum.queued += 1,
                Err(SendError::Full(_)) => sum.dropped += 1,
                Err(_) => {}
            }
        }
        Ok(sum)
    }

    fn options<'t>(&self, to: To<'t>) -> To<'t> {
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
            .field("topic", &self.topic)
            .field("including_self", &self.including_self)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

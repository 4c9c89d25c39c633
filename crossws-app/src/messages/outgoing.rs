use std::sync::Arc;

use crossws_core::{EncodeError, Formats, Group, Message, PublishError, Published, To};

use crate::codec::Encode;
use crate::messages::transform::Transform;

/// Encodes a route's messages with the codec of each client's subprotocol.
pub(crate) struct Outgoing<Out> {
    /// The first codec is for clients without a subprotocol of the others.
    codecs: Vec<Format<Out>>,
    pub(super) transform: Option<Arc<Transform>>,
}

struct Format<Out> {
    protocol: Arc<str>,
    codec: Arc<dyn Encode<Out>>,
}

impl<Out> Clone for Outgoing<Out> {
    fn clone(&self) -> Self {
        Self {
            codecs: self.codecs.clone(),
            transform: self.transform.clone(),
        }
    }
}

impl<Out> Clone for Format<Out> {
    fn clone(&self) -> Self {
        Self {
            protocol: Arc::clone(&self.protocol),
            codec: Arc::clone(&self.codec),
        }
    }
}

impl<Out: 'static> Outgoing<Out> {
    pub(super) fn new(codec: Arc<dyn Encode<Out>>) -> Self {
        let mut this = Self {
            codecs: Vec::new(),
            transform: None,
        };
        this.add("".into(), codec);
        this
    }

    pub(super) fn add(&mut self, protocol: Arc<str>, codec: Arc<dyn Encode<Out>>) {
        self.codecs.push(Format { protocol, codec });
    }

    /// Returns the subprotocols that have a codec of their own.
    pub(super) fn protocols(&self) -> impl Iterator<Item = &str> {
        self.codecs[1..].iter().map(|format| &*format.protocol)
    }

    /// Returns the index of the codec of a client's subprotocol.
    pub(super) fn index(&self, protocol: Option<&str>) -> usize {
        let of = |protocol: &str| self.protocols().position(|it| it == protocol);
        match protocol {
            Some(protocol) if self.is_mixed() => of(protocol).map_or(0, |index| index + 1),
            _ => 0,
        }
    }

    /// Returns whether clients of the route may read different formats.
    pub(super) fn is_mixed(&self) -> bool {
        self.codecs.len() > 1
    }

    pub(super) fn encode(&self, index: usize, value: &Out) -> Result<Message, EncodeError> {
        self.transformed(self.codecs[index].codec.encode(value)?)
    }

    pub(super) fn transformed(&self, message: Message) -> Result<Message, EncodeError> {
        match &self.transform {
            Some(transform) => transform.apply(message).map_err(EncodeError::new),
            None => Ok(message),
        }
    }

    /// Encodes a value in every format.
    pub(super) fn encode_all(&self, value: &Out) -> Result<(Message, Formats), EncodeError> {
        let others = self.codecs[1..].iter().map(|format| {
            let message = self.transformed(format.codec.encode(value)?)?;
            Ok((Arc::clone(&format.protocol), message))
        });
        let others: Result<Formats, EncodeError> = others.collect();
        Ok((self.encode(0, value)?, others?))
    }

    /// Sends a value to each recipient in its format.
    pub(super) fn publish(&self, to: To<'_>, value: &Out) -> Result<Published, PublishError> {
        if !self.is_mixed() {
            return to.send(self.encode(0, value)?);
        }
        let (first, others) = self.encode_all(value)?;
        to.send_formats(first, others)
    }

    /// Sends a value to each connection of a group in its format.
    pub(super) fn send_to(&self, group: Group<'_>, value: &Out) -> Result<Published, PublishError> {
        if !self.is_mixed() {
            return group.send(self.encode(0, value)?);
        }
        let (first, others) = self.encode_all(value)?;
        group.send_formats(first, others)
    }
}

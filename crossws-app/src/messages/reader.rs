use std::sync::Arc;

use crossws_core::adapter::Function;
use crossws_core::{BoxError, EncodeError, HookResult, MaybeSend, MaybeSync, Message, Peer};

use crate::codec::Decode;
use crate::codec::limits::DecodeLimits;
use crate::messages::malformed::{Malformed, OnMalformed};
use crate::messages::transform::Transform;

/// A function that refuses values.
type Validate<T> = dyn for<'a> Function<&'a T, Result<(), BoxError>>;

/// Decodes a route's messages, and applies the policy for malformed ones.
pub(super) struct Reader<In> {
    /// Indexed by format. The first is for clients without a subprotocol of the others.
    decoders: Vec<Arc<dyn Decode<In>>>,
    pub(super) transform: Option<Arc<Transform>>,
    validate: Option<Arc<Validate<In>>>,
    pub(super) limits: DecodeLimits,
    pub(super) on_malformed: OnMalformed,
}

impl<In: 'static> Reader<In> {
    pub(super) fn new(decoder: Arc<dyn Decode<In>>) -> Self {
        Self {
            decoders: vec![decoder],
            transform: None,
            validate: None,
            limits: DecodeLimits::new(),
            on_malformed: OnMalformed::default(),
        }
    }

    pub(super) fn add(&mut self, decoder: Arc<dyn Decode<In>>) {
        self.decoders.push(decoder);
    }

    /// Sets the decoder of the first format.
    pub(super) fn set(&mut self, decoder: Arc<dyn Decode<In>>) {
        self.decoders[0] = decoder;
    }

    pub(super) fn set_validate<F, E>(&mut self, validate: F)
    where
        F: Fn(&In) -> Result<(), E> + MaybeSend + MaybeSync + 'static,
        E: Into<BoxError> + 'static,
    {
        self.validate = Some(Arc::new(move |value: &In| -> Result<(), BoxError> {
            validate(value).map_err(Into::into)
        }));
    }

    /// Decodes a message of this format.
    pub(super) fn read(&self, format: usize, mut message: Message) -> Result<In, Malformed> {
        if let Some(transform) = &self.transform {
            message = transform.apply(message).map_err(Malformed::Transform)?;
        }
        let value = self.decoders[format].decode(&message, &self.limits)?;
        if let Some(validate) = &self.validate {
            validate.apply(&value).map_err(Malformed::Invalid)?;
        }
        Ok(value)
    }

    /// Applies the policy. A reply is encoded by `outgoing`.
    #[cold]
    pub(super) fn refuse(
        &self,
        peer: &Peer,
        format: usize,
        malformed: Malformed,
        outgoing: impl FnOnce(Message) -> Result<Message, EncodeError>,
    ) -> HookResult {
        self.on_malformed.apply(peer, malformed, |text| {
            peer.send(outgoing(self.decoders[format].encode_error(text)?)?)?;
            Ok(())
        })
    }
}

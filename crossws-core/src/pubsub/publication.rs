pub(crate) mod wire;

use std::any::Any;
use std::borrow::Cow;
use std::sync::OnceLock;

use bytes::Bytes;

use crate::bounds::{AnyValue, MaybeSend, MaybeSync};
use crate::message::codec::EncodeError;
use crate::message::send::SendOptions;
use crate::message::{IntoMessage, Message};
use crate::pubsub::publication::wire::Wire;
use crate::sync::Mutex;

/// A published message on its way to many subscribers: encoded once, shared by all.
pub struct Publication {
    message: Message,
    options: SendOptions,
    encoded: OnceLock<(Wire, Bytes)>,
    /// The encodings in further formats, of which there are few.
    others: Mutex<Vec<(Wire, Bytes)>>,
    prepared: OnceLock<Box<AnyValue>>,
}

impl Publication {
    /// Creates a publication of `message`.
    pub fn new(message: Message) -> Self {
        Self::with(message, SendOptions::new())
    }

    /// Creates a publication from the arguments of `publish`.
    pub(crate) fn of(message: impl IntoMessage, options: SendOptions) -> Result<Self, EncodeError> {
        Ok(Self::with(message.into_message()?, options))
    }

    /// Creates a publication of `message` with these options.
    pub(crate) fn with(message: Message, options: SendOptions) -> Self {
        Self {
            message,
            options,
            encoded: OnceLock::new(),
            others: Mutex::default(),
            prepared: OnceLock::new(),
        }
    }

    /// Returns whether the message may be compressed.
    pub fn may_compress(&self) -> bool {
        self.options.may_compress()
    }

    /// Returns the options of the message.
    pub fn options(&self) -> &SendOptions {
        &self.options
    }

    /// Returns the message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Returns the message in a wire format. It is encoded once for each format, and shared.
    pub fn encoded(&self, wire: Wire) -> Bytes {
        self.shared(wire).into_owned()
    }

    /// As [`encoded`](Self::encoded), for callers that only read the bytes, or copy a few.
    #[inline]
    pub fn with_encoded<R>(&self, wire: Wire, read: impl FnOnce(&Bytes) -> R) -> R {
        read(&self.shared(wire))
    }

    /// As [`encoded`](Self::encoded). The first format is borrowed.
    #[inline]
    pub(crate) fn shared(&self, wire: Wire) -> Cow<'_, Bytes> {
        let (first, bytes) = self.encoded.get_or_init(|| (wire, self.encode(wire)));
        match *first == wire {
            true => Cow::Borrowed(bytes),
            false => Cow::Owned(self.encoded_too(wire)),
        }
    }

    fn encode(&self, wire: Wire) -> Bytes {
        let mut bytes = Vec::new();
        wire.append(self, &mut bytes);
        Bytes::from(bytes)
    }

    /// Encodes in a format that is not the first.
    fn encoded_too(&self, wire: Wire) -> Bytes {
        let mut others = self.others.lock();
        if let Some((_, bytes)) = others.iter().find(|(other, _)| *other == wire) {
            return bytes.clone();
        }
        let bytes = self.encode(wire);
        others.push((wire, bytes.clone()));
        bytes
    }

    /// Returns the encoding in a wire format, if it exists already.
    pub(crate) fn known(&self, wire: Wire) -> Option<Bytes> {
        let (first, bytes) = self.encoded.get()?;
        if *first == wire {
            return Some(bytes.clone());
        }
        let others = self.others.lock();
        let (_, bytes) = others.iter().find(|(other, _)| *other == wire)?;
        Some(bytes.clone())
    }

    /// Appends the message in a wire format, in which it may have been encoded already.
    pub(crate) fn append(&self, wire: Wire, to: &mut Vec<u8>) {
        match self.known(wire) {
            None => wire.append(self, to),
            Some(bytes) => to.extend_from_slice(&bytes),
        }
    }

    /// Returns the message as a platform's own value, which the first subscriber creates and the
    /// others share. Returns `None` if the first value is of another type.
    pub fn prepared<T: MaybeSend + MaybeSync + 'static>(
        &self,
        make: impl FnOnce(&Message) -> T,
    ) -> Option<&T> {
        let value = self.prepared.get_or_init(|| Box::new(make(&self.message)));
        (&**value as &dyn Any).downcast_ref()
    }
}

crate::opaque_debug!([] Publication, self => (self.message));

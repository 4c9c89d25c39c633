use std::any::Any;
use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;

use crate::adapter::Wire;
use crate::bounds::{AnyValue, MaybeSend, MaybeSync};
use crate::message::codec::EncodeError;
use crate::message::send::SendOptions;
use crate::message::{IntoMessage, Message};
use crate::sync::Mutex;

/// A published message on its way to many subscribers: encoded once, shared by all.
pub struct Publication {
    message: Message,
    options: SendOptions,
    encoded: OnceLock<(Wire, Bytes)>,
    /// In further formats, of which there are few.
    others: Mutex<Vec<(Wire, Bytes)>>,
    prepared: OnceLock<Box<AnyValue>>,
}

impl Publication {
    /// A publication of `message`.
    pub fn new(message: Message) -> Self {
        Self {
            message,
            options: SendOptions::new(),
            encoded: OnceLock::new(),
            others: Mutex::default(),
            prepared: OnceLock::new(),
        }
    }

    /// A publication of what `publish` was called with.
    pub(crate) fn of(message: impl IntoMessage, options: SendOptions) -> Result<Self, EncodeError> {
        Ok(Self {
            options,
            ..Self::new(message.into_message()?)
        })
    }

    /// Whether the message may be compressed on its way.
    pub fn may_compress(&self) -> bool {
        self.options.may_compress()
    }

    /// How the message is sent.
    pub fn options(&self) -> &SendOptions {
        &self.options
    }

    /// The message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The message in a wire format: computed once for each, and shared.
    pub fn encoded(&self, wire: Wire) -> Bytes {
        self.with_encoded(wire, Bytes::clone)
    }

    /// As [`encoded`](Self::encoded), for who only looks at it, or copies what is short.
    #[inline]
    pub fn with_encoded<R>(&self, wire: Wire, read: impl FnOnce(&Bytes) -> R) -> R {
        let (first, bytes) = self.encoded.get_or_init(|| (wire, self.encode(wire)));
        if *first == wire {
            return read(bytes);
        }
        read(&self.encoded_too(wire))
    }

    fn encode(&self, wire: Wire) -> Bytes {
        let mut bytes = Vec::new();
        wire.append(self, &mut bytes);
        Bytes::from(bytes)
    }

    /// In a format that is not the first.
    fn encoded_too(&self, wire: Wire) -> Bytes {
        let mut others = self.others.lock();
        if let Some((_, bytes)) = others.iter().find(|(other, _)| *other == wire) {
            return bytes.clone();
        }
        let bytes = self.encode(wire);
        others.push((wire, bytes.clone()));
        bytes
    }

    /// What was computed for a wire format already.
    pub(crate) fn known(&self, wire: Wire) -> Option<Bytes> {
        let (first, bytes) = self.encoded.get()?;
        if *first == wire {
            return Some(bytes.clone());
        }
        let others = self.others.lock();
        let (_, bytes) = others.iter().find(|(other, _)| *other == wire)?;
        Some(bytes.clone())
    }

    /// Appends the message in a wire format, in which it may have been computed already.
    pub(crate) fn append(&self, wire: Wire, to: &mut Vec<u8>) {
        match self.known(wire) {
            None => wire.append(self, to),
            Some(bytes) => to.extend_from_slice(&bytes),
        }
    }

    /// The message as a platform's own value, made by the first subscriber that asks and shared
    /// by the others. `None` if the value that was made first is of another type.
    pub fn prepared<T: MaybeSend + MaybeSync + 'static>(
        &self,
        make: impl FnOnce(&Message) -> T,
    ) -> Option<&T> {
        let value = self.prepared.get_or_init(|| Box::new(make(&self.message)));
        (&**value as &dyn Any).downcast_ref()
    }
}

impl fmt::Debug for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Publication({:?})", self.message)
    }
}

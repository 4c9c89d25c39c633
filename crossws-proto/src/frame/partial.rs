use bytes::Bytes;
use crossws_core::Message;

use super::Violation;
use super::buffer::append;
use super::utf8::{Text, check};

/// Which kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Binary,
}

impl Kind {
    /// Builds a message that has arrived whole. It makes one copy, into memory of the message's own
    /// size, because a slice would keep the whole read buffer alive.
    #[inline(always)]
    pub(crate) fn whole(self, payload: &[u8]) -> Result<Message, Violation> {
        Ok(match self {
            Self::Text => Message::Text(check(payload)?.into()),
            Self::Binary => Message::Binary(Bytes::copy_from_slice(payload)),
        })
    }
}

/// A message that arrives in pieces of a frame, or in several frames.
#[derive(Debug)]
pub(crate) enum Partial {
    Text(Text),
    Binary(Vec<u8>),
    /// Decompressed when complete, because the whole thread may share the inflater.
    Compressed(Kind, Vec<u8>),
}

impl Partial {
    pub(crate) fn new(kind: Kind, compressed: bool) -> Self {
        match kind {
            _ if compressed => Self::Compressed(kind, Vec::new()),
            Kind::Text => Self::Text(Text::default()),
            Kind::Binary => Self::Binary(Vec::new()),
        }
    }

    /// Appends a piece of a message that expects `coming` more bytes, `piece` among them.
    pub(crate) fn push(&mut self, piece: &[u8], coming: usize) -> Result<(), Violation> {
        match self {
            Self::Text(text) => text.push(piece, coming),
            Self::Binary(bytes) | Self::Compressed(_, bytes) => {
                append(bytes, piece, coming);
                Ok(())
            }
        }
    }

    /// Returns how many bytes have arrived.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) | Self::Compressed(_, bytes) => bytes.len(),
        }
    }

    pub(super) fn capacity(&self) -> usize {
        match self {
            Self::Text(text) => text.capacity(),
            Self::Binary(bytes) | Self::Compressed(_, bytes) => bytes.capacity(),
        }
    }

    /// Returns the whole message. A compressed one is inflated.
    pub(crate) fn finish(
        self,
        inflate: impl FnOnce(Kind, &[u8]) -> Result<Message, Violation>,
    ) -> Result<Message, Violation> {
        match self {
            Self::Text(text) => Ok(Message::Text(text.finish()?.into())),
            Self::Binary(bytes) => Ok(Message::Binary(bytes.into())),
            Self::Compressed(kind, bytes) => inflate(kind, &bytes),
        }
    }
}

use bytes::Bytes;
use crossws_core::Message;

use super::Violation;
use super::buffer::append;
use super::utf8::{Text, check};

/// Which kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Binary,
}

impl Kind {
    /// A message that is here as a whole: one copy, into memory of its own size. A slice of the
    /// read buffer would have to keep all of that alive.
    #[inline]
    pub(super) fn whole(self, payload: &[u8]) -> Result<Message, Violation> {
        Ok(match self {
            Self::Text => Message::Text(check(payload)?.into()),
            Self::Binary => Message::Binary(Bytes::copy_from_slice(payload)),
        })
    }
}

/// A message that arrives in pieces: of a frame, or frames.
#[derive(Debug)]
pub(super) enum Partial {
    Text(Text),
    Binary(Vec<u8>),
}

impl Partial {
    pub(super) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(Text::default()),
            Kind::Binary => Self::Binary(Vec::new()),
        }
    }

    /// Appends a piece of a frame that has `coming` bytes left, this piece among them.
    pub(super) fn push(&mut self, piece: &[u8], coming: usize) -> Result<(), Violation> {
        match self {
            Self::Text(text) => text.push(piece, coming),
            Self::Binary(bytes) => {
                append(bytes, piece, coming);
                Ok(())
            }
        }
    }

    /// How many bytes have arrived.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        match self {
            Self::Text(text) => text.capacity(),
            Self::Binary(bytes) => bytes.capacity(),
        }
    }

    pub(super) fn finish(self) -> Result<Message, Violation> {
        Ok(match self {
            Self::Text(text) => Message::Text(text.finish()?.into()),
            Self::Binary(bytes) => Message::Binary(bytes.into()),
        })
    }
}

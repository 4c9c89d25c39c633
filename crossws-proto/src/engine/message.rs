use bytes::Bytes;
use crossws_core::Message;

use super::Violation;
use super::buffer::append;
use super::utf8::{Text, check};
use crate::deflate::Inflater;

/// Which kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Binary,
}

impl Kind {
    /// A message that is here as a whole: one copy, into memory of its own size. A slice of the
    /// read buffer would have to keep all of that alive.
    #[inline(always)]
    pub(crate) fn whole(self, payload: &[u8]) -> Result<Message, Violation> {
        Ok(match self {
            Self::Text => Message::Text(check(payload)?.into()),
            Self::Binary => Message::Binary(Bytes::copy_from_slice(payload)),
        })
    }
}

/// A message that arrives in pieces: of a frame, or frames.
#[derive(Debug)]
pub(crate) enum Partial {
    Text(Text),
    Binary(Vec<u8>),
    /// Decompressed when it is complete: the inflater may be the whole thread's.
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

    /// Appends a piece of a message of which `coming` bytes are left, this piece among them.
    pub(crate) fn push(&mut self, piece: &[u8], coming: usize) -> Result<(), Violation> {
        match self {
            Self::Text(text) => text.push(piece, coming),
            Self::Binary(bytes) | Self::Compressed(_, bytes) => {
                append(bytes, piece, coming);
                Ok(())
            }
        }
    }

    /// How many bytes have arrived.
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

    /// The whole message, of at most `most` bytes. Compressed ones need an inflater.
    pub(crate) fn finish(
        self,
        inflater: Option<&mut Inflater>,
        most: usize,
    ) -> Result<Message, Violation> {
        match (self, inflater) {
            (Self::Text(text), _) => Ok(Message::Text(text.finish()?.into())),
            (Self::Binary(bytes), _) => Ok(Message::Binary(bytes.into())),
            (Self::Compressed(kind, bytes), Some(inflater)) => inflater.message(kind, &bytes, most),
            // Not begun without one.
            (Self::Compressed(..), None) => Err(Violation::protocol("a compressed message")),
        }
    }
}

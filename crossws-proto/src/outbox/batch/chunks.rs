use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

/// A piece of the bytes on their way out: a buffer of this connection's own, or one that several
/// connections share.
pub(super) enum Chunk {
    Own(BytesMut),
    Shared(Bytes),
    /// One whole frame, which a later one with the same key replaces.
    Keyed(Box<Keyed>),
}

pub(super) struct Keyed {
    pub(super) key: Arc<str>,
    pub(super) frame: Bytes,
}

impl Chunk {
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
            Self::Keyed(keyed) => &keyed.frame,
        }
    }

    pub(super) fn advance(&mut self, count: usize) {
        match self {
            Self::Own(bytes) => bytes.advance(count),
            Self::Shared(bytes) => bytes.advance(count),
            Self::Keyed(keyed) => keyed.frame.advance(count),
        }
    }

    pub(super) fn split_to(&mut self, count: usize) -> Self {
        match self {
            Self::Own(bytes) => Self::Own(bytes.split_to(count)),
            Self::Shared(bytes) => Self::Shared(bytes.split_to(count)),
            Self::Keyed(keyed) => Self::Shared(keyed.frame.split_to(count)),
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
        match self {
            Self::Own(bytes) => bytes.truncate(len),
            Self::Shared(bytes) => bytes.truncate(len),
            Self::Keyed(keyed) => keyed.frame.truncate(len),
        }
    }
}

/// Chunks in their order. Nearly always there is one, which needs no further memory.
#[derive(Default)]
pub(super) struct Chunks {
    first: Option<Chunk>,
    /// `None` if there is no first chunk. Boxed, so that an empty list is small: every connection
    /// has such lists.
    #[expect(
        clippy::box_collection,
        reason = "nearly always empty, and then a pointer"
    )]
    others: Option<Box<VecDeque<Chunk>>>,
}

impl Chunks {
    pub(super) fn push_back(&mut self, chunk: Chunk) {
        match self.first {
            None => self.first = Some(chunk),
            Some(_) => self.others.get_or_insert_default().push_back(chunk),
        }
    }

    pub(super) fn push_front(&mut self, chunk: Chunk) {
        if let Some(second) = self.first.replace(chunk) {
            self.others.get_or_insert_default().push_front(second);
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<Chunk> {
        let first = self.first.take();
        if let Some(others) = &mut self.others {
            self.first = others.pop_front();
            if others.is_empty() {
                self.others = None;
            }
        }
        first
    }

    pub(super) fn front(&self) -> Option<&Chunk> {
        self.first.as_ref()
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut Chunk> {
        self.first.as_mut()
    }

    pub(super) fn back_mut(&mut self) -> Option<&mut Chunk> {
        match &mut self.others {
            None => self.first.as_mut(),
            Some(others) => others.back_mut(),
        }
    }

    /// Removes the chunk at an index, where 0 is the first.
    pub(super) fn remove(&mut self, at: usize) -> Option<Chunk> {
        let Some(at) = at.checked_sub(1) else {
            return self.pop_front();
        };
        let others = self.others.as_mut()?;
        let chunk = others.remove(at);
        if others.is_empty() {
            self.others = None;
        }
        chunk
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Chunk> {
        let others = self.others.iter().flat_map(|others| others.iter());
        self.first.iter().chain(others)
    }
}

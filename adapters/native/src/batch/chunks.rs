use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

/// A piece of what is on its way out: a buffer of this connection's own, or one that others share.
pub(super) enum Chunk {
    Own(BytesMut),
    Shared(Bytes),
}

impl Chunk {
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }

    pub(super) fn advance(&mut self, count: usize) {
        match self {
            Self::Own(bytes) => bytes.advance(count),
            Self::Shared(bytes) => bytes.advance(count),
        }
    }

    pub(super) fn split_to(&mut self, count: usize) -> Self {
        match self {
            Self::Own(bytes) => Self::Own(bytes.split_to(count)),
            Self::Shared(bytes) => Self::Shared(bytes.split_to(count)),
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
        match self {
            Self::Own(bytes) => bytes.truncate(len),
            Self::Shared(bytes) => bytes.truncate(len),
        }
    }
}

/// Chunks in their order. Nearly always there is one, which needs no memory but its own.
#[derive(Default)]
pub(super) struct Chunks {
    first: Option<Chunk>,
    /// Empty where there is no first.
    others: VecDeque<Chunk>,
}

impl Chunks {
    pub(super) fn push_back(&mut self, chunk: Chunk) {
        match self.first {
            None => self.first = Some(chunk),
            Some(_) => self.others.push_back(chunk),
        }
    }

    pub(super) fn push_front(&mut self, chunk: Chunk) {
        if let Some(second) = self.first.replace(chunk) {
            self.others.push_front(second);
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<Chunk> {
        let first = self.first.take();
        if first.is_some() && !self.others.is_empty() {
            self.first = self.others.pop_front();
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
        match self.others.back_mut() {
            None => self.first.as_mut(),
            last => last,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Chunk> {
        self.first.iter().chain(&self.others)
    }
}

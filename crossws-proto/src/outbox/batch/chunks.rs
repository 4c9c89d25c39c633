use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

/// A piece of the bytes on their way out: a buffer of this connection's own, or one that several
/// connections share.
pub(super) enum Chunk {
    Own(BytesMut),
    Shared(Bytes),
    /// One whole frame, which a later one with the same key replaces.
    Keyed(Box<Keyed>),
    /// A frame that was replaced: the places of the others stay as they are.
    Hollow,
}

pub(super) struct Keyed {
    pub(super) key: Arc<str>,
    pub(super) frame: Bytes,
    /// When the frame was queued: see [`Batch::date`](super::Batch::date).
    pub(super) time: u64,
}

impl Chunk {
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
            Self::Keyed(keyed) => &keyed.frame,
            Self::Hollow => &[],
        }
    }

    /// Forgets the key.
    pub(super) fn without_key(self) -> Self {
        match self {
            Self::Keyed(keyed) => Self::Shared(keyed.frame),
            other => other,
        }
    }

    fn key(&self) -> Option<&Arc<str>> {
        match self {
            Self::Keyed(keyed) => Some(&keyed.key),
            _ => None,
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.key().is_some_and(|own| **own == *key)
    }

    fn is_hollow(&self) -> bool {
        matches!(self, Self::Hollow)
    }

    pub(super) fn advance(&mut self, count: usize) {
        match self {
            Self::Own(bytes) => bytes.advance(count),
            Self::Shared(bytes) => bytes.advance(count),
            Self::Keyed(keyed) => keyed.frame.advance(count),
            Self::Hollow => {}
        }
    }

    pub(super) fn split_to(&mut self, count: usize) -> Self {
        match self {
            Self::Own(bytes) => Self::Own(bytes.split_to(count)),
            Self::Shared(bytes) => Self::Shared(bytes.split_to(count)),
            Self::Keyed(keyed) => Self::Shared(keyed.frame.split_to(count)),
            Self::Hollow => Self::Hollow,
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
        match self {
            Self::Own(bytes) => bytes.truncate(len),
            Self::Shared(bytes) => bytes.truncate(len),
            Self::Keyed(keyed) => keyed.frame.truncate(len),
            Self::Hollow => {}
        }
    }
}

/// Chunks in their order. Nearly always there is one, which needs no further memory.
#[derive(Default)]
pub(super) struct Chunks {
    /// Never hollow.
    first: Option<Chunk>,
    /// `None` if there is no first chunk. Boxed, so that an empty list is small: every connection
    /// has such lists.
    others: Option<Box<Others>>,
}

/// The chunks after the first. The last is never hollow.
#[derive(Default)]
struct Others {
    chunks: VecDeque<Chunk>,
    /// Where the keyed ones are, so that many keys cost no more than one. A place counts from the first
    /// chunk that was ever here.
    places: HashMap<Arc<str>, u64>,
    /// The place of the first.
    start: u64,
    /// How many are hollow: at most half, or [`FEW`].
    hollow: usize,
}

/// At most this many hollow chunks are kept, whatever the number of the others.
const FEW: usize = 16;

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
            self.forget_no_others();
        }
        first
    }

    /// Returns the first chunk if there is no other.
    #[inline]
    pub(super) fn only(&self) -> Option<&Chunk> {
        self.first.as_ref().filter(|_| self.others.is_none())
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
            Some(others) => others.chunks.back_mut(),
        }
    }

    /// Returns the chunk with this key.
    pub(super) fn keyed(&self, key: &str) -> Option<&Keyed> {
        let first = self.first.as_ref().filter(|first| first.has(key));
        let found = first.or_else(|| {
            let others = self.others.as_ref()?;
            others.chunks.get(others.index(key)?)
        });
        match found {
            Some(Chunk::Keyed(keyed)) => Some(keyed),
            _ => None,
        }
    }

    /// Removes the chunk with this key, and returns what it was.
    pub(super) fn take_out(&mut self, key: &str) -> Option<Box<Keyed>> {
        let taken = match &self.first {
            Some(first) if first.has(key) => self.pop_front(),
            _ => self.others.as_mut()?.take_out(key),
        };
        self.forget_no_others();
        match taken {
            Some(Chunk::Keyed(keyed)) => Some(keyed),
            _ => None,
        }
    }

    fn forget_no_others(&mut self) {
        self.others.take_if(|others| others.chunks.is_empty());
    }

    /// Returns how many places there are, hollow ones included.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        let others = self.others.as_ref().map_or(0, |others| others.chunks.len());
        usize::from(self.first.is_some()) + others
    }

    /// Returns the chunks that hold bytes.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Chunk> {
        let others = self.others.iter().flat_map(|others| others.chunks.iter());
        let others = others.filter(|chunk| !chunk.is_hollow());
        self.first.iter().chain(others)
    }
}

impl Others {
    fn push_back(&mut self, chunk: Chunk) {
        if let Some(key) = chunk.key() {
            let place = self.start.wrapping_add(self.chunks.len() as u64);
            self.places.insert(Arc::clone(key), place);
        }
        self.chunks.push_back(chunk);
    }

    fn push_front(&mut self, chunk: Chunk) {
        self.start = self.start.wrapping_sub(1);
        if let Some(key) = chunk.key() {
            self.places.insert(Arc::clone(key), self.start);
        }
        self.chunks.push_front(chunk);
    }

    fn pop_front(&mut self) -> Option<Chunk> {
        loop {
            let chunk = self.chunks.pop_front()?;
            self.start = self.start.wrapping_add(1);
            if chunk.is_hollow() {
                self.hollow -= 1;
                continue;
            }
            if let Some(key) = chunk.key() {
                self.places.remove(key);
            }
            return Some(chunk);
        }
    }

    fn index(&self, key: &str) -> Option<usize> {
        let place = self.places.get(key)?;
        usize::try_from(place.wrapping_sub(self.start)).ok()
    }

    fn take_out(&mut self, key: &str) -> Option<Chunk> {
        let place = self.places.remove(key)?;
        let at = usize::try_from(place.wrapping_sub(self.start)).ok()?;
        let taken = std::mem::replace(self.chunks.get_mut(at)?, Chunk::Hollow);
        self.hollow += 1;
        while self.chunks.back().is_some_and(Chunk::is_hollow) {
            self.chunks.pop_back();
            self.hollow -= 1;
        }
        if self.hollow > FEW.max(self.chunks.len() / 2) {
            self.drop_hollow();
        }
        Some(taken)
    }

    /// Removes the hollow chunks. The places move in the map, whose keys are not hashed again.
    fn drop_hollow(&mut self) {
        let mut hollow = 0;
        let hollow_before = self.chunks.iter().map(|chunk| {
            let before = hollow;
            hollow += u64::from(chunk.is_hollow());
            before
        });
        let hollow_before: Vec<u64> = hollow_before.collect();
        for place in self.places.values_mut() {
            let at = usize::try_from(place.wrapping_sub(self.start)).ok();
            let before = at.and_then(|at| hollow_before.get(at));
            *place = place.wrapping_sub(before.copied().unwrap_or_default());
        }
        self.chunks.retain(|chunk| !chunk.is_hollow());
        self.hollow = 0;
    }
}

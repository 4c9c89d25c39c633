use std::collections::VecDeque;
use std::sync::Arc;

use super::chunk::{Chunk, Take, Written};
use super::{Cuts, Total};
use crate::pubsub::cursor::{LogSlice, QueueSize};
use crate::pubsub::members::Key;

/// The messages that wait for a reader that has left its log: the chunks, shared with all of their
/// readers.
///
/// A chunk is kept whole, so a reader that left may keep more than the waiting messages:
/// [`span`](Self::span) returns how much.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(super) chunks: VecDeque<Arc<Chunk>>,
    /// The place in the first chunk.
    pub(super) message: usize,
    /// The reader's own publications: they are in the chunks, and not for it.
    pub(super) own: Total,
    pub(super) reader: Key,
    pub(super) waits: QueueSize,
}

impl Rest {
    /// Takes the messages before the number `before`. Returns whether something is left.
    pub(crate) fn read(&mut self, before: u64, cuts: Cuts<'_>, into: &mut Vec<LogSlice>) -> bool {
        let taken = into.len();
        let mut more = false;
        while !more && let Some(chunk) = self.chunks.front() {
            let take = Take {
                bytes: Written::Closed(&chunk.bytes),
                reader: self.reader,
                before,
                cuts,
            };
            let index = &chunk.index;
            self.message = index.take(self.message, &take, into, &mut self.own);
            more = self.message < index.messages();
            if !more {
                self.chunks.pop_front();
                self.message = 0;
            }
        }
        for range in into.iter().skip(taken) {
            self.waits.bytes -= range.bytes.len();
            self.waits.messages -= range.messages;
        }
        more
    }

    /// Returns how much waits.
    pub(crate) fn lag(&self) -> QueueSize {
        self.waits
    }

    /// Returns how many bytes are kept in memory, at least for this reader.
    pub(crate) fn span(&self) -> usize {
        let size = |chunk: &Arc<Chunk>| chunk.bytes.len() + chunk.index.memory();
        self.chunks.iter().map(size).sum()
    }
}

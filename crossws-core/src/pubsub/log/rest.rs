use std::collections::VecDeque;
use std::sync::Arc;

use super::chunk::{Chunk, Extent, Written};
use super::{Cuts, LogSlice};
use crate::peer::members::Key;
use crate::pubsub::queue_size::QueueSize;

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
    pub(super) own: QueueSize,
    pub(super) reader: Key,
    pub(super) waits: QueueSize,
}

impl Rest {
    /// Takes the messages before the number `before`. Returns whether something is left.
    pub(crate) fn read(&mut self, before: u64, cuts: Cuts<'_>, into: &mut Vec<LogSlice>) -> bool {
        let taken = into.len();
        let mut more = false;
        while !more && let Some(chunk) = self.chunks.front() {
            let take = Extent {
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

#[cfg(test)]
mod tests {
    use super::super::{CHUNK, Log};
    use super::*;

    #[test]
    fn a_leaver_keeps_about_what_its_span_says() {
        let mut log = Log::default();
        let one = |bytes: &mut Vec<u8>| bytes.extend_from_slice(&[0; 3]);
        // Many small messages by authors who take turns, which their reader takes.
        let mark = log.mark();
        let reader = log.cursor(&mark);
        for seq in 0..20_000 {
            log.mark();
            log.append(seq, Some(seq as Key % 2), one);
        }
        log.release(&reader);
        // One message in a chunk of its own, and one in a chunk of many.
        for before in [0, 20_000] {
            let mark = log.mark();
            let reader = log.cursor(&mark);
            for seq in 0..before {
                log.mark();
                log.append(20_000 + seq, Some(seq as Key % 2), one);
            }
            let mark = log.mark();
            let leaver = log.cursor(&mark);
            log.append(50_000 + before, None, one);
            log.release(&reader);
            let rest = log.detach(&leaver, 2).unwrap();
            assert_eq!(rest.lag().messages, 1);
            let said = rest.span();
            let kept: usize = rest.chunks.into_iter().map(memory).sum();
            assert!(kept <= 2 * said, "{kept} bytes, said {said}");
            assert!(kept <= 2 * CHUNK, "{kept} bytes");
        }
    }

    #[test]
    fn a_leaver_keeps_no_chunk_before_its_first_message() {
        let mut log = Log::default();
        let mark = log.mark();
        let reader = log.cursor(&mark);
        log.append(0, None, |bytes| bytes.resize(10 * CHUNK, 0));
        let mark = log.mark();
        let leaver = log.cursor(&mark);
        log.append(1, None, |bytes| bytes.push(0));
        let rest = log.detach(&leaver, 0).unwrap();
        assert!(rest.span() < CHUNK, "keeps {} bytes", rest.span());
        log.release(&reader);
    }

    /// Returns how much memory an unshared chunk takes.
    fn memory(chunk: Arc<Chunk>) -> usize {
        let Chunk { bytes, index } = Arc::try_unwrap(chunk).unwrap();
        // The same buffer.
        Vec::from(bytes).capacity() + index.capacity()
    }
}

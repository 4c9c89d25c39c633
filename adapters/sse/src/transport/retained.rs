use std::collections::VecDeque;

use bytes::Bytes;
use crossws_proto::outbox::Framing;

use crate::transport::frame::EventFrame;

/// What was written last, for a client that has not read all of it when its stream was cut.
#[derive(Debug)]
pub(crate) struct Retained {
    /// Written events, with the number of the first.
    chunks: VecDeque<(u64, Bytes)>,
    bytes: usize,
    most: usize,
    /// The number of the next event.
    next: u64,
}

impl Retained {
    /// Creates an empty one that keeps at most this many bytes.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            bytes: 0,
            most,
            next: 1,
        }
    }

    /// Returns the number of the next event.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Notes this many written events.
    pub(crate) fn push(&mut self, count: u64, events: Bytes) {
        self.bytes += events.len();
        self.chunks.push_back((self.next, events));
        self.next += count;
        while self.bytes > self.most
            && let Some((_, oldest)) = self.chunks.pop_front()
        {
            self.bytes -= oldest.len();
        }
    }

    /// Returns the events after this one, or `None` if some of them are not there any more, or it
    /// was never written.
    pub(crate) fn after(&self, last: u64) -> Option<Vec<Bytes>> {
        let oldest = self.chunks.front().map_or(self.next, |(first, _)| *first);
        if last >= self.next || last + 1 < oldest {
            return None;
        }
        let mut events = Vec::new();
        for (first, chunk) in &self.chunks {
            let mut chunk = chunk.clone();
            let mut number = *first;
            while number <= last && !chunk.is_empty() {
                let len = EventFrame::len_of_first(&chunk).unwrap_or(chunk.len());
                let _read = chunk.split_to(len);
                number += 1;
            }
            if !chunk.is_empty() {
                events.push(chunk);
            }
        }
        Some(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_is_whole_or_nothing() {
        let mut kept = Retained::new(40);
        assert_eq!(kept.after(0), Some(vec![]));
        assert_eq!(kept.after(1), None, "never written");
        kept.push(2, "data: 1\n\ndata: 2\n\n".into());
        kept.push(1, "data: 3\n\n".into());
        let text = |last| kept.after(last).map(|events| events.concat());
        assert_eq!(text(0).unwrap(), b"data: 1\n\ndata: 2\n\ndata: 3\n\n");
        assert_eq!(text(1).unwrap(), b"data: 2\n\ndata: 3\n\n");
        assert_eq!(text(2).unwrap(), b"data: 3\n\n");
        assert_eq!(text(3).unwrap(), b"");
        assert_eq!(text(4), None);
        assert_eq!(text(u64::MAX), None);
        // Over the bound, the oldest goes.
        kept.push(2, "data: 4\n\ndata: 5\n\n".into());
        let text = |last| kept.after(last).map(|events| events.concat());
        assert_eq!(text(1), None);
        assert_eq!(text(2).unwrap(), b"data: 3\n\ndata: 4\n\ndata: 5\n\n");
        kept.push(1, "x".repeat(41).into());
        assert_eq!(kept.after(5), None);
        assert_eq!(kept.after(6), Some(vec![]));
    }
}

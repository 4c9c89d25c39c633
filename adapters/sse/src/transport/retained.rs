use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use crossws_proto::outbox::{Batch, Framing};

use crate::transport::frame::EventFrame;

/// What was written last, for a client that has not read all of it when its stream was cut.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    /// Written events, with the number of the first.
    chunks: VecDeque<(u64, Bytes)>,
    bytes: usize,
    most: usize,
    /// The number of the last event.
    last: u64,
    /// The line of its id. That of the next differs in a digit or two.
    id: Vec<u8>,
    /// Where the next events are written: several chunks share one allocation.
    page: BytesMut,
}

/// Returns the id of an event. Of those before the first, the number is 0.
pub(crate) fn event_id(key: &str, number: u64) -> String {
    format!("{key}.{number}")
}

/// Adds one to the number at the end of a line.
fn increment(line: &mut Vec<u8>) {
    for byte in line.iter_mut().rev().skip(1) {
        match byte {
            b'0'..=b'8' => {
                *byte += 1;
                return;
            }
            b'9' => *byte = b'0',
            _ => break,
        }
    }
    // All were nines.
    let zeros = line.iter().rev().skip(1);
    let zeros = zeros.take_while(|byte| **byte == b'0').count();
    line.insert(line.len() - 1 - zeros, b'1');
}

/// The smallest and the largest page, unless one chunk needs more. A page is as large as what is retained.
const PAGE: (usize, usize) = (256, 4 << 10);

impl Retained {
    /// Creates an empty one that keeps at most this many bytes, and the rest of a page. The key is in all ids.
    pub(crate) fn new(most: usize, key: &str) -> Self {
        Self {
            most,
            id: format!("id: {}\n", event_id(key, 0)).into_bytes(),
            ..Self::default()
        }
    }

    /// Returns events as they are written, each with its id. Notes them.
    pub(crate) fn number(&mut self, events: &Batch<EventFrame>) -> Bytes {
        // A batch has too few events for more than three new digits.
        let len = events.bytes() + events.frames() * (self.id.len() + 3);
        if self.page.capacity() < len {
            let page = self.bytes.clamp(PAGE.0, PAGE.1);
            self.page = BytesMut::with_capacity(len.max(page));
        }
        let first = self.last + 1;
        // Nearly always one, whose end need not be found.
        let is_one = events.frames() == 1;
        for piece in events.pieces() {
            let mut rest = piece;
            while !rest.is_empty() {
                let end = match is_one {
                    true => None,
                    false => EventFrame::len_of_first(rest),
                };
                let (event, after) = rest.split_at(end.unwrap_or(rest.len()));
                self.last += 1;
                increment(&mut self.id);
                self.page.extend_from_slice(&self.id);
                self.page.extend_from_slice(event);
                rest = after;
            }
        }
        let numbered = self.page.split().freeze();
        if numbered.len() > PAGE.1 {
            // The rest of the page would keep all of it.
            self.page = BytesMut::new();
        }
        self.bytes += numbered.len();
        self.chunks.push_back((first, numbered.clone()));
        while self.bytes > self.most
            && let Some((_, oldest)) = self.chunks.pop_front()
        {
            self.bytes -= oldest.len();
        }
        numbered
    }

    /// Returns the events after this one, or `None` if some of them are not there any more, or it
    /// was never written.
    pub(crate) fn after(&self, last: u64) -> Option<Vec<Bytes>> {
        let oldest = self.chunks.front().map(|(first, _)| *first);
        if last > self.last || last + 1 < oldest.unwrap_or(self.last + 1) {
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
    use crossws_core::Message;

    use super::*;

    fn batch(messages: impl IntoIterator<Item = Message>) -> Batch<EventFrame> {
        let mut batch = Batch::default();
        for message in messages {
            batch.push_encoded(EventFrame::encode(&message), 1);
        }
        batch
    }

    #[test]
    fn a_large_event_is_free_once_it_is_written() {
        let mut retained = Retained::new(100, "key");
        let large = Message::from("x".repeat(1 << 20));
        let written = retained.number(&batch([large]));
        assert!(retained.chunks.is_empty());
        assert!(written.is_unique());
    }

    #[test]
    fn numbers_grow_by_a_digit_after_nines() {
        for (number, next) in [(0, 1), (9, 10), (19, 20), (199, 200), (999, 1000)] {
            let mut line = format!("id: 9.{number}\n").into_bytes();
            increment(&mut line);
            assert_eq!(line, format!("id: 9.{next}\n").into_bytes());
        }
    }

    #[test]
    fn events_get_ids_one_by_one() {
        let mut kept = Retained::new(1 << 20, "k");
        let number = |kept: &mut Retained, messages: Vec<Message>| kept.number(&batch(messages));
        assert_eq!(
            number(&mut kept, vec!["a\n\nb".into()]),
            "id: k.1\ndata: a\ndata: \ndata: b\n\n"
        );
        let more = vec!["".into(), vec![1_u8, 2].into()];
        assert_eq!(
            number(&mut kept, more),
            "id: k.2\ndata: \n\nid: k.3\nevent: binary\ndata: AQI=\n\n"
        );
        // Large ones are shared, and pieces of their own.
        let large = "x".repeat(5_000);
        let written = number(
            &mut kept,
            vec!["s".into(), large.clone().into(), "t".into()],
        );
        assert_eq!(
            written,
            format!("id: k.4\ndata: s\n\nid: k.5\ndata: {large}\n\nid: k.6\ndata: t\n\n")
        );
        assert_eq!(kept.after(5).unwrap().concat(), b"id: k.6\ndata: t\n\n");
    }

    #[test]
    fn what_follows_is_whole_or_nothing() {
        // "id: k.1\ndata: 1\n\n" has 17 bytes.
        let mut kept = Retained::new(85, "k");
        let one = |number: u64| format!("id: k.{number}\ndata: {number}\n\n");
        let push = |kept: &mut Retained, numbers: &[u64]| {
            let messages = numbers
                .iter()
                .map(|number| Message::from(number.to_string()));
            kept.number(&batch(messages));
        };
        let text = |kept: &Retained, last| {
            let events = kept.after(last)?.concat();
            Some(String::from_utf8(events).unwrap())
        };
        assert_eq!(kept.after(0), Some(vec![]));
        assert_eq!(kept.after(1), None, "never written");
        push(&mut kept, &[1, 2]);
        push(&mut kept, &[3]);
        assert_eq!(text(&kept, 0).unwrap(), one(1) + &one(2) + &one(3));
        assert_eq!(text(&kept, 1).unwrap(), one(2) + &one(3));
        assert_eq!(text(&kept, 2).unwrap(), one(3));
        assert_eq!(text(&kept, 3).unwrap(), "");
        assert_eq!(text(&kept, 4), None);
        assert_eq!(text(&kept, u64::MAX), None);
        // Over the bound, the oldest goes.
        push(&mut kept, &[4, 5]);
        push(&mut kept, &[6]);
        assert_eq!(text(&kept, 1), None);
        assert_eq!(
            text(&kept, 2).unwrap(),
            one(3) + &one(4) + &one(5) + &one(6)
        );
        kept.number(&batch(["x".repeat(86).into()]));
        assert_eq!(kept.after(6), None);
        assert_eq!(kept.after(7), Some(vec![]));
    }
}

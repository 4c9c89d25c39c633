use std::collections::VecDeque;

use crossws_core::Limits;

use super::Step;

/// Most messages for which room is made at once.
const BURST: usize = 16;

/// Returns whether one more message, of any length, may wait for its hook after this many with this many
/// bytes. One always may, whatever the limits. So at most two of the largest messages wait, in bytes.
#[inline]
pub fn admits_inbound(limits: &Limits, messages: usize, bytes: usize) -> bool {
    messages == 0
        || (limits.max_inbound.allows(messages + 1) && limits.max_message_size.allows(bytes))
}

/// The steps that were decoded while a hook ran. An idle connection owns no queue.
#[derive(Debug, Default)]
pub(super) struct Inbound(Option<Box<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    steps: VecDeque<Step>,
    /// How many of the steps are messages.
    messages: usize,
    /// How many bytes these hold.
    bytes: usize,
}

impl Inbound {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns how many messages wait, and how many bytes they hold.
    pub(super) fn len(&self) -> (usize, usize) {
        let waiting = self.0.as_ref();
        waiting.map_or((0, 0), |waiting| (waiting.messages, waiting.bytes))
    }

    pub(super) fn front(&self) -> Option<&Step> {
        self.0.as_ref()?.steps.front()
    }

    /// Appends a step. At most `most` pings and pongs wait, and at least one: the oldest is discarded.
    /// A client need not reply to each ping, and nor does this side (RFC 6455, section 5.5.3).
    #[cold]
    pub(super) fn push(&mut self, step: Step, most: usize) {
        let waiting = self.0.get_or_insert_with(|| {
            Box::new(Waiting {
                steps: VecDeque::with_capacity(most.min(BURST)),
                messages: 0,
                bytes: 0,
            })
        });
        if step.is_control()
            && waiting.steps.len() - waiting.messages >= most.max(1)
            && let Some(oldest) = waiting.steps.iter().position(Step::is_control)
        {
            waiting.steps.remove(oldest);
        }
        waiting.messages += usize::from(step.is_message());
        waiting.bytes += step.len();
        waiting.steps.push_back(step);
    }

    pub(super) fn pop(&mut self) -> Option<Step> {
        let waiting = self.0.as_mut()?;
        let step = waiting.steps.pop_front()?;
        waiting.messages -= usize::from(step.is_message());
        waiting.bytes -= step.len();
        if waiting.steps.is_empty() {
            self.clear();
        }
        Some(step)
    }

    pub(super) fn clear(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_full_queue_discards_the_oldest_pings_and_no_message() {
        let mut inbound = Inbound::default();
        for n in 0..20_u8 {
            inbound.push(Step::Ping(Bytes::copy_from_slice(&[n])), 16);
            if n == 10 {
                inbound.push(Step::Message("ten".into()), 16);
            }
        }
        let expected: Vec<_> = (4..=10)
            .map(Some)
            .chain([None])
            .chain((11..20).map(Some))
            .collect();
        let mut left = Vec::new();
        while let Some(step) = inbound.pop() {
            left.push(match step {
                Step::Ping(data) => data.first().copied(),
                _ => None,
            });
        }
        assert_eq!(left, expected);
    }
}

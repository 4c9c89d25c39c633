use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crossws_core::{DRAIN_MARK, Limits, Message, Overflow};

use crate::Frame;

/// The frames that wait to be written to one client, within the bounds of `Limits`.
pub(crate) struct Outbox {
    queue: VecDeque<Queued>,
    limits: Limits,
    /// The payload bytes of the queued messages. Control frames are few and do not count.
    bytes: usize,
    messages: usize,
    dropped: u64,
    /// The time since which messages have waited without any being written.
    stuck_since: Option<Duration>,
    /// Whether more than `DRAIN_MARK` bytes have piled up since the queue was last empty.
    piled: bool,
    /// A bound was reached under `Overflow::Close`.
    overflowed: bool,
}

struct Queued {
    frame: Frame,
    at: Duration,
    /// A later message with the same key replaces this one.
    key: Option<Arc<str>>,
}

/// A message that did not fit, and how many messages were lost with it.
#[derive(Debug)]
pub(crate) struct Full {
    pub(crate) message: Message,
    pub(crate) dropped: u64,
}

impl Outbox {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            queue: VecDeque::new(),
            limits,
            bytes: 0,
            messages: 0,
            dropped: 0,
            stuck_since: None,
            piled: false,
            overflowed: false,
        }
    }

    /// Applies these limits from now on.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Queues a message. Returns how many older ones were discarded for it.
    pub(crate) fn push(
        &mut self,
        message: Message,
        key: Option<&Arc<str>>,
        now: Duration,
    ) -> Result<u64, Full> {
        let mut dropped = self.expire(now);
        let older = key.and_then(|key| self.take_out(key));
        let full = !self.fits(&message) || self.age_deadline().is_some_and(|at| at <= now);
        if full {
            match self.limits.overflow {
                Overflow::DropOldest => {
                    while !self.fits(&message) && self.drop_oldest() {
                        dropped += 1;
                    }
                }
                Overflow::DropNewest => {
                    if let Some((at, older)) = older {
                        // No message replaces it.
                        self.put_back(at, older);
                    }
                    self.dropped += 1;
                    dropped += 1;
                    return Err(Full { message, dropped });
                }
                // `Close`, and policies that core may add.
                _ => {
                    dropped += self.overflow() + 1;
                    self.dropped += 1;
                    return Err(Full { message, dropped });
                }
            }
        }
        self.bytes += message.len();
        self.messages += 1;
        self.piled |= self.bytes > DRAIN_MARK;
        self.stuck_since.get_or_insert(now);
        let frame = Frame::Message(message);
        self.queue.push_back(Queued {
            frame,
            at: now,
            key: key.cloned(),
        });
        Ok(dropped)
    }

    /// Takes out the queued message with this key, if there is one, with its position.
    fn take_out(&mut self, key: &Arc<str>) -> Option<(usize, Queued)> {
        let has_key = |queued: &Queued| queued.key.as_ref() == Some(key);
        let at = self.queue.iter().position(has_key)?;
        Some((at, self.remove(at)?))
    }

    /// Puts a message back at its position.
    fn put_back(&mut self, at: usize, queued: Queued) {
        if let Frame::Message(message) = &queued.frame {
            self.bytes += message.len();
            self.messages += 1;
        }
        self.queue.insert(at, queued);
    }

    /// Returns whether a message fits. One always fits into an empty queue: its size is the
    /// application's own choice, and not a sign of a slow client.
    fn fits(&self, message: &Message) -> bool {
        let bytes = self.bytes.saturating_add(message.len());
        self.messages == 0
            || (self.limits.max_buffered.allows(bytes)
                && self.limits.max_queued.allows(self.messages + 1))
    }

    fn drop_oldest(&mut self) -> bool {
        let is_message = |queued: &Queued| matches!(queued.frame, Frame::Message(_));
        let Some(at) = self.queue.iter().position(is_message) else {
            return false;
        };
        self.remove(at);
        self.dropped += 1;
        true
    }

    /// Takes out a message.
    fn remove(&mut self, at: usize) -> Option<Queued> {
        let queued = self.queue.remove(at)?;
        if let Frame::Message(message) = &queued.frame {
            self.bytes -= message.len();
            self.messages -= 1;
            if self.messages == 0 {
                self.stuck_since = None;
            }
        }
        Some(queued)
    }

    /// Discards everything. The connection then closes.
    fn overflow(&mut self) -> u64 {
        let lost = self.messages as u64;
        self.dropped += lost;
        self.clear();
        self.overflowed = true;
        lost
    }

    /// Applies the policy to messages that have waited too long. Returns how many it discarded.
    pub(crate) fn expire(&mut self, now: Duration) -> u64 {
        if self.age_deadline().is_none_or(|at| at > now) {
            return 0;
        }
        match self.limits.overflow {
            // There is no new message to refuse; `push` refuses those.
            Overflow::DropNewest => 0,
            Overflow::DropOldest => {
                let mut dropped = 0;
                while self.age_deadline().is_some_and(|at| at <= now) && self.drop_oldest() {
                    dropped += 1;
                }
                dropped
            }
            _ => self.overflow(),
        }
    }

    /// Returns when the head of the queue will have waited too long.
    fn age_deadline(&self) -> Option<Duration> {
        let since = match self.limits.overflow {
            Overflow::DropOldest => self
                .queue
                .iter()
                .find(|queued| matches!(queued.frame, Frame::Message(_)))
                .map(|queued| queued.at),
            _ => self.stuck_since,
        };
        Some(since?.saturating_add(self.limits.max_queue_age?))
    }

    /// Returns when to call [`expire`](Self::expire).
    pub(crate) fn next_due(&self) -> Option<Duration> {
        match self.limits.overflow {
            Overflow::DropNewest => None,
            _ => self.age_deadline(),
        }
    }

    /// Queues a control frame after what is queued.
    pub(crate) fn push_control(&mut self, frame: Frame, now: Duration) {
        self.queue.push_back(Queued {
            frame,
            at: now,
            key: None,
        });
    }

    pub(crate) fn has_ping(&self) -> bool {
        self.frames().any(|frame| matches!(frame, Frame::Ping(_)))
    }

    /// Queues a pong of the application. Beyond 16, the latest ones are kept.
    pub(crate) fn push_pong(&mut self, data: Bytes, now: Duration) {
        const MOST_PONGS: usize = 16;
        let is_pong = |queued: &Queued| matches!(queued.frame, Frame::Pong(_));
        if self.queue.iter().filter(|queued| is_pong(queued)).count() >= MOST_PONGS
            && let Some(oldest) = self.queue.iter().position(is_pong)
        {
            self.queue.remove(oldest);
        }
        self.push_control(Frame::Pong(data), now);
    }

    /// Queues the reply to a ping: only the latest ping needs one (RFC 6455 section 5.5.3).
    pub(crate) fn answer_ping(&mut self, data: Bytes, now: Duration) {
        self.queue
            .retain(|queued| !matches!(queued.frame, Frame::Pong(_)));
        self.push_control(Frame::Pong(data), now);
    }

    /// Takes everything to be written. Returns also whether the `drain` hook must be notified.
    pub(crate) fn take(&mut self) -> (impl Iterator<Item = Frame> + use<>, bool) {
        let drained = self.piled;
        let queue = std::mem::take(&mut self.queue);
        self.clear();
        (queue.into_iter().map(|queued| queued.frame), drained)
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
        self.bytes = 0;
        self.messages = 0;
        self.stuck_since = None;
        self.piled = false;
    }

    fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.queue.iter().map(|queued| &queued.frame)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Returns whether more than half of either bound is used, or whether a reply as long as the
    /// next message would not fit.
    pub(crate) fn is_congested(&self, next: usize) -> bool {
        let most = self.limits.max_buffered.get();
        self.bytes > most / 2
            || self.messages > self.limits.max_queued.get() / 2
            || (self.bytes > 0 && self.bytes.saturating_add(next) > most)
    }

    /// Whether more than half of either bound would be used with a message of this length.
    pub(crate) fn would_be_half(&self, len: usize) -> bool {
        self.bytes.saturating_add(len) > self.limits.max_buffered.get() / 2
            || self.messages + 1 > self.limits.max_queued.get() / 2
    }

    pub(crate) fn has_messages(&self) -> bool {
        self.messages > 0
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(crate) fn overflowed(&self) -> bool {
        self.overflowed
    }
}

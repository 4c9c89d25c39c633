//! What is reported of messages that were queued for one peer or for many.

use tracing::Span;

use super::Watch;
use crate::error::SendError;
use crate::message::Message;
use crate::message::send::{SendOptions, Sent};
use crate::observe::observer::{Audience, Emitted};
use crate::observe::telling::Telling;
use crate::observe::trace::Trace;
use crate::peer::Peer;
use crate::pubsub::published::Published;
use crate::pubsub::topic::Each;

/// Sends a message to one followed peer.
#[cold]
#[inline(never)]
pub(crate) fn send(
    peer: &Peer,
    message: Message,
    options: &SendOptions,
) -> Result<Sent, SendError> {
    match peer.watch() {
        None => peer.transport().send(message, options),
        Some(watch) => watch.send(peer, message, options),
    }
}

impl Watch {
    /// Sends a message to one peer.
    fn send(
        &self,
        peer: &Peer,
        message: Message,
        options: &SendOptions,
    ) -> Result<Sent, SendError> {
        let bytes = message.len();
        // A handle, because the transport keeps the message.
        let kept = self.reports_messages().then(|| message.clone());
        let is_answer = !self.observers.is_empty() && Telling::is_under_way(self.address());
        let before = is_answer.then(|| peer.dropped());
        let sent = peer.transport().send(message, options);
        if let Some(before) = before {
            peer.note_loss(peer.dropped().saturating_sub(before));
        }
        if matches!(sent, Ok(Sent::Written | Sent::Queued { .. })) {
            self.counters.count_sent(bytes, 1);
            if let Some(message) = &kept {
                let one = Published::new(1, 0);
                let emitted = Emitted::published(message, Audience::Peer(peer), one);
                self.report(&emitted, self.message_trace());
            }
        }
        sent
    }

    /// Counts and reports a queued message.
    fn emitted(&self, emitted: &Emitted<'_>, trace: Option<&Trace>) {
        self.counters
            .count_sent(emitted.message.len(), emitted.queued);
        self.report(emitted, trace);
    }

    /// Reports a queued message that is counted.
    #[cold]
    #[inline(never)]
    fn report(&self, emitted: &Emitted<'_>, trace: Option<&Trace>) {
        self.tell_of_message(&self.listeners, |it| it.emitted(emitted));
        if let Some(trace) = trace {
            trace.emitted(emitted);
        }
    }

    /// Counts a publication that need not be reported.
    #[inline]
    pub(crate) fn count_published(&self, message: &Message, published: Published) {
        self.counters
            .count_published(message.len(), published.queued);
    }

    /// Returns the publications that only this has counted, and in how many queues they are.
    pub(crate) fn publications(&self) -> (u64, u64) {
        self.counters.publications()
    }

    /// Counts a publication, and reports it to the observers alone.
    #[inline]
    pub(crate) fn tell_published(&self, message: &Message, to: Audience<'_>, published: Published) {
        self.counters.count_sent(message.len(), published.queued);
        let emitted = Emitted::published(message, to, published);
        self.tell_of_message(&self.listeners, |it| it.emitted(&emitted));
    }

    /// Publishes, in a span if messages are logged, and reports the publication. `recipients` are the
    /// peers that got it.
    #[cold]
    #[inline(never)]
    pub(crate) fn publish(
        &self,
        message: &Message,
        to: Audience<'_>,
        publish: impl FnOnce() -> Published,
        recipients: &dyn Fn() -> Vec<Peer>,
    ) -> Published {
        let Some(trace) = self.message_trace() else {
            let published = publish();
            self.tell_published(message, to, published);
            return published;
        };
        let span = trace.publish(to).entered();
        let published = publish();
        span.record("queued", published.queued);
        self.link(&span, recipients);
        self.emitted(&Emitted::published(message, to, published), Some(trace));
        published
    }

    /// Publishes to each peer a message of its own, in one span, and reports each.
    #[cold]
    #[inline(never)]
    pub(crate) fn publish_each<T>(
        &self,
        to: Audience<'_>,
        publish: impl FnOnce() -> (Vec<Each>, T),
    ) -> T {
        let trace = self.message_trace();
        let span = trace.map(|trace| trace.publish(to).entered());
        let (each, published) = publish();
        let queued = each.iter().filter(|each| each.receipt.queued);
        if let Some(span) = &span {
            span.record("queued", queued.clone().count());
            self.link(span, || {
                queued.clone().map(|each| each.peer.clone()).collect()
            });
        }
        for each in queued {
            let published = Published::new(1, each.receipt.dropped);
            let message = each.publication.message();
            let emitted = Emitted::published(message, Audience::Peer(&each.peer), published);
            self.emitted(&emitted, trace);
        }
        published
    }

    /// Links a publication's span to one for each recipient.
    fn link(&self, publish: &Span, recipients: impl FnOnce() -> Vec<Peer>) {
        let Some(trace) = self.trace().filter(|trace| trace.says_deliveries()) else {
            return;
        };
        for peer in recipients() {
            if let Some(watched) = peer.watched() {
                trace.deliver(publish, watched.connection(), &peer);
            }
        }
    }
}

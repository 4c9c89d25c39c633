//! The observers and the log of a hub, and the one place that calls them.

mod connections;
mod run;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::SystemTime;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Span};

use super::counters::Counters;
use super::observer::{Audience, Emitted, Observer};
use super::telling::{Telling, note_loss};
use super::trace::{self, Trace};
use crate::error::{Error, HookKind, SendError};
use crate::hooks::catch::panic_text;
use crate::message::Message;
use crate::message::send::{SendOptions, Sent};
use crate::peer::Peer;
use crate::peer::tasks::Tasks;
use crate::pubsub::published::Published;
use crate::pubsub::topic::Each;
use crate::transport::capabilities::Capabilities;

pub(crate) use self::connections::{connected, disconnected, dropped, rejected, restored, slow};
pub(crate) use self::run::CountedRun;

/// The observers and the log of a hub, and its counters for them. A hub without observers has none,
/// and pays one look at a pointer.
pub(crate) struct Watch {
    counters: Counters,
    observers: Vec<Arc<dyn Observer>>,
    /// Those of the observers that are told of each message.
    listeners: Vec<Arc<dyn Observer>>,
    trace: Option<Trace>,
    /// The level of messages in the log; `None` if messages are not logged.
    messages: Option<Level>,
    /// The level of the subscriber from which on messages are reported: [`LevelFilter::OFF`] if
    /// there are listeners. If no message is, the most verbose level, at which nothing is done for each
    /// report: one comparison less for every other.
    reports: LevelFilter,
}

impl Watch {
    pub(crate) fn new(observers: Vec<Arc<dyn Observer>>, trace: Option<Trace>) -> Self {
        let listens = |observer: &&Arc<dyn Observer>| observer.wants_messages();
        let listeners: Vec<_> = observers.iter().filter(listens).cloned().collect();
        let messages = trace.as_ref().and_then(Trace::level_of_messages);
        Self {
            counters: Counters::default(),
            reports: match listeners.is_empty() {
                true => messages.map_or(LevelFilter::TRACE, LevelFilter::from_level),
                false => LevelFilter::OFF,
            },
            listeners,
            messages,
            observers,
            trace,
        }
    }

    /// Returns whether there is an observer or a log besides the counters.
    pub(crate) fn has_watcher(&self) -> bool {
        !self.observers.is_empty() || self.trace.is_some()
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Calls every observer. A panic in one is logged and goes no further.
    fn tell(&self, tell: impl Fn(&dyn Observer)) {
        tell_each(&self.observers, tell);
    }

    /// As [`tell`](Self::tell), of a message. What an observer sends meanwhile goes unreported.
    fn tell_of_message(&self, observers: &[Arc<dyn Observer>], tell: impl Fn(&dyn Observer)) {
        if !observers.is_empty()
            && let Some(_telling) = Telling::begin(self)
        {
            tell_each(observers, tell);
        }
    }

    pub(super) fn trace(&self) -> Option<&Trace> {
        self.trace.as_ref()
    }

    /// Returns whether messages are logged.
    #[inline]
    pub(crate) fn says_messages(&self) -> bool {
        self.messages.is_some_and(trace::is_on)
    }

    /// Returns the log, if it wants messages.
    fn message_trace(&self) -> Option<&Trace> {
        self.trace.as_ref().filter(|_| self.says_messages())
    }

    /// Returns whether each message must be reported, and not only counted.
    #[inline]
    pub(crate) fn reports_messages(&self) -> bool {
        self.reports <= LevelFilter::current()
    }

    /// The hook of a message gets a span, if there is a log, or its time is taken.
    #[cold]
    #[inline(never)]
    fn watch_hook(&self, peer: &Peer, message: &Message, tasks: &mut Tasks, is_timed: bool) {
        let trace = self.message_trace();
        let span = trace.map(|trace| {
            let watched = peer.watched();
            let connection = watched.as_ref().map(|watched| watched.connection());
            let span = trace.message(connection.unwrap_or(&Span::none()), message);
            span.in_scope(|| trace.received(peer, message));
            span
        });
        tasks.set_watched(WatchedHook {
            span: span.unwrap_or_else(Span::none),
            hook: HookKind::Message,
            since: is_timed.then(|| now(peer)).flatten(),
        });
    }

    /// Reports another hook that begins, and runs with these tasks.
    #[cold]
    #[inline(never)]
    pub(crate) fn hook(&self, peer: &Peer, tasks: &mut Tasks) {
        if self.message_trace().is_some()
            && let Some(watched) = peer.watched()
        {
            tasks.set_watched(WatchedHook {
                span: watched.connection().clone(),
                hook: HookKind::Task,
                since: None,
            });
        }
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

    pub(crate) fn failed(&self, peer: &Peer, error: &Error) {
        self.tell(|it| it.failed(peer, error));
    }
}

/// A hook that runs in a span, or is timed.
pub(crate) struct WatchedHook {
    span: Span,
    hook: HookKind,
    since: Option<SystemTime>,
}

impl WatchedHook {
    /// Enters the span, without a guard: [`exit`](Self::exit) follows.
    pub(crate) fn enter(&self) {
        self.span.with_subscriber(|(id, to)| to.enter(id));
    }

    pub(crate) fn exit(&self) {
        self.span.with_subscriber(|(id, to)| to.exit(id));
    }

    /// Reports the hook's end.
    pub(crate) fn end(self, peer: &Peer) {
        if let Some(since) = self.since
            && let Some(now) = now(peer)
            && let Some(watch) = peer.watch()
        {
            let took = now.duration_since(since).unwrap_or_default();
            watch.counters.hook_ended(peer, self.hook, took);
            watch.tell(|it| it.hook_ended(peer, self.hook, took));
        }
    }
}

/// Calls every one of these observers. A panic in one is logged and goes no further.
#[inline]
fn tell_each(observers: &[Arc<dyn Observer>], tell: impl Fn(&dyn Observer)) {
    let mut rest = observers.iter();
    // Once for all of them, and once more for those that come after one that panics.
    while let Err(panic) = catch_unwind(AssertUnwindSafe(|| {
        rest.by_ref().for_each(|observer| tell(&**observer));
    })) {
        log_panic(&*panic);
    }
}

/// What is left to be done for a received message once it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remaining {
    /// Nothing.
    Counted,
    /// It must be reported.
    Report,
    /// It must be reported, and its hook timed.
    Time,
}

/// Reports a message of a followed peer before its hook, which runs with these tasks.
#[cold]
#[inline(never)]
pub(crate) fn received(
    peer: &Peer,
    message: Message,
    tasks: &mut Tasks,
    rest: Remaining,
) -> Message {
    if let Some(watch) = peer.watch() {
        tell_each(&watch.listeners, |it| it.received(peer, &message));
        let is_timed = rest == Remaining::Time;
        if is_timed || watch.says_messages() {
            watch.watch_hook(peer, &message, tasks, is_timed);
        }
    }
    message
}

/// Sends a message to one followed peer.
#[cold]
#[inline(never)]
pub(crate) fn send(
    peer: &Peer,
    message: Message,
    options: &SendOptions,
) -> Result<Sent, SendError> {
    let Some(watch) = peer.watch() else {
        return peer.transport().send(message, options);
    };
    let bytes = message.len();
    // A handle, because the transport keeps the message.
    let kept = watch.reports_messages().then(|| message.clone());
    let is_answer = !watch.observers.is_empty() && Telling::is_under_way(watch);
    let before = is_answer.then(|| peer.dropped());
    let sent = peer.transport().send(message, options);
    if let Some(before) = before {
        note_loss(peer, peer.dropped().saturating_sub(before));
    }
    if matches!(sent, Ok(Sent::Written | Sent::Queued { .. })) {
        watch.counters.count_sent(bytes, 1);
        if let Some(message) = &kept {
            let one = Published::new(1, 0);
            let emitted = Emitted::published(message, Audience::Peer(peer), one);
            watch.report(&emitted, watch.message_trace());
        }
    }
    sent
}

#[cold]
fn log_panic(panic: &(dyn Any + Send)) {
    let message = panic_text(panic);
    tracing::error!(message, "an observer panicked");
}

/// The time by the peer's transport, if it has a clock. Setting the wall clock does not change how long
/// anything took.
fn now(peer: &Peer) -> Option<SystemTime> {
    let has_clock = peer.capabilities().contains(Capabilities::EXPIRY);
    has_clock.then(|| peer.transport().steady())
}

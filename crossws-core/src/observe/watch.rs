//! The observers and the log of a hub, and the one place that calls them.

mod connections;
mod emitted;
mod run;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::SystemTime;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Span};

use super::counters::Counters;
use super::observer::Observer;
use super::telling::Telling;
use super::trace::{self, Trace};
use crate::error::{Error, HookKind};
use crate::hooks::catch::panic_text;
use crate::message::Message;
use crate::peer::Peer;
use crate::transport::capabilities::Capabilities;

pub(crate) use self::connections::rejected;
pub(crate) use self::emitted::send;
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

    /// Returns an address that identifies it while it lives.
    pub(super) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Calls every observer. A panic in one is logged and goes no further.
    fn tell(&self, tell: impl Fn(&dyn Observer)) {
        tell_each(&self.observers, tell);
    }

    /// As [`tell`](Self::tell), of a message. What an observer sends meanwhile goes unreported.
    #[inline]
    fn tell_of_message(&self, observers: &[Arc<dyn Observer>], tell: impl Fn(&dyn Observer)) {
        if !observers.is_empty()
            && let Some(_telling) = Telling::begin(self.address())
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

    /// Reports a message of a followed peer that comes to its hook. Returns the hook's state, if it is
    /// observed.
    #[inline]
    pub(crate) fn received(
        &self,
        peer: &Peer,
        message: &Message,
        rest: Remaining,
    ) -> Option<WatchedHook> {
        tell_each(&self.listeners, |it| it.received(peer, message));
        let is_timed = rest == Remaining::Time;
        (is_timed || self.says_messages()).then(|| self.watch_hook(peer, message, is_timed))
    }

    /// The hook of a message gets a span, if there is a log, or its time is taken.
    #[cold]
    #[inline(never)]
    fn watch_hook(&self, peer: &Peer, message: &Message, is_timed: bool) -> WatchedHook {
        let trace = self.message_trace();
        let span = trace.map(|trace| {
            let watched = peer.watched();
            let connection = watched.as_ref().map(|watched| watched.connection());
            let span = trace.message(connection.unwrap_or(&Span::none()), message);
            span.in_scope(|| trace.received(peer, message));
            span
        });
        WatchedHook {
            span: span.unwrap_or_else(Span::none),
            hook: HookKind::Message,
            since: is_timed.then(|| now(peer)).flatten(),
        }
    }

    /// Reports another hook that begins. Returns its state, if it is observed.
    #[cold]
    #[inline(never)]
    pub(crate) fn hook(&self, peer: &Peer) -> Option<WatchedHook> {
        self.message_trace()?;
        Some(WatchedHook {
            span: peer.watched()?.connection().clone(),
            hook: HookKind::Task,
            since: None,
        })
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

//! What is reported of connections, refused requests and HTTP responses.

use std::net::SocketAddr;

use tracing::Level;

use super::{Watch, now};
use crate::hooks::notice::{DropCause, Dropped};
use crate::hub::Hub;
use crate::hub::stats::refused::RejectReason;
use crate::message::close::Closed;
use crate::observe::observer::{Disconnected, Rejected, Responded};
use crate::observe::trace::{TARGET, events};
use crate::observe::watched::Watched;
use crate::peer::Peer;
use crate::sync::atomic::Ordering;
use crate::upgrade::rejection::Rejection;

impl Peer {
    /// Reports that the peer has joined.
    pub(crate) fn report_connected(&self) {
        let hub = self.hub();
        hub.counts().accepted.fetch_add(1, Ordering::Relaxed);
        self.life().announce();
        let watch = hub.watch();
        let trace = watch.and_then(Watch::trace);
        if watch.is_some() || tracing::enabled!(target: TARGET, Level::DEBUG) {
            let watched = Watched::new(trace, self, now(self));
            let connection = watched.connection().clone();
            self.extensions().insert(watched);
            connection.in_scope(|| events::connected(trace, self));
        }
        if let Some(watch) = watch {
            watch.tell(|it| it.connected(self));
        }
    }

    /// Reports that the peer, which has connected before, is in memory again.
    pub(crate) fn report_restored(&self) {
        self.life().announce();
        if let Some(watch) = self.watch() {
            let watched = Watched::new(watch.trace(), self, None);
            self.extensions().insert(watched);
        }
    }

    /// Reports how the connection has ended. Does nothing the second time, nor for a peer that has
    /// not connected.
    pub(crate) fn report_disconnected(&self, closed: &Closed) {
        if !self.life().take_announced() {
            return;
        }
        let hub = self.hub();
        hub.counts().closed.count(closed);
        let watch = hub.watch();
        let watched = self.watched();
        let now = watched.as_ref().and_then(|_| now(self));
        let disconnected = Disconnected {
            closed: closed.clone(),
            duration: now.and_then(|now| watched.as_ref()?.duration(now)),
        };
        let trace = watch.and_then(Watch::trace);
        let say = || events::disconnected(trace, self, &disconnected);
        match &watched {
            Some(watched) => watched.connection().in_scope(say),
            None => say(),
        }
        if let Some(watch) = watch {
            watch.tell(|it| it.disconnected(self, &disconnected));
        }
    }

    /// Reports that the peer has become a slow consumer.
    pub(crate) fn report_slow(&self) {
        if self.life().was_slow() {
            return;
        }
        let hub = self.hub();
        hub.counts().slow.fetch_add(1, Ordering::Relaxed);
        let watch = hub.watch();
        events::slow(watch.and_then(Watch::trace), self);
        if let Some(watch) = watch {
            watch.tell(|it| it.slow(self));
        }
    }

    /// Reports discarded messages of the peer.
    pub(crate) fn report_dropped(&self, dropped: Dropped) {
        if let DropCause::Overflow(_) = dropped.cause {
            self.report_slow();
        }
        let hub = self.hub();
        let counter = &hub.counts().dropped;
        counter.fetch_add(dropped.messages, Ordering::Relaxed);
        let watch = hub.watch();
        events::dropped(watch.and_then(Watch::trace), self, dropped);
        let Some(watch) = watch else { return };
        let all = dropped.messages;
        let watched = self.watched();
        let messages = watched.map_or(all, |watched| watched.untold.take_from(all));
        if messages > 0 {
            let dropped = Dropped::new(messages, dropped.cause);
            watch.tell_of_message(&watch.observers, |it| it.dropped(self, dropped));
        }
    }
}

/// Reports a refused request, with the reason of the hub's counters.
pub(crate) fn rejected(
    hub: &Hub,
    reason: RejectReason,
    rejection: &Rejection,
    (path, remote_addr): (&str, Option<SocketAddr>),
) {
    let watch = hub.watch();
    let rejected = Rejected {
        status: rejection.status(),
        reason,
        path,
        remote_addr,
        error: rejection.source(),
    };
    let level = match reason {
        RejectReason::Failed => Level::ERROR,
        RejectReason::Unavailable if rejected.error.is_some() => Level::ERROR,
        RejectReason::Origin => Level::INFO,
        _ => Level::DEBUG,
    };
    // Written by this project, and about HTTP: a body of the application may contain more than a
    // log should.
    let body = rejection.response().body();
    let said = (reason == RejectReason::Malformed).then(|| String::from_utf8_lossy(body));
    let trace = watch.and_then(Watch::trace);
    events::rejected(trace, level, &rejected, said.as_deref());
    if let Some(watch) = watch {
        watch.tell(|it| it.rejected(&rejected));
    }
}

impl Hub {
    /// Reports to the observers that the hub's server has answered an HTTP request. Servers that
    /// serve HTTP together with sockets must call it.
    pub fn responded(&self, responded: &Responded<'_>) {
        let Some(watch) = self.watch() else { return };
        watch.tell(|it| it.responded(responded));
        if let Some(trace) = watch.trace() {
            trace.responded(responded);
        }
    }

    /// Returns whether there is an observer or a log for HTTP responses: otherwise
    /// [`responded`](Self::responded) need not be called.
    pub fn is_watched(&self) -> bool {
        self.watch().is_some()
    }
}

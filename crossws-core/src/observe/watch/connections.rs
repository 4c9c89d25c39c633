//! What is reported of connections, refused requests and HTTP responses.

use std::net::SocketAddr;

use tracing::Level;

use super::{Watch, now};
use crate::hooks::notice::{DropCause, Dropped};
use crate::hub::Hub;
use crate::message::close::Closed;
use crate::observe::observer::{Disconnected, RejectReason, Rejected, Responded};
use crate::observe::trace::{self, Watched};
use crate::peer::Peer;
use crate::sync::atomic::Ordering;
use crate::upgrade::rejection::Rejection;

/// Reports that a peer has joined.
pub(crate) fn connected(peer: &Peer) {
    let hub = peer.hub();
    hub.counts().accepted.fetch_add(1, Ordering::Relaxed);
    peer.life().announce();
    let watch = hub.watch();
    if watch.is_some() || tracing::enabled!(target: trace::TARGET, Level::DEBUG) {
        let watched = Watched::new(watch.and_then(Watch::trace), peer, now(peer));
        let connection = watched.connection().clone();
        peer.extensions().insert(watched);
        connection.in_scope(|| trace::connected(peer));
    }
    if let Some(watch) = watch {
        watch.tell(|it| it.connected(peer));
    }
}

/// Reports that a peer that has connected before is in memory again.
pub(crate) fn restored(peer: &Peer) {
    peer.life().announce();
    if let Some(watch) = peer.watch() {
        let watched = Watched::new(watch.trace(), peer, None);
        peer.extensions().insert(watched);
    }
}

/// Reports how a peer's connection has ended. Does nothing the second time, nor for a peer that has
/// not connected.
pub(crate) fn disconnected(peer: &Peer, closed: &Closed) {
    if !peer.life().take_announced() {
        return;
    }
    let hub = peer.hub();
    hub.counts().closed.count(closed);
    let watched = peer.watched();
    let now = watched.as_ref().and_then(|_| now(peer));
    let disconnected = Disconnected {
        closed: closed.clone(),
        duration: now.and_then(|now| watched.as_ref()?.duration(now)),
    };
    let say = || trace::disconnected(peer, &disconnected);
    match &watched {
        Some(watched) => watched.connection().in_scope(say),
        None => say(),
    }
    if let Some(watch) = hub.watch() {
        watch.tell(|it| it.disconnected(peer, &disconnected));
    }
}

/// Reports that a peer has become a slow consumer.
pub(crate) fn slow(peer: &Peer) {
    if peer.life().was_slow() {
        return;
    }
    let hub = peer.hub();
    hub.counts().slow.fetch_add(1, Ordering::Relaxed);
    trace::slow(peer);
    if let Some(watch) = hub.watch() {
        watch.tell(|it| it.slow(peer));
    }
}

/// Reports discarded messages of a peer.
pub(crate) fn dropped(peer: &Peer, dropped: Dropped) {
    if let DropCause::Overflow(_) = dropped.cause {
        slow(peer);
    }
    let hub = peer.hub();
    let counter = &hub.counts().dropped;
    counter.fetch_add(dropped.messages, Ordering::Relaxed);
    trace::dropped(peer, dropped);
    let Some(watch) = hub.watch() else { return };
    let all = dropped.messages;
    let messages = peer
        .watched()
        .map_or(all, |watched| watched.untold.take_from(all));
    if messages > 0 {
        let dropped = Dropped::new(messages, dropped.cause);
        watch.tell_of_message(&watch.observers, |it| it.dropped(peer, dropped));
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
    trace::rejected(watch, level, &rejected, said.as_deref());
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

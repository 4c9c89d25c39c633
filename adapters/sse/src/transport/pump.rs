use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crossws_core::adapter::{
    Background, Liveness, LivenessEvent, Notice, OpeningPeer, PeerEvents, Session,
};
use crossws_core::{BoxFuture, Closed, ClosedBy, Error, Hooks, Limits, Message, Peer};
use crossws_proto::connection::excuse;
use crossws_proto::reasons;

use crate::transport::connection::Connection;

/// Runs one connection's hooks, and keeps its time.
pub(crate) struct Pump {
    connection: Arc<Connection>,
    background: Arc<dyn Background>,
    peer: Peer,
    lifeline: PeerEvents,
    limits: Limits,
    live: Liveness,
    grace: Duration,
    /// When this side began to close.
    closing_since: Option<Duration>,
    /// The time by which the client is judged, and when it goes on after it has stood still.
    judged: Duration,
    excused_until: Option<Duration>,
    timer: Option<(Duration, BoxFuture<'static, ()>)>,
    drain_due: bool,
    failed: Option<Error>,
    timed_out: bool,
    closed: Option<Closed>,
}

enum Next {
    Message(Message),
    Drain,
    Failed(Error),
    Notice(Notice),
    Closed(Closed),
}

/// Runs a connection from its `open` hook to the end of its `close` hook.
pub(crate) async fn run<H: Hooks + ?Sized>(
    joined: OpeningPeer<H>,
    connection: Arc<Connection>,
    background: Arc<dyn Background>,
    grace: Duration,
) {
    let peer = joined.peer().clone();
    let limits = peer.settings().limits.clone();
    connection.tell(joined.lifeline());
    let now = background.now();
    let mut pump = Pump {
        // A stream's comments stand for the pings. They are not answered.
        live: Liveness::without_pings(&limits, peer.id(), now),
        lifeline: joined.lifeline(),
        connection,
        background,
        peer,
        limits,
        grace,
        closing_since: None,
        judged: now,
        excused_until: None,
        timer: None,
        drain_due: false,
        failed: None,
        timed_out: false,
        closed: None,
    };
    let mut session = pump.alongside(joined.open()).await;
    let closed = loop {
        match poll_fn(|cx| pump.poll_next(&mut session, cx)).await {
            Next::Message(message) => pump.alongside(session.message(message)).await,
            Next::Drain => pump.alongside(session.drain()).await,
            Next::Failed(error) => pump.alongside(session.error(error)).await,
            Next::Notice(notice) => pump.alongside(session.notice(notice)).await,
            Next::Closed(closed) => break closed,
        }
    };
    session.close(closed).await;
}

impl Pump {
    /// Runs a hook to its end, and keeps the connection's time concurrently.
    async fn alongside<F: Future>(&mut self, hook: F) -> F::Output {
        let mut hook = pin!(hook);
        poll_fn(|cx| {
            self.turn(cx);
            hook.as_mut().poll(cx)
        })
        .await
    }

    fn poll_next<H: Hooks + ?Sized>(
        &mut self,
        session: &mut Session<H>,
        cx: &mut Context<'_>,
    ) -> Poll<Next> {
        self.turn(cx);
        if std::mem::take(&mut self.drain_due) && self.closed.is_none() {
            return Poll::Ready(Next::Drain);
        }
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Next::Failed(error));
        }
        if self.closed.is_none()
            && let Poll::Ready(notice) = session.poll_notice(cx)
        {
            return Poll::Ready(Next::Notice(notice));
        }
        // What the client has sent before its end comes first.
        if let Some(message) = self.connection.next_message(self.closed.is_some()) {
            return Poll::Ready(Next::Message(message));
        }
        match &self.closed {
            Some(closed) => Poll::Ready(Next::Closed(closed.clone())),
            None => Poll::Pending,
        }
    }

    /// Looks at everything but the hooks.
    fn turn(&mut self, cx: &mut Context<'_>) {
        self.connection.watch(cx);
        loop {
            self.look();
            let Some(due) = self.next_due() else {
                self.timer = None;
                self.connection.wakes_at(None);
                return;
            };
            let left = due.saturating_sub(self.background.now());
            let (_, timer) = match &mut self.timer {
                Some(timer) if timer.0 <= due => timer,
                timer => timer.insert((due, self.background.sleep(left))),
            };
            if timer.as_mut().poll(cx).is_pending() {
                let wakes_at = self.timer.as_ref().map(|(due, _)| *due);
                self.connection.wakes_at(wakes_at);
                return;
            }
            self.timer = None;
        }
    }

    fn look(&mut self) {
        if self.closed.is_some() {
            return;
        }
        let outbox = &self.connection.outbox;
        if outbox.has_lost() {
            outbox.tell_lost(&self.lifeline, self.limits.overflow);
            // Not at each look: a hook that waits for the queue would be woken by its own task, without pause.
            self.lifeline.drained();
        }
        self.drain_due |= self.connection.take_drained();
        // Events count from `now`. Only deadlines are compared with `judged`.
        let now = self.background.now();
        let judged = self.judged_at(now);
        // Also while a hook is busy: a message counts from when it came.
        if self.connection.take_heard() {
            self.live.heard(now);
            self.live.active(now);
        }
        if let Some(violation) = self.connection.take_violation() {
            self.peer.close(violation.code(), violation.reason());
            self.failed = Some(Error::protocol(violation));
        }
        self.keep_time(now, judged);
        let closed_by_client = self.connection.is_closed_by_client();
        if closed_by_client {
            self.lifeline.ended();
        }
        let closing = closed_by_client
            || self.lifeline.closed_here()
            || self.connection.outbox.unsent_close().is_some();
        if closing && self.closing_since.is_none() {
            self.closing_since = Some(now);
        }
        let late = self.close_due().is_some_and(|due| judged >= due);
        if late {
            self.connection.close_too_late();
        }
        self.closed = self.connection.ended(closing, judged, self.grace);
        if let Some(closed) = &mut self.closed {
            if self.timed_out {
                closed.by = ClosedBy::Timeout;
            }
            self.lifeline.ended();
            self.connection.end();
        }
    }

    /// Returns the time by which the client is judged. It stands still for a moment after this task was
    /// woken late ([`excuse`]): what the client has sent meanwhile (a message, a request for the stream's rest)
    /// has arrived, and other tasks have yet to read it.
    fn judged_at(&mut self, now: Duration) -> Duration {
        if let Some((due, _)) = self.timer
            && self.excused_until.is_none()
            && let Some(more) = excuse(now.saturating_sub(due))
        {
            self.excused_until = Some(now.saturating_add(more));
        }
        if self.excused_until.is_none_or(|until| until <= now) {
            self.excused_until = None;
            self.judged = now;
        }
        self.judged
    }

    fn close_due(&self) -> Option<Duration> {
        let since = self.closing_since?;
        Some(since.saturating_add(self.limits.close_timeout))
    }

    /// Acts on the deadlines that have passed.
    fn keep_time(&mut self, now: Duration, judged: Duration) {
        let too_old = self.connection.too_old_at();
        if too_old.is_some_and(|due| judged >= due) {
            self.connection.too_old();
        }
        let expires_at = self.lifeline.expires_at();
        let steady_clock = || self.background.steady_clock();
        self.live.credentials(expires_at, now, steady_clock);
        loop {
            let due = match judged == now {
                true => self.live.poll(now),
                false => self.live.poll_own(now),
            };
            let Some(due) = due else {
                return;
            };
            match due {
                LivenessEvent::Expired => self.peer.close_frame(reasons::expired()),
                LivenessEvent::CredentialsExpired => {
                    if let Some(at) = expires_at {
                        self.lifeline.expired(at);
                    }
                }
                LivenessEvent::Inactive => self.lifeline.inactive(),
                LivenessEvent::Silent => {
                    self.timed_out = true;
                    self.connection.outbox.close_with(Some(reasons::silent()));
                    self.connection.wake();
                }
                // Pings are off.
                _ => {}
            }
        }
    }

    fn next_due(&self) -> Option<Duration> {
        if self.closed.is_some() {
            return None;
        }
        if self.excused_until.is_some() {
            return self
                .excused_until
                .into_iter()
                .chain(self.live.own_due())
                .min();
        }
        let detached = self.connection.next_due(self.grace, self.background.now());
        let too_old = self.connection.too_old_at();
        [self.live.next_due(), detached, too_old, self.close_due()]
            .into_iter()
            .flatten()
            .min()
    }
}

/// However the pump ends, its connection is over.
impl Drop for Pump {
    fn drop(&mut self) {
        self.connection.end();
    }
}

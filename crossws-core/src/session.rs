//! From the 101 to the end: a connection's hooks, one at a time.

pub(crate) mod accepted;
pub(crate) mod claim;
pub(crate) mod control_rate;
pub(crate) mod liveness;
pub(crate) mod restored_peer;
pub(crate) mod unfinished;

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::error::{ControlError, Error, ErrorKind, HookKind, SendError, SubscribeError};
use crate::hooks::catch::{catch, catch_panic};
use crate::hooks::notice::{Kind, Notice, Subscription};
use crate::hooks::{Hooks, OnError};
use crate::message::Message;
use crate::message::close::{CloseFrame, Closed, ClosedBy};
use crate::observe::watch::Remaining;
use crate::peer::Peer;
use crate::peer::deadlines::expiry::ExpiryError;
use crate::peer::events::PeerEvents;
use crate::peer::labels::label_index::LabelError;
use crate::peer::life::PeerState;
use crate::peer::life::membership::Membership;
use crate::peer::tasks::Tasks;
use crate::pubsub::topic_kind::TopicKind;

/// A peer whose `open` hook has not run. If it is dropped, the peer is gone and no hook runs.
pub struct OpeningPeer<H: Hooks + ?Sized> {
    hooks: Arc<H>,
    membership: Membership,
}

/// Runs a hook of a session, concurrently with the peer's own futures, and reports its error. Not a
/// function, which would move the hook's future once more.
macro_rules! run_hook {
    ($session:ident, $kind:ident, |$hooks:ident, $peer:ident| $hook:expr) => {{
        let ($hooks, $peer) = (&$session.hooks, &$session.membership.peer);
        let hook = catch(HookKind::$kind, async { $hook.await });
        let result = $session.tasks.alongside($peer, hook).await;
        if let Err(error) = result {
            $session.settle(error).await;
        }
    }};
}

impl<H: Hooks + ?Sized> OpeningPeer<H> {
    pub(crate) fn new(hooks: Arc<H>, membership: Membership) -> Self {
        Self { hooks, membership }
    }

    /// Returns the peer.
    pub fn peer(&self) -> &Peer {
        &self.membership.peer
    }

    /// Returns the handle with which the adapter reports events while a hook runs.
    pub fn lifeline(&self) -> PeerEvents {
        PeerEvents::new(self.membership.peer.clone())
    }

    /// Runs the `open` hook to its end. The returned type is the one that has messages.
    ///
    /// # Cancel safety
    /// Dropping the future drops the hook and the peer; its `close` hook does not run.
    pub async fn open(self) -> Session<H> {
        let mut session = self.resume();
        run_hook!(session, Open, |hooks, peer| hooks.open(peer));
        session
    }

    /// Returns the session of a restored peer, whose `open` hook has run before.
    pub fn resume(self) -> Session<H> {
        Session {
            hooks: self.hooks,
            tasks: Tasks::default(),
            membership: self.membership,
        }
    }
}

crate::opaque_debug!([H: Hooks + ?Sized] OpeningPeer<H>, self =>
    (format_args!("{}", self.membership.peer)));

/// An open connection: runs the hooks, one at a time. The receivers of its methods ensure that
/// `open` came first, that hooks do not overlap and that `close` runs once.
///
/// If it is dropped without [`close`](Self::close), the peer is gone and its `close` hook does not
/// run.
pub struct Session<H: Hooks + ?Sized> {
    hooks: Arc<H>,
    // Before `membership`: the peer's own futures are dropped while it is still whole.
    tasks: Tasks,
    membership: Membership,
}

impl<H: Hooks + ?Sized> Session<H> {
    /// Returns the peer.
    pub fn peer(&self) -> &Peer {
        &self.membership.peer
    }

    /// Runs the `message` hook. Does nothing if this side has closed: of a peer that a hook closed,
    /// only `close` runs.
    ///
    /// # Cancel safety
    /// None of the session's hooks is safe to drop in the middle: the hook's work stops at its
    /// await.
    #[expect(clippy::manual_async_fn, reason = "it moves each message once more")]
    pub fn message(&mut self, mut message: Message) -> impl Future<Output = ()> {
        async move {
            let peer = &self.membership.peer;
            if peer.closed_here().is_some() {
                return;
            }
            if peer.life().is_followed() {
                let rest = self.tasks.count(peer, message.len());
                if rest != Remaining::Counted {
                    message = self.tasks.report(peer, message, rest);
                }
            }
            let hook = async { self.hooks.message(peer, message).await };
            let result = self
                .tasks
                .alongside_message(peer, catch(HookKind::Message, hook))
                .await;
            if let Err(error) = result {
                self.settle(error).await;
            }
        }
    }

    /// Runs the `ping` hook, as [`message`](Self::message) does.
    pub async fn ping(&mut self, data: Bytes) {
        if self.peer().closed_here().is_none() {
            run_hook!(self, Ping, |hooks, peer| hooks.ping(peer, data));
        }
    }

    /// Runs the `pong` hook, as [`message`](Self::message) does.
    pub async fn pong(&mut self, data: Bytes) {
        if self.peer().closed_here().is_none() {
            run_hook!(self, Pong, |hooks, peer| hooks.pong(peer, data));
        }
    }

    /// Runs the `drain` hook, if the peer is open.
    pub async fn drain(&mut self) {
        if self.peer().state() == PeerState::Open {
            run_hook!(self, Drain, |hooks, peer| hooks.drain(peer));
        }
    }

    /// Reports an error to the `error` hook and applies its decision.
    pub async fn error(&mut self, error: Error) {
        let must_close = !matches!(error.kind(), ErrorKind::Hook(_));
        let peer = &self.membership.peer;
        if let Some(watch) = peer.watch() {
            watch.failed(peer, &error);
        }
        let hook = async { self.hooks.error(peer, error).await };
        let hook = catch_panic(HookKind::Error, hook);
        // No hook is left to report a panic here to; the peer is closed as by default.
        let answer = self.tasks.alongside(peer, hook).await;
        let answer = answer.unwrap_or_else(|error| {
            tracing::error!(%peer, %error, "closing a peer after an error");
            OnError::default()
        });
        match answer {
            OnError::Close(frame) => peer.close_frame(frame),
            OnError::Keep if must_close => peer.close_frame(CloseFrame::internal_error()),
            OnError::Keep => {}
        }
    }

    /// Polls the futures that the peer spawned. Ready with a failure among them, or a hook that is
    /// due. The adapter calls it while no hook runs, and passes the result to
    /// [`notice`](Self::notice).
    pub fn poll_notice(&mut self, cx: &mut Context<'_>) -> Poll<Notice> {
        self.poll_tasks(cx);
        self.next_notice().map_or(Poll::Pending, Poll::Ready)
    }

    /// Polls the futures that the peer spawned, and leaves what is due to
    /// [`next_notice`](Self::next_notice): for an adapter that lets other tasks run before.
    pub fn poll_tasks(&mut self, cx: &mut Context<'_>) {
        self.tasks.poll(&self.membership.peer, cx);
    }

    /// Returns what was due when the futures were last polled, the oldest first. An adapter takes all of
    /// it before the client's next message: what messages bring about must not pile up meanwhile.
    #[inline]
    pub fn next_notice(&mut self) -> Option<Notice> {
        self.tasks.take_notice()
    }

    /// Runs the hook that is due: `error`, `subscription`, `dropped` or `timer`.
    pub async fn notice(&mut self, notice: Notice) {
        match notice.0 {
            Kind::Failed(error) => self.error(error).await,
            Kind::Subscription {
                topic,
                kind,
                joined,
            } => {
                let peer = self.peer();
                let scope = Some(peer.namespace());
                let subscribers = peer.hub().registry().count(scope, kind, &topic);
                let event = Subscription {
                    topic,
                    is_pattern: kind == TopicKind::Pattern,
                    joined,
                    subscribers,
                };
                run_hook!(self, Subscription, |hooks, peer| hooks
                    .subscription(peer, event));
            }
            Kind::Dropped(dropped) => {
                run_hook!(self, Dropped, |hooks, peer| hooks.dropped(peer, dropped));
            }
            Kind::Timer(name) => {
                if self.peer().begin_timer(&name) {
                    run_hook!(self, Timer, |hooks, peer| hooks.timer(peer, &name));
                }
            }
        }
    }

    /// Ends the connection: the peer leaves every list and topic, the `close` hook runs, and the
    /// peer's own futures are dropped after it.
    pub async fn close(mut self, mut closed: Closed) {
        let peer = &self.membership.peer;
        if closed.by == ClosedBy::Server
            && let Some(by) = peer.closed_here()
        {
            closed.by = by;
        }
        peer.ended();
        // Now, because no hook except `error` for its own failure runs after `close`.
        self.tasks.collect(self.membership.peer.inbox());
        self.tasks.end_run(&self.membership.peer);
        while let Some(notice) = self.take_notice() {
            self.notice(notice).await;
        }
        let clean = closed.clean;
        let peer = &self.membership.peer;
        peer.over();
        peer.report_disconnected(&closed);
        // An error is reported like any other, without a connection left to close.
        run_hook!(self, Close, |hooks, peer| hooks.close(peer, closed));
        // What was left to be done must be done, also if an `error` hook here has left it.
        while !self.has_ended() {
            while let Some(cleanup) = self.tasks.take_cleanup(self.membership.peer.inbox()) {
                let peer = &self.membership.peer;
                let cleanup = catch(HookKind::OnClose, cleanup);
                if let Err(error) = self.tasks.alongside(peer, cleanup).await {
                    self.settle(error).await;
                }
            }
            while let Some(notice) = self.take_notice() {
                if let Kind::Failed(error) = notice.0 {
                    self.error(error).await;
                }
            }
        }
        if clean {
            self.membership.hub().count_flushed();
        }
    }

    /// Ends the session, if nothing is left that must run. Nothing is left to it from then on.
    fn has_ended(&self) -> bool {
        self.tasks.is_done() && self.membership.peer.inbox().end()
    }

    async fn settle(&mut self, error: Error) {
        if !self.is_departure(&error) {
            self.error(error).await;
        }
    }

    /// Returns the oldest notice, without those that report a departure.
    fn take_notice(&mut self) -> Option<Notice> {
        loop {
            let notice = self.tasks.take_notice()?;
            let departure = notice
                .failure()
                .is_some_and(|error| self.is_departure(error));
            if !departure {
                return Some(notice);
            }
        }
    }

    /// Returns whether an error only says that the peer had left. Applications write
    /// `peer.send(..)?`, and clients leave while hooks run: that is how connections end, and no
    /// failure.
    fn is_departure(&self, error: &Error) -> bool {
        let departed = self.peer().state() != PeerState::Open && says_closed(error);
        if departed {
            tracing::debug!(peer = %self.peer(), %error, "the peer left while a hook ran");
        }
        departed
    }
}

/// Returns whether the connection being closed is all that an error says.
fn says_closed(error: &Error) -> bool {
    matches!(error.downcast_ref(), Some(SendError::Closed(_)))
        || matches!(error.downcast_ref(), Some(ControlError::Closed))
        || matches!(error.downcast_ref(), Some(SubscribeError::Closed))
        || matches!(error.downcast_ref(), Some(ExpiryError::Closed))
        || matches!(error.downcast_ref(), Some(LabelError::Closed))
}

crate::opaque_debug!([H: Hooks + ?Sized] Session<H>, self => (format_args!("{}", self.peer())));

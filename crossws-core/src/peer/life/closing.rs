//! How a connection is ended, and who waits for that.

use crate::message::close::{CloseCode, CloseFrame, ClosedBy};
use crate::message::text::Utf8Bytes;
use crate::peer::Peer;
use crate::peer::events::PeerEvents;
use crate::peer::life::{End, PeerState};
use crate::peer::topics::subscription;

impl Peer {
    /// Waits until the connection is ending: the client is gone, this side closed, or the server
    /// stops. It resolves although a hook is running. While as many messages as
    /// `Limits::max_inbound` wait for that hook, the client is not read, and its end is seen only once
    /// a message is taken, or something cannot be sent.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn closed(&self) {
        loop {
            let listener = self.0.life.ended();
            if self.state() != PeerState::Open {
                return;
            }
            listener.await;
        }
    }

    /// Closes the connection: what was queued before is sent first, then the close frame. Later
    /// calls do nothing. The reason is cut to [`CloseFrame::MAX_REASON`] bytes.
    #[doc(alias = "disconnect")]
    #[doc(alias = "kick")]
    pub fn close(&self, code: CloseCode, reason: impl Into<Utf8Bytes>) {
        self.close_with(CloseFrame::new(code, reason), End::Server);
    }

    /// Closes the connection as [`close`](Self::close) does, with this frame:
    /// [`CloseFrame::without_code`] says neither a code nor a reason.
    pub fn close_frame(&self, frame: impl Into<CloseFrame>) {
        self.close_with(frame.into(), End::Server);
    }

    /// Closes the connection, if nothing has ended it before.
    pub(crate) fn close_with(&self, frame: CloseFrame, end: End) {
        if let Some(hooks) = self.begin_close(frame, end) {
            self.wake_for(hooks);
            self.0.transport.wake();
        }
    }

    /// Closes the connection without waking its task. If this is the first end, returns how many
    /// hooks the task must be woken for.
    fn begin_close(&self, frame: CloseFrame, end: End) -> Option<usize> {
        let first = self.end_asleep(end);
        if first.is_some() {
            self.0.transport.close(frame);
        }
        first
    }

    /// Closes peers of which there may be many. A transport may wake their tasks in groups, and let
    /// other tasks run in between.
    pub(crate) fn close_all(mut peers: Vec<Self>, frame: &CloseFrame, end: End) {
        peers.retain(|peer| peer.begin_close(frame.clone(), end).is_some());
        let peers = peers.into_iter().map(PeerEvents::new).collect();
        PeerEvents::wake_all(peers, |peer| peer.inbox().wake());
    }

    /// Drops the connection at once, without a close frame, also when a close is under way.
    pub fn terminate(&self) {
        self.end(End::Server);
        self.0.transport.terminate();
    }

    /// Takes the first step away from open: the peer leaves every list, and the tasks that wait for
    /// its end are woken. Returns whether this call was the first.
    fn end(&self, end: End) -> bool {
        let first = self.end_asleep(end);
        if let Some(hooks) = first {
            self.wake_for(hooks);
        }
        first.is_some()
    }

    /// As [`end`](Self::end), without waking the session for the hooks that are left to be run: how
    /// many it returns, if it is the first.
    fn end_asleep(&self, end: End) -> Option<usize> {
        if !self.0.life.end(end) {
            return None;
        }
        let topics = self.0.hub.registry().leave(self);
        let hooks = topics.len();
        for (topic, _) in topics {
            self.0.inbox.leave(subscription(&topic, false));
        }
        self.0.life.notify_ended();
        self.0.sleepers.end();
        Some(hooks)
    }

    /// Wakes the session, if any hooks are left to be run.
    fn wake_for(&self, hooks: usize) {
        if hooks > 0 {
            self.0.inbox.wake();
        }
    }

    /// Whether this side ended the connection, so that nothing more that arrives is delivered.
    pub(crate) fn closed_here(&self) -> Option<ClosedBy> {
        self.0.life.closed_here()
    }

    /// The connection is ending, and not by a call of ours. Does nothing the second time.
    pub(crate) fn ended(&self) {
        self.end(End::Others);
    }

    /// The connection is over: it is in no list or topic, and from here on the state is `Closed`.
    pub(crate) fn over(&self) {
        if !self.end(End::Others) {
            // The thread that took the first step may not have left the lists yet.
            self.0.hub.registry().leave(self);
        }
        self.0.life.set_over();
    }
}

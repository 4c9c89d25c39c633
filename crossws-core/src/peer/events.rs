//! What an adapter tells a peer.

use std::any::Any;
use std::time::SystemTime;

use crate::hooks::catch::contained;
use crate::hooks::notice::{Dropped, Kind, Notice};
use crate::message::close::{CloseCode, CloseFrame};
use crate::peer::Peer;
use crate::peer::life::End;
#[cfg(doc)]
use crate::transport::Transport;

/// An adapter's handle to a peer: reports events to it while a hook may be running.
#[derive(Clone, Debug)]
pub struct PeerEvents(Peer);

impl PeerEvents {
    pub(crate) fn new(peer: Peer) -> Self {
        Self(peer)
    }

    /// Wakes the writers of peers. Calls `alone` before, for each that no other's transport wakes.
    /// A waker that panics keeps no other from being woken. Called outside all locks.
    #[inline(never)] // most publications wake none
    pub(crate) fn wake_all(mut peers: Vec<Self>, alone: impl Fn(&Peer)) {
        while let Some(peer) = peers.pop() {
            contained(|| {
                alone(&peer.0);
                peer.0.transport().wake_with(&peer, &mut peers);
            });
        }
    }

    /// Returns the peer's transport, if it is of this type.
    pub fn transport<T: Any>(&self) -> Option<&T> {
        let transport: &dyn Any = self.0.transport();
        transport.downcast_ref()
    }

    /// Reports that the connection is ending: the client closed or is gone. The peer leaves every
    /// list and topic at once, and `Peer::closed` resolves. The `close` hook follows later.
    pub fn ended(&self) {
        self.0.ended();
    }

    /// Reports that the outbound queue has become shorter: the tasks in `Peer::drained` look again.
    /// Cheap if no task waits.
    pub fn drained(&self) {
        self.0.life().notify_drained();
    }

    /// Returns whether [`drained`](Self::drained) has a task to tell of a queue that has become shorter before this
    /// call. For an adapter that looks under a lock of its own, where it can wake no task.
    pub fn awaits_drain(&self) -> bool {
        self.0.life().awaits_drain()
    }

    /// Returns whether the peer's next message must wait, because a peer in its namespace to which
    /// it may write is behind ([`Peer::is_behind`]). A
    /// peer that has published before may write; for a peer of which nothing is known yet,
    /// `may_write` decides. Cheap while no peer is behind.
    #[inline]
    pub fn must_wait(&self, may_write: bool) -> bool {
        let behind = &self.0.hub().registry().behind;
        !behind.is_empty()
            && (may_write || self.0.life().publishes())
            && behind.any(self.0.namespace())
    }

    /// Returns when the peer's credentials, the first of its [sleeps](Peer::sleep) or of its
    /// [timers](Peer::set_timer) end, by the transport's [steady](Transport::steady) clock. The
    /// adapter keeps that time, as with
    /// [`Liveness::credentials`](crate::adapter::Liveness::credentials), and then calls
    /// [`expired`](Self::expired).
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.0.due_at()
    }

    /// Reports that the time of [`expires_at`](Self::expires_at) has come. Ends the sleeps and
    /// timers until then, or closes the peer with 4401 if its credentials end by then. Returns
    /// whether a timer is due, whose hook [`Session::poll_notice`](crate::adapter::Session::poll_notice) yields.
    pub fn expired(&self, at: SystemTime) -> bool {
        self.0.is_due(at)
    }

    /// Reports that messages for the peer were discarded: its `dropped` hook will run.
    pub fn dropped(&self, dropped: Dropped) {
        self.0.report_dropped(dropped);
        self.0.notify(Notice(Kind::Dropped(dropped)));
    }

    /// Closes a peer whose client has sent no message for longer than the peer's settings allow,
    /// with
    /// 3008. The adapter keeps that time with [`Liveness::active`](crate::adapter::Liveness::active).
    pub fn inactive(&self) {
        let frame = CloseFrame::new(CloseCode::TIMEOUT, "inactive");
        self.0.close_with(frame, End::Expiry);
    }

    /// Returns whether this side closed, so that messages that still arrive must not reach a hook.
    /// True from just before `Transport::close` or `Transport::terminate` is called, on any thread.
    pub fn closed_here(&self) -> bool {
        self.0.closed_here().is_some()
    }
}

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use crossws_client::Disconnected;
use crossws_core::adapter::sync::Mutex;
use crossws_core::{
    CloseCode, CloseFrame, Closed, ClosedBy, Message, Peer, Rejection, SendError, UpgradeRequest,
    WeakPeer,
};

use crate::callbacks::Callbacks;
use crate::ended::{Ended, EndedBy, frame_for_client};
use crate::error::ProxyError;

/// Most bytes that wait for a client before its upstream waits for it: about a socket's own buffer.
const MARK: usize = 64 << 10;

/// What the two connections of a client share.
pub(crate) struct Link {
    callbacks: Arc<Callbacks>,
    request: Option<UpgradeRequest>,
    /// The code for a client whose upstream failed.
    failed_with: CloseCode,
    client: OnceLock<Joined>,
    /// Messages that were sent to the client since all was written.
    unwritten: AtomicUsize,
    /// Why the target was not even tried, and the refusal of its function.
    refused: Mutex<Option<(ProxyError, Option<Rejection>)>>,
    opened: AtomicBool,
    /// The first end.
    ended: OnceLock<Ended>,
    is_told: AtomicBool,
}

/// The client's side, and half of what may wait for it.
struct Joined {
    peer: WeakPeer,
    bytes: usize,
    messages: usize,
}

impl Link {
    /// Begins to connect for this request.
    pub(crate) fn begin(
        callbacks: &Arc<Callbacks>,
        request: &UpgradeRequest,
        failed_with: CloseCode,
    ) -> Self {
        if let Some(connect) = &callbacks.on_connect {
            connect(request);
        }
        Self {
            callbacks: Arc::clone(callbacks),
            request: callbacks.on_close.is_some().then(|| request.clone()),
            failed_with,
            client: OnceLock::new(),
            unwritten: AtomicUsize::new(0),
            refused: Mutex::new(None),
            opened: AtomicBool::new(false),
            ended: OnceLock::new(),
            is_told: AtomicBool::new(false),
        }
    }

    /// Joins the client's side.
    pub(crate) fn join(&self, peer: &Peer) {
        let limits = &peer.settings().limits;
        let _ = self.client.set(Joined {
            peer: peer.downgrade(),
            bytes: MARK.min(limits.max_buffered.get() / 2),
            messages: limits.max_queued.get() / 2,
        });
    }

    fn peer(&self) -> Option<Peer> {
        self.client.get()?.peer.upgrade()
    }

    /// Tells that both sides are open, once they are.
    pub(crate) fn open(&self) {
        if let Some(peer) = self.peer()
            && !self.opened.swap(true, Ordering::AcqRel)
            && let Some(open) = &self.callbacks.on_open
        {
            open(&peer);
        }
    }

    /// Sends a message of the upstream to the client. Waits until the client has taken earlier ones, so
    /// that meanwhile the upstream is not read.
    pub(crate) async fn send(&self, message: Message) {
        // Before the client's side is open, only the future that contains this one is polled, and again
        // from the moment on in which it is, or is known never to be: no waker is needed.
        let client = poll_fn(|_| match self.client.get() {
            Some(client) => Poll::Ready(client.peer.upgrade().map(|peer| (peer, client))),
            None if self.ended.get().is_some() => Poll::Ready(None),
            None => Poll::Pending,
        });
        let Some((peer, bounds)) = client.await else {
            return;
        };
        let buffered = peer.buffered_amount();
        let count = match buffered {
            0 => 0,
            _ => self.unwritten.load(Ordering::Relaxed),
        };
        let fits = buffered + message.len() <= bounds.bytes && count < bounds.messages;
        let count = match fits || buffered == 0 {
            true => count,
            false => {
                peer.drained(0).await;
                0
            }
        };
        self.unwritten.store(count + 1, Ordering::Relaxed);
        match peer.send(message) {
            Ok(_) | Err(SendError::Closed(_)) => {}
            // A message that is larger than the whole queue, which refuses the newest.
            Err(error) => {
                tracing::debug!(%peer, %error, "a message does not fit a client's queue");
                peer.close_frame(CloseFrame::slow_consumer());
            }
        }
    }

    /// Notes that the target is not tried.
    pub(crate) fn refuse(&self, error: ProxyError, rejection: Option<Rejection>) {
        let refused = &mut *self.refused.lock();
        *refused = Some((error, rejection));
    }

    /// Ends a client whose upstream was not connected to. Returns its refusal.
    pub(crate) fn failed(&self, end: Arc<Disconnected>) -> (Arc<ProxyError>, Rejection) {
        let refused = self.refused.lock().take();
        let (error, rejection) = refused.unwrap_or((ProxyError::NotConnected(end), None));
        let error = Arc::new(error);
        let by = match &*error {
            ProxyError::NotConnected(_) => EndedBy::Upstream,
            _ => EndedBy::Server,
        };
        self.end(Ended::failed(by, Arc::clone(&error)));
        let rejection = rejection.unwrap_or_else(|| error.rejection());
        (error, rejection)
    }

    /// Ends the client after its upstream.
    pub(crate) fn upstream_ended(&self, end: Arc<Disconnected>) {
        let frame = match &*end {
            Disconnected::Closed(closed) => {
                let is_first = self.end(Ended::new(EndedBy::Upstream, closed));
                if is_first && closed.by != ClosedBy::Server {
                    tracing::debug!(?closed, "an upstream failed");
                }
                frame_for_client(closed, self.failed_with)
            }
            _ => {
                let (error, _) = self.failed(end);
                tracing::debug!(%error, "a client has no upstream");
                error.frame(self.failed_with)
            }
        };
        self.close(frame);
    }

    /// Notes that there is no client, if nothing else has ended it.
    pub(crate) fn abandon(&self) {
        self.end(Ended::new(EndedBy::Server, &Closed::lost(ClosedBy::Server)));
    }

    /// Notes the end of the client's side.
    pub(crate) fn client_ended(&self, closed: &Closed) {
        self.end(Ended::of_client(closed));
    }

    fn close(&self, frame: CloseFrame) {
        if let Some(peer) = self.peer() {
            peer.close_frame(frame);
        }
    }

    /// Records an end. Returns whether it is the first.
    fn end(&self, ended: Ended) -> bool {
        let opened = self.opened.load(Ordering::Acquire);
        self.ended.set(Ended { opened, ..ended }).is_ok()
    }

    /// Tells how it ended, once.
    pub(crate) fn tell(&self) {
        if self.is_told.swap(true, Ordering::AcqRel) {
            return;
        }
        if let (Some(request), Some(close)) = (&self.request, &self.callbacks.on_close) {
            self.abandon();
            if let Some(ended) = self.ended.get() {
                close(request, ended);
            }
        }
    }
}

/// An upgrade that was not completed, or a shutdown that did not wait.
impl Drop for Link {
    fn drop(&mut self) {
        self.tell();
    }
}

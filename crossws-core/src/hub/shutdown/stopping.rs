//! The beginning of a shutdown, and the wait for its end.

use crate::bounds::MaybeSend;
use crate::hub::Hub;
use crate::message::close::CloseFrame;
use crate::peer::Peer;
use crate::peer::life::End;
use crate::sync::atomic::Ordering;

impl Hub {
    /// Begins a shutdown: upgrades are refused with 503 from here on, and every peer is closed with
    /// `frame`. Await [`idle`](Self::idle) for the last `close` hook. If it is called several
    /// times, the first frame counts. A hub that two servers share stops for both.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// hub.shutdown(CloseCode::RESTART.into());
    /// assert!(hub.is_shutting_down() && !hub.is_ready());
    /// ```
    pub fn shutdown(&self, frame: CloseFrame) {
        let frame = self.refuse_upgrades(frame);
        self.close_for_shutdown(&frame);
    }

    pub(crate) fn close_for_shutdown(&self, frame: &CloseFrame) {
        Peer::close_all(self.peers(), frame, End::Shutdown);
    }

    /// Refuses upgrades from here on. Returns the frame that closes every peer.
    pub(crate) fn refuse_upgrades(&self, frame: CloseFrame) -> CloseFrame {
        self.turn_away();
        let frame = self.0.shutdown.lock().get_or_insert(frame).clone();
        self.0.stops.notify_all();
        frame
    }

    /// Returns whether a load balancer should send new clients here: for a readiness check. False
    /// from the first moment of a shutdown, also during its
    /// [`delay`](field@crate::Shutdown::delay), in which everything else goes on as before.
    ///
    /// ```
    /// # use crossws_core::*;
    /// fn readiness(hub: &Hub) -> http::StatusCode {
    ///     if hub.is_ready() { http::StatusCode::OK } else { http::StatusCode::SERVICE_UNAVAILABLE }
    /// }
    /// ```
    pub fn is_ready(&self) -> bool {
        !self.0.turns_away.load(Ordering::Relaxed)
    }

    /// Makes [`is_ready`](Self::is_ready) false, and has no other effect: the first step of a
    /// [`Shutdown`](crate::Shutdown) with a delay.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// hub.turn_away();
    /// assert!(!hub.is_ready());
    /// ```
    pub fn turn_away(&self) {
        self.0.turns_away.store(true, Ordering::Relaxed);
    }

    /// Returns whether a shutdown has begun.
    pub fn is_shutting_down(&self) -> bool {
        self.0.shutdown.lock().is_some()
    }

    /// Waits until a shutdown has begun: for responses that would not end by themselves, such as
    /// event streams. The future holds the hub.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the hub.
    pub fn stopping(&self) -> impl Future<Output = ()> + MaybeSend + use<> {
        let hub = self.clone();
        async move {
            loop {
                let listener = hub.0.stops.listen();
                if hub.is_shutting_down() {
                    return;
                }
                listener.await;
            }
        }
    }

    pub(crate) fn shutdown_frame(&self) -> Option<CloseFrame> {
        self.0.shutdown.lock().clone()
    }

    /// Waits until no connection has a hook left to run.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the hub.
    pub async fn idle(&self) {
        self.idle_but(|| 0).await;
    }

    /// As [`idle`](Self::idle), except for this many connections, whose hooks wait for it.
    pub(crate) async fn idle_but(&self, own: impl Fn() -> usize) {
        loop {
            let listener = self.0.idle.listen();
            if self.0.sessions.load(Ordering::SeqCst) <= own() {
                return;
            }
            listener.await;
        }
    }

    /// Notes that a hook begins to wait for the end of a shutdown.
    pub(crate) fn hook_waits(&self) {
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        self.0.idle.notify_all();
    }

    /// Notes that a hook no longer waits.
    pub(crate) fn hook_goes_on(&self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    /// Returns how many hooks wait for the end of a shutdown.
    pub(crate) fn waiting_hooks(&self) -> usize {
        self.0.waiting.load(Ordering::SeqCst)
    }

    /// Returns how many connections have ended with both close frames exchanged.
    pub(crate) fn flushed(&self) -> usize {
        self.0.flushed.load(Ordering::Acquire)
    }

    pub(crate) fn count_flushed(&self) {
        self.0.flushed.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn session_begins(&self) {
        self.0.sessions.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn session_ends(&self) {
        let left = self.0.sessions.fetch_sub(1, Ordering::SeqCst) - 1;
        if left <= self.waiting_hooks() {
            self.0.idle.notify_all();
        }
    }
}

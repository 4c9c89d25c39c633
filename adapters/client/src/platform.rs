//! What a client needs of the place where it runs.

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub(crate) mod browser;
#[cfg(feature = "memory")]
pub(crate) mod memory;
#[cfg(all(feature = "sockets", not(target_family = "wasm")))]
pub(crate) mod native;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crossws_core::{BoxFuture, Closed, MaybeSend, MaybeSync, Message};
use http::HeaderMap;

use crate::connect::dial::Dial;
use crate::error::ConnectError;
use crate::shared::Shared;

/// A runtime, a browser, or a server for tests.
pub(crate) trait Platform: MaybeSend + MaybeSync {
    /// Opens a connection.
    fn open(&self, dial: Dial) -> BoxFuture<'static, Result<Opened, ConnectError>>;

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;

    /// Returns the time since any moment that stays the same.
    fn now(&self) -> Duration;

    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// Returns a future that never ends, and runs the platform whenever it is polled: for a platform
    /// that does nothing by itself.
    fn drive(&self) -> Option<BoxFuture<'static, ()>> {
        None
    }

    /// Returns any number, for the wait before a reconnect.
    fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        // Without a random source the wait is the shortest.
        let _ = getrandom::fill(&mut bytes);
        u64::from_ne_bytes(bytes)
    }
}

/// An open connection.
pub(crate) struct Opened {
    pub(crate) socket: Box<dyn Socket>,
    pub(crate) protocol: Option<String>,
    /// The 101's headers; empty if the platform does not show them.
    pub(crate) headers: HeaderMap,
}

/// A connection with its rules: limits, control frames, heartbeats and the closing handshake. Times are
/// durations since it opened.
pub(crate) trait Socket: MaybeSend {
    /// Returns the next message, if the client is `ready` for one. Otherwise what arrives waits. What the
    /// client has sent leaves before what arrives next ends the connection.
    fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
        shared: &Shared,
        ready: bool,
        now: Duration,
    ) -> Poll<Message>;

    /// Takes messages from the queue and writes them, and closes if a handle has asked for that. Ready when
    /// nothing waits, and more can be taken.
    fn poll_write(&mut self, cx: &mut Context<'_>, shared: &Shared, now: Duration) -> Poll<()>;

    /// Returns how the connection ended, once it is over.
    fn closed(&self) -> Option<Closed>;

    /// Returns when [`handle_timeout`](Self::handle_timeout) must be called.
    fn poll_timeout(&mut self, now: Duration) -> Option<Duration>;

    fn handle_timeout(&mut self, now: Duration);

    /// Notes that other tasks are about to run. Returns whether there is more to read now.
    fn end_turn(&mut self) -> bool {
        false
    }
}

/// Waits in the caller's task, and runs the platform meanwhile if it needs that.
pub(crate) struct Waiting(Option<BoxFuture<'static, ()>>);

impl Waiting {
    pub(crate) fn new(platform: &Arc<dyn Platform>) -> Self {
        Self(platform.drive())
    }

    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(drive) = &mut self.0 {
            let _ = drive.as_mut().poll(cx);
        }
    }
}

/// Waits for a future, and runs the platform meanwhile if it needs that.
pub(crate) async fn driving<T>(platform: &Arc<dyn Platform>, future: impl Future<Output = T>) -> T {
    let mut waiting = Waiting::new(platform);
    let mut future = pin!(future);
    poll_fn(|cx| {
        waiting.drive(cx);
        future.as_mut().poll(cx)
    })
    .await
}

/// Returns the future's result, or `None` if the time passes first.
pub(crate) async fn within<T>(
    mut sleep: BoxFuture<'static, ()>,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(value));
        }
        sleep.as_mut().poll(cx).map(|()| None)
    })
    .await
}

//! What a client needs of the place where it runs.

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub(crate) mod browser;
#[cfg(feature = "memory")]
pub(crate) mod memory;
#[cfg(all(
    any(feature = "tokio", feature = "smol", feature = "async-std"),
    not(target_family = "wasm")
))]
pub(crate) mod native;

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use crossws_core::{BoxFuture, CloseFrame, MaybeSend, MaybeSync, Message};
use http::HeaderMap;

use crate::ConnectError;
use crate::connect::dial::Dial;
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

/// A connection's two directions: frames, without any policy.
pub(crate) trait Socket: MaybeSend {
    /// Returns the next event. After [`Event::Close`] and [`Event::Violation`], only
    /// [`Event::End`] follows.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event>;

    /// Takes frames from the queue and writes them. Ready when nothing waits.
    fn poll_write(&mut self, cx: &mut Context<'_>, shared: &Shared) -> Poll<io::Result<()>>;

    /// Returns a number that changes with each byte that was written.
    fn written(&self) -> u64;

    /// Returns a number that changes with each byte that arrives, also inside a message.
    fn received(&self) -> u64 {
        0
    }

    /// Returns whether a message has begun and is not complete.
    fn is_inside_message(&self) -> bool {
        false
    }

    /// Returns whether it can send pings.
    fn can_ping(&self) -> bool {
        true
    }
}

/// What the server sent, or how it ended.
pub(crate) enum Event {
    Message(Message),
    Ping(Bytes),
    Pong,
    Close(Option<CloseFrame>),
    /// The server broke a rule: the frame to close with.
    Violation(CloseFrame),
    /// Nothing more arrives.
    End,
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

/// Returns the future's result, or `None` if the time passes first.
pub(crate) async fn within<T>(
    mut sleep: BoxFuture<'static, ()>,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = std::pin::pin!(future);
    poll_fn(|cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(value));
        }
        sleep.as_mut().poll(cx).map(|()| None)
    })
    .await
}

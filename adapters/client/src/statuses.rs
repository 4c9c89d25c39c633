use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::client::ClientHandle;
use crate::platform::Waiting;
use crate::shared::Watch;
use crate::status::Status;

/// A stream of a client's states: the present one first, then each change. A task that is slow misses
/// states in between, never the last. It ends after [`Status::Closed`].
///
/// ```no_run
/// use crossws_client::{Status, connect};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = connect("wss://example.com/chat").start()?;
/// let mut statuses = client.statuses();
/// while let Some(status) = statuses.next().await {
///     println!("{}", if status == Status::Open { "online" } else { "offline" });
/// }
/// # Ok(()) }
/// ```
pub struct Statuses {
    watch: Watch,
    waiting: Waiting,
    seen: Option<u64>,
    over: bool,
}

impl ClientHandle {
    /// Returns a stream of states: the present one, and each change.
    pub fn statuses(&self) -> Statuses {
        Statuses {
            watch: Watch::new(self.shared()),
            waiting: Waiting::new(self.platform()),
            seen: None,
            over: false,
        }
    }
}

impl Statuses {
    /// Returns the next state, or `None` after [`Status::Closed`].
    ///
    /// # Cancel safety
    /// Dropping the future loses no state.
    pub async fn next(&mut self) -> Option<Status> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Statuses {
    type Item = Status;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Status>> {
        if self.over {
            return Poll::Ready(None);
        }
        self.waiting.drive(cx);
        let seen = self.seen;
        let next = self.watch.poll(cx, |state| {
            (seen != Some(state.changes)).then_some((state.changes, state.status))
        });
        next.map(|(changes, status)| {
            self.seen = Some(changes);
            self.over = status == Status::Closed;
            Some(status)
        })
    }
}

crossws_core::opaque_debug!(Statuses);

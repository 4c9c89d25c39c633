use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::platform::{Platform, Waiting};
use crate::shared::{Shared, Watch};

/// The state of a client.
///
/// ```no_run
/// use crossws_client::{Client, Status, Statuses};
///
/// async fn watch(client: &Client) {
///     let mut statuses: Statuses = client.statuses();
///     while let Some(status) = statuses.next().await {
///         match status {
///             Status::Open => println!("online"),
///             Status::Connecting => println!("one moment"),
///             _ => println!("offline"),
///         }
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// A connection is being opened, or the client waits before the next try.
    Connecting,
    /// The connection is open.
    Open,
    /// The client has ended, and does not connect again.
    Closed,
}

/// A stream of a client's states: the present one first, then each change. A task that is slow misses
/// states in between, never the last. It ends after [`Status::Closed`].
pub struct Statuses {
    watch: Watch,
    waiting: Waiting,
    seen: Option<u64>,
    over: bool,
}

impl Statuses {
    pub(crate) fn new(shared: &Arc<Shared>, platform: &Arc<dyn Platform>) -> Self {
        Self {
            watch: Watch::new(shared),
            waiting: Waiting::new(platform),
            seen: None,
            over: false,
        }
    }

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

impl fmt::Debug for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statuses").finish_non_exhaustive()
    }
}

use std::future::poll_fn;
use std::task::Poll;

/// Lets other tasks run, on any runtime: ready the next time that it is polled, for which it has woken
/// its task.
///
/// What publishes or sends in a loop must let others run, or the runtime has no chance to deliver what
/// waits and to hear which clients have read. And it must not publish faster than the subscribers
/// read, or they are closed as slow consumers: it waits while any is
/// [behind](crate::Scope::behind), or [a peer is](crate::Peer::is_behind). A connection does both
/// between two messages of its client.
///
/// ```
/// # use std::time::Duration;
/// # use crossws_core::{Hub, PublishError, yield_now};
/// # async fn sleep(time: Duration) {}
/// async fn replay(hub: &Hub, lines: Vec<String>) -> Result<(), PublishError> {
///     let log = hub.in_namespace("/log");
///     for line in lines {
///         if log.publish("lines", line)?.behind > 0 {
///             while log.behind("lines") > 0 {
///                 sleep(Duration::from_millis(1)).await; // the runtime's own
///             }
///         }
///         yield_now().await;
///     }
///     Ok(())
/// }
/// ```
///
/// # Cancel safety
/// Dropping the future loses nothing.
pub fn yield_now() -> impl Future<Output = ()> {
    let mut yielded = false;
    poll_fn(move |cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

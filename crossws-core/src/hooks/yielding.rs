use std::future::poll_fn;
use std::task::Poll;

/// Lets other tasks run, on any runtime. The future wakes its task, and is ready when it is polled
/// the next time.
///
/// A loop that publishes or sends must let other tasks run. Otherwise the runtime cannot deliver
/// the queued messages, nor notice which clients have read. The loop must also not publish faster
/// than the subscribers read, or they are closed as slow consumers: it waits while any is
/// [behind](crate::Scope::behind), or while [a peer is](crate::Peer::is_behind). A connection does
/// both between two messages of its client.
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
/// Dropping the future has no effect.
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

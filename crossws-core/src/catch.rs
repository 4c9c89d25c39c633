use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use crate::{Error, Hook, HookResult};

/// A panic's message, where it has one.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// Runs a future and turns a panic in it into an error text. A future that panicked is not
/// polled again.
///
/// Unwind safety is asserted: what a hook shares, it shares through its own locks, whose
/// poisoning is its own to handle; this crate's state is never changed while user code runs.
pub(crate) async fn catch_panic<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    std::future::poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic_text(&*panic).to_owned())),
        },
    )
    .await
}

/// Runs a hook; a panic and an `Err` both become an [`Error`].
pub(crate) async fn catch(
    hook: Hook,
    future: impl Future<Output = HookResult>,
) -> Result<(), Error> {
    match catch_panic(future).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(source)) => Err(Error::hook(hook, source)),
        Err(message) => Err(Error::panic(hook, &message)),
    }
}

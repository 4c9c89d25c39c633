use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::error::{Error, HookKind};
use crate::hooks::output::HookResult;

/// Returns a panic's message, if it has one.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// Runs the future of a hook and turns a panic in it, or in its destructor, into an [`Error`]. A future
/// that panicked is not polled again.
///
/// Unwind safety is asserted. A hook shares values through its own locks, and handles their
/// poisoning itself. This crate's state never changes while user code runs.
pub(crate) fn catch_panic<F: Future>(hook: HookKind, future: F) -> CatchPanic<F> {
    CatchPanic {
        hook,
        future: Some(future),
    }
}

pin_project! {
    /// See [`catch_panic`]. A named type, like the other wrappers around a hook's future: an `async
    /// fn` would hold its argument twice, which doubles with every wrapper.
    pub(crate) struct CatchPanic<F> {
        hook: HookKind,
        #[pin]
        future: Option<F>,
    }
}

impl<F: Future> Future for CatchPanic<F> {
    type Output = Result<F::Output, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let hook = self.hook;
        let mut future = self.project().future;
        let poll = catch_unwind(AssertUnwindSafe(|| {
            let Some(running) = future.as_mut().as_pin_mut() else {
                return Poll::Pending;
            };
            let poll = running.poll(cx);
            if poll.is_ready() {
                future.set(None);
            }
            poll
        }));
        match poll {
            Ok(poll) => poll.map(Ok),
            Err(panic) => {
                contained(|| future.set(None));
                Poll::Ready(Err(Error::panic(hook, panic_text(&*panic))))
            }
        }
    }
}

/// Runs destructors of the application, or wakers. A panic in one is logged and goes no further.
pub(crate) fn contained(run: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
        let message = panic_text(&*panic);
        tracing::error!(message, "a destructor or a waker panicked");
    }
}

/// Runs a hook; a panic and an `Err` both become an [`Error`].
pub(crate) fn catch<F: Future<Output = HookResult>>(hook: HookKind, future: F) -> Catch<F> {
    Catch {
        future: catch_panic(hook, future),
    }
}

pin_project! {
    /// See [`catch`].
    pub(crate) struct Catch<F> {
        #[pin]
        future: CatchPanic<F>,
    }
}

impl<F: Future<Output = HookResult>> Future for Catch<F> {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.project().future;
        let hook = future.hook;
        future
            .poll(cx)
            .map(|result| result?.map_err(|source| Error::hook(hook, source)))
    }
}

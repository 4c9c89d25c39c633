use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crossws_core::BoxFuture;
use pin_project_lite::pin_project;

/// A part of a connection's life, and after it the next. Each owns its own memory and nothing of
/// the others': one future for all of them would be as large as the largest, to the end.
pub(crate) struct Stage(BoxFuture<'static, Option<Stage>>);

impl Stage {
    /// A stage that answers what follows it.
    #[inline]
    pub(crate) fn new(future: impl Future<Output = Option<Self>> + Send + 'static) -> Self {
        Self(Box::pin(future))
    }

    /// The last one.
    #[inline]
    pub(crate) fn last(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self::new(Last { future })
    }
}

pin_project! {
    /// See [`Stage::last`]. An `async` block would hold the future twice.
    struct Last<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future<Output = ()>> Future for Last<F> {
    type Output = Option<Stage>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Stage>> {
        self.project().future.poll(cx).map(|()| None)
    }
}

impl Future for Stage {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(next) = ready!(self.0.as_mut().poll(cx)) {
            *self = next;
        }
        Poll::Ready(())
    }
}

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crossws_core::BoxFuture;
use pin_project_lite::pin_project;

/// A part of a connection's life, followed by the next. Each part owns only its own memory: one
/// future for all of them would be as large as the largest, to the end.
pub(crate) struct Stage(BoxFuture<'static, Option<Stage>>);

impl Stage {
    /// Creates a stage whose future returns the next stage.
    #[inline]
    pub(crate) fn new(future: impl Future<Output = Option<Self>> + Send + 'static) -> Self {
        Self(Box::pin(future))
    }

    /// Creates the last stage.
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

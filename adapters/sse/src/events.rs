use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use crossws_core::adapter::Background;

use crate::error::PushError;
use crate::format::event::Event;
use crate::format::lines::put_lines;
use crate::queue::{Ended, Queue};

/// The application's end of an event stream: what is pushed here reaches the client. Cheap to
/// clone; the stream ends when the last handle is dropped, after everything that was pushed.
///
/// ```
/// use crossws_sse::{Event, Events, PushError};
///
/// /// A loop over many streams waits for none of them.
/// fn tell(listeners: &mut Vec<Events>, price: &str) {
///     listeners.retain(|events| match events.try_push(Event::new(price).event("price")) {
///         Err(PushError::Full) => {
///             events.close(); // its client reconnects, with its last id
///             false
///         }
///         pushed => pushed.is_ok(),
///     });
/// }
/// ```
#[derive(Clone)]
pub struct Events(Arc<Handle>);

struct Handle {
    queue: Arc<Queue>,
    background: Arc<dyn Background>,
    last_event_id: Option<Box<str>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.end(Ended::Finished);
    }
}

impl Events {
    pub(crate) fn new(
        queue: Arc<Queue>,
        background: Arc<dyn Background>,
        last_event_id: Option<Box<str>>,
    ) -> Self {
        Self(Arc::new(Handle {
            queue,
            background,
            last_event_id,
        }))
    }

    /// Pushes an event, or a text as one. Waits while more waits for the client than the stream's
    /// [bound](crate::EventStream::buffer). An event that is longer than the bound waits until
    /// nothing else does.
    ///
    /// # Errors
    /// [`PushError::Closed`] when the stream has ended, also during the wait, and
    /// [`PushError::Invalid`].
    ///
    /// # Cancel safety
    /// Dropping the future pushes nothing.
    pub async fn push(&self, event: impl Into<Event>) -> Result<(), PushError> {
        let encoded = event.into().encode()?;
        self.0.queue.append_when_room(&encoded).await
    }

    /// Pushes an event if there is room for it.
    ///
    /// # Errors
    /// As [`push`](Self::push), and [`PushError::Full`].
    pub fn try_push(&self, event: impl Into<Event>) -> Result<(), PushError> {
        let encoded = event.into().encode()?;
        self.0.queue.append(&encoded)
    }

    /// Pushes a comment, which clients ignore. The stream sends comments by itself: see
    /// [`keep_alive`](crate::EventStream::keep_alive).
    ///
    /// # Errors
    /// [`PushError::Closed`].
    ///
    /// # Cancel safety
    /// Dropping the future pushes nothing.
    pub async fn comment(&self, text: impl AsRef<str>) -> Result<(), PushError> {
        let mut encoded = BytesMut::new();
        put_lines(&mut encoded, "", text.as_ref());
        encoded.extend_from_slice(b"\n");
        self.0.queue.append_when_room(&encoded).await
    }

    /// Returns the id of the last event that the client has read before it reconnected.
    pub fn last_event_id(&self) -> Option<&str> {
        self.0.last_event_id.as_deref()
    }

    /// Waits until the stream has ended: the client is gone, the application shuts down, or
    /// [`close`](Self::close) was called.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn closed(&self) {
        loop {
            let listener = self.0.queue.listen();
            if self.is_closed() {
                return;
            }
            listener.await;
        }
    }

    /// Returns whether the stream has ended.
    pub fn is_closed(&self) -> bool {
        self.0.queue.ended() != Ended::No
    }

    /// Ends the stream after everything that was pushed. A browser reconnects, unless the response
    /// to its next request is a 204.
    pub fn close(&self) {
        self.0.queue.end(Ended::Finished);
    }

    /// Returns how many bytes wait for the client.
    pub fn buffered_amount(&self) -> usize {
        self.0.queue.waiting()
    }

    /// Waits for this long, by the clock of the server: virtual in tests.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn sleep(&self, time: Duration) {
        self.0.background.sleep(time).await;
    }
}

crossws_core::opaque_debug!([] Events, self =>
    buffered_amount: self.buffered_amount(), is_closed: self.is_closed());

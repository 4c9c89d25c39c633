use crate::format::invalid::InvalidEvent;

/// Why an event was not pushed.
///
/// ```
/// use crossws_sse::{Events, PushError};
///
/// /// Skips the tick of a client that reads slowly.
/// fn tick(events: &Events) -> Result<(), PushError> {
///     match events.try_push("tick") {
///         Err(PushError::Full) => Ok(()),
///         pushed => pushed,
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// The client is gone, the stream was closed, or the application shuts down.
    #[error("the event stream has ended")]
    Closed,
    /// More waits than the stream's bound, because the client reads slowly. Only from
    /// [`try_push`](crate::Events::try_push).
    #[error("the event stream has no room")]
    Full,
    /// The event has a field that the format cannot carry.
    #[error(transparent)]
    Invalid(#[from] InvalidEvent),
}

/// Why there is no event stream: the hub of the application is unknown, or no server has lent it its
/// clock. A mistake in how the application is put together.
///
/// ```
/// use crossws_sse::{EventStream, NotServed};
/// use http::Request;
///
/// let request = Request::new(()); // of a server that knows nothing of crossws
/// assert_eq!(EventStream::of(&request).err(), Some(NotServed::NoHub));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotServed {
    /// The request's extensions contain no [`Hub`](crossws_core::Hub). The servers of this project put
    /// it there; in a foreign server a layer must.
    #[error(
        "the request has no `Hub` in its extensions: serve it with `http(..)` of a server of crossws, \
         or add `Extension(hub)`"
    )]
    NoHub,
    /// The hub has no clock yet: no server or acceptor serves it.
    #[error(
        "the hub has no clock: call `lend_background(&hub)` of the runtime's adapter, such as \
         `crossws::tokio::lend_background`"
    )]
    NoClock,
}
